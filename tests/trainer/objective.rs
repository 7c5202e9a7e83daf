//! From a configuration to what training makes of the KL divergence, and to what is reported.

use vae_gpu::config::{KlSchedule, ModelConfig};
use vae_gpu::model::TermSpec;
use vae_gpu::ops::latent::KlObjective;
use vae_gpu::train::{ACTIVE, Losses};

fn scheduled(schedule: KlSchedule) -> ModelConfig {
    ModelConfig { kl_weight: 0.5, kl_schedule: Some(schedule), ..ModelConfig::default() }
}

#[test]
fn epochs_of_a_kl_schedule_become_steps() {
    let plain = KlObjective::weighted(0.5);
    let weighted = ModelConfig { kl_weight: 0.5, ..ModelConfig::default() };
    assert_eq!(weighted.kl_objective(7, 10), plain);
    let free = ModelConfig { free_bits: 0.25, ..weighted };
    assert_eq!(free.kl_objective(7, 10), KlObjective { free_bits: 0.25, ..plain });

    // To the nearest step; more than 32 bits count is no overflow.
    for (epochs, ramp) in [(0.0, 0), (0.05, 0), (0.1, 1), (2.5, 18), (10.0, 70), (1e30, u32::MAX)] {
        let config = scheduled(KlSchedule::Warmup(epochs));
        assert_eq!(config.kl_objective(7, 10), KlObjective { ramp, ..plain }, "{epochs}");
        let config = scheduled(KlSchedule::Capacity { nats: 25.0, epochs });
        let capacity = Some(25.0);
        assert_eq!(config.kl_objective(7, 10), KlObjective { capacity, ramp, ..plain }, "{epochs}");
    }
    let config = ModelConfig { free_bits: 0.25, ..scheduled(KlSchedule::Warmup(1.0)) };
    assert_eq!(config.kl_objective(7, 10), KlObjective { free_bits: 0.25, ramp: 7, ..plain });

    // The last has more cycles than steps.
    for (cycles, share, ramp, period) in
        [(1, 0.0, 0, 70), (1, 1.0, 70, 70), (2, 0.5, 18, 35), (5, 0.25, 4, 14), (1000, 1.0, 0, 1)]
    {
        let config = scheduled(KlSchedule::Cyclical { cycles, ramp: share });
        let want = KlObjective { ramp, period, ..plain };
        assert_eq!(config.kl_objective(7, 10), want, "{cycles}, {share}");
    }
}

/// The divergences of two variables, in nats, and the variances of their means: one hardly moves.
const UNITS: [[f64; 2]; 2] = [[0.1, 2.0], [0.99 * ACTIVE, 1.01 * ACTIVE]];

fn losses(config: ModelConfig) -> Losses {
    losses_of(&ModelConfig { latent: 2, ..config }, &UNITS)
}

fn losses_of(config: &ModelConfig, [unit_kl, variances]: &[[f64; 2]; 2]) -> Losses {
    let terms = [TermSpec::new("recon"), TermSpec::kl("kl", config.kl_objective(1, 1))];
    Losses::new(&terms, &[50.0, 0.0], unit_kl, variances)
}

#[test]
fn the_loss_is_what_the_objective_comes_to() {
    let config =
        |kl_schedule| ModelConfig { kl_weight: 0.5, kl_schedule, ..ModelConfig::default() };
    let capacity = |nats| config(Some(KlSchedule::Capacity { nats, epochs: 3.0 }));
    let free = |free_bits| ModelConfig { free_bits, ..config(None) };
    let cases = [
        (config(None), 51.05),
        // As if they had run.
        (config(Some(KlSchedule::Warmup(3.0))), 51.05),
        (config(Some(KlSchedule::Cyclical { cycles: 3, ramp: 0.5 })), 51.05),
        (capacity(0.0), 51.05),
        (capacity(1.1), 50.5),
        (capacity(5.1), 51.5),
        // They count for a variable that is below them, not for both together.
        (free(0.5), 51.25),
        (free(3.0), 53.0),
        (ModelConfig { variational: false, ..config(None) }, 50.0),
    ];
    for (config, loss) in cases {
        let what = format!("{config:?}");
        let got = losses(config);
        assert!((got.loss - loss).abs() < 1e-12, "{what}: {got:?}");
        // These are not weighted.
        let [recon, kl] = ["recon", "kl"].map(|name| got.term(name).unwrap());
        assert_eq!((recon, &got.unit_kl[..]), (50.0, &UNITS[0][..]), "{what}");
        assert!((kl - 2.1).abs() < 1e-12, "{what}: {got:?}");
    }
}

#[test]
fn a_variable_is_active_whose_mean_varies() {
    assert_eq!(losses(ModelConfig::default()).active_units, 1);
    // Without a posterior there are no statistics.
    let plain = ModelConfig { variational: false, latent: 2, ..ModelConfig::default() };
    assert_eq!(losses_of(&plain, &[[0.0; 2]; 2]).active_units, 0);
}

/// Where steps do not divide by cycles, the last is cut short; none begins anew after it.
#[test]
fn all_cycles_fit_in_the_training() {
    for (steps, epochs, cycles) in [(7, 10, 3), (6, 4, 5), (1, 10, 4), (469, 30, 7), (3, 1, 2)] {
        let config = scheduled(KlSchedule::Cyclical { cycles, ramp: 0.5 });
        let period = u64::from(config.kl_objective(steps, epochs).period);
        let all = steps as u64 * u64::from(epochs);
        assert!(period * u64::from(cycles) >= all, "{cycles} of {period} steps in {all}");
        assert!((period - 1) * u64::from(cycles) < all, "{cycles} of {period} steps in {all}");
    }
}
