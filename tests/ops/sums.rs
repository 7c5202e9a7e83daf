use vae_gpu::gpu::{Recording, Tensor, padded};
use vae_gpu::ops::sums::{self, Sum};

use crate::check::{self, MARGIN, POISON};

/// Parts, elements, where they begin in a part, and elements behind them.
const SIZES: [[usize; 4]; 5] =
    [[1, 1, 0, 0], [2, 5, 4, 3], [17, 64, 0, 64], [3, 1757, 60, 0], [100, 3, 8, 4]];

#[test]
pub fn parts() {
    let Some(gpu) = check::gpu() else { return };
    let mut recording = Recording::new(gpu.report());
    let mut words = MARGIN;
    // More than a dispatch takes.
    let sizes: Vec<_> = SIZES.iter().cycle().take(37).collect();
    let places: Vec<_> = sizes
        .iter()
        .map(|[_, elements, ..]| {
            let at = words;
            words += elements.next_multiple_of(Tensor::ALIGNMENT) + MARGIN;
            at
        })
        .collect();
    let results = Tensor::new(gpu, "sums", &[words], &vec![POISON; words]);
    let all: Vec<_> = sizes
        .iter()
        .zip(&places)
        .map(|(&&[parts, elements, offset, behind], &at)| {
            let columns = offset + padded(elements) + behind;
            let result = results.view(at, &[elements]);
            Sum { parts: recording.matrix(&[parts, columns]), offset, result }
        })
        .collect();
    sums::parts(&mut recording, "test", &all, &results);
    assert_eq!(recording.labels().count(), 2, "thirty-two sums a dispatch");
    let plan = recording.compile(gpu);
    let wants: Vec<Vec<f64>> = all
        .iter()
        .zip(1..)
        .map(|(sum, seed)| {
            let values = check::random(seed, sum.parts.len(), -1.0..1.0);
            sum.parts.write(gpu, &values);
            let columns = sum.offset..sum.offset + padded(sum.result.len());
            let add =
                |i| values.iter().skip(i).step_by(sum.parts.columns()).copied().map(f64::from);
            columns.map(|i| add(i).sum()).collect()
        })
        .collect();
    plan.run();
    let mut got: Vec<u32> = results.read(gpu).unwrap();
    for (at, want) in places.into_iter().zip(wants) {
        let sums = &mut got[at..at + want.len()];
        let floats: Vec<_> = sums.iter().map(|&word| f32::from_bits(word)).collect();
        check::assert_norm(&format!("{} elements", want.len()), &floats, &want, 1e-6);
        sums.fill(POISON);
    }
    assert_eq!(got.iter().position(|&word| word != POISON), None, "written between the sums");
}
