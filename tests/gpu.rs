//! The adapter's clock.

#[path = "common/mod.rs"]
mod common;

use vae_gpu::gpu::{Recording, Tensor, Timer};
use vae_gpu::ops::limits;

#[test]
fn a_timed_pass_runs_and_takes_a_finite_time() {
    let Some(gpu) = common::gpu() else { return };
    let timer = Timer::new(&gpu);
    assert_eq!(timer.is_some(), gpu.report().timestamps);
    let Some(timer) = timer else { return common::skip("the adapter has no timestamps") };
    let counter = Tensor::zeros("counter", &[64]);
    let mut recording = Recording::new(gpu.report());
    limits::touch(&mut recording, "test", &counter);
    let plan = recording.compile(&gpu);
    for _ in 0..3 {
        let seconds = timer.time(|pass| plan.encode(pass)).unwrap();
        assert!((0.0..60.0).contains(&seconds), "{seconds}");
    }
    assert_eq!(counter.read::<u32>(&gpu).unwrap(), [3; 64]);
}
