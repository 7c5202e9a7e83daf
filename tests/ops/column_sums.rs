use vae_gpu::gpu::Recording;
use vae_gpu::ops::column_sums;

use crate::check::{self, MARGIN, POISON};

/// Part by part; they cover the rows and no more.
#[test]
pub fn parts() {
    let Some(gpu) = check::gpu() else { return };
    for [rows, columns] in [[1, 1], [63, 5], [1024, 3], [1025, 64], [3001, 257], [70_000, 4]] {
        let mut recording = Recording::new(gpu.report());
        let x = recording.matrix(&[rows, columns]);
        let margin = recording.vector(MARGIN);
        let sums = column_sums::parts(&mut recording, "test", &x);
        let behind = recording.vector(MARGIN);
        let values = check::random(1, rows * columns, -1.0..2.0);
        let plan = recording.compile(gpu);
        x.write(gpu, &values);
        sums.write(gpu, &vec![POISON; sums.len()]);
        [&margin, &behind].iter().for_each(|margin| margin.write(gpu, &[POISON; MARGIN]));
        plan.run();
        let mut want = vec![0.0; columns];
        for row in check::wide(&values).chunks(columns) {
            want.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        let mut got = vec![0.0; columns];
        for row in sums.read::<f32>(gpu).unwrap().chunks(columns) {
            got.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
        }
        check::assert_norm(&format!("{rows} x {columns}"), &got, &want, 1e-6);
        for margin in [margin, behind] {
            assert_eq!(margin.read::<u32>(gpu).unwrap(), [POISON; MARGIN], "around the sums");
        }
    }
}
