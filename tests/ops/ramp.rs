use serde_json::json;
use vae_gpu::gpu::{Gpu, Tensor};
use vae_gpu::ops::latent::KlObjective;
use vae_gpu::ops::{State, ramp};

use crate::check::{self, Guarded};
use crate::maps;

fn state(gpu: &Gpu, step: u32) -> Tensor {
    let state = State::tensor("state");
    State { step, ..State::default() }.write(gpu, &state);
    state
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    let plain = KlObjective::weighted(0.7);
    for (i, rows) in [1, 63, 257, 1757].into_iter().enumerate() {
        for objective in
            [plain, KlObjective { ramp: 8, ..plain }, KlObjective { ramp: 3, period: 5, ..plain }]
        {
            for step in [0, 1, 4 + i as u32, 7, 8, 1000] {
                let (state, y) = (state(gpu, step), Guarded::new(gpu, &[rows, 1]));
                let record = |p: &mut _, y: &_| ramp::forward(p, "test", &state, &objective, y);
                check::run(gpu, |recording| record(recording, &y.tensor));
                let at = step.checked_rem(objective.period).unwrap_or(step);
                let climbed = if at < objective.ramp {
                    f64::from(at) / f64::from(objective.ramp)
                } else {
                    1.0
                };
                let want = vec![0.7 * climbed / rows as f64; rows];
                let what = format!("{rows} rows, {objective:?}, step {step}");
                check::assert_each(&what, &y.floats(gpu), &want, 1e-6, 0.0);
                // The host's own function of the step, which reports show.
                assert!((objective.weight_at(step) / rows as f64 - want[0]).abs() < 1e-9, "{what}");
                check::assert_pads(gpu, [rows, 1], record);
            }
        }
    }
}

/// The number of rows, not the bindings or the grid, ends the work; and grids wrap.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let params = json!({ "rows": 131, "row": 4, "weight": 0.5, "ramp": 0, "period": 0 });
    let (state, y) = (state(gpu, 3), Guarded::roomy(gpu, &[131, 1]));
    let tensors = [("state", &state), ("y", &y.tensor)];
    maps::run_kernel(gpu, (&ramp::SHADER, "forward"), &[], &params, &tensors, 131 * 4);
    assert_eq!(y.floats(gpu), vec![0.5; 131]);
}
