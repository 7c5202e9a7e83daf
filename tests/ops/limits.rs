use vae_gpu::ops::limits;

use crate::check::{self, Guarded};

#[test]
pub fn arithmetic() {
    let Some(gpu) = check::gpu() else { return };
    let (m, c) = (0.875f32, 0.0625f32);
    for (count, rounds) in [(1, 0), (63, 1), (64, 3), (65, 7), (1757, 2)] {
        let start = check::random(1, count, -1.0..1.0);
        let factors = check::input(gpu, &[2], &[m, c]);
        let on_start = check::input(gpu, &[count], &start);
        let result = Guarded::new(gpu, &[count]);
        check::run(gpu, |recording| {
            limits::arithmetic(recording, "test", rounds, &factors, &on_start, &result.tensor);
        });
        let steps = |v: f64| (0..8 * rounds).fold(v, |v, _| f64::from(m) * v + f64::from(c));
        let sum = |v: f64| (1..=12).map(|k| steps(f64::from(k) * v)).sum();
        let want: Vec<f64> = check::wide(&start).into_iter().map(sum).collect();
        let what = format!("{count} times {rounds} rounds");
        check::assert_each(&what, &result.floats(gpu), &want, 1e-5, 1e-4);
    }
}

#[test]
pub fn copy() {
    let Some(gpu) = check::gpu() else { return };
    for (count, quads) in [(4, 1), (252, 1), (256, 2), (260, 1), (1028, 4), (7028, 4)] {
        let source = check::random(2, count, -1.0..1.0);
        let on_source = check::roomy_input(gpu, &[count], &source);
        let copied = Guarded::new(gpu, &[count]);
        let on_source = on_source.view(0, &[count]);
        check::run(gpu, |recording| {
            limits::copy(recording, "test", quads, &on_source, &copied.tensor)
        });
        assert_eq!(copied.floats(gpu), source, "{count} by {quads}");
    }
}

#[test]
pub fn touch() {
    let Some(gpu) = check::gpu() else { return };
    for count in [1, 63, limits::COUNTER] {
        let words: Vec<u32> = (0..count as u32).collect();
        let counter = Guarded::new(gpu, &[count]).fill(gpu, &words);
        check::run(gpu, |recording| {
            for _ in 0..3 {
                limits::touch(recording, "test", &counter.tensor);
            }
        });
        let want: Vec<u32> = (3..count as u32 + 3).collect();
        assert_eq!(counter.words(gpu), want);
    }
}
