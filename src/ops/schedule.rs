//! The learning rate as a function of the steps taken. It is computed where parameters are updated,
//! from the state's count: see [`super::optimizer`] and `shaders/shared/schedule.wgsl`.

use serde::Serialize;

/// A learning rate, its course, and a linear warm-up by which both are multiplied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The learning rate that `course` changes.
    pub base: f64,
    /// How it changes.
    pub course: Course,
    /// Steps over which the rate grows to its full size, as by PyTorch's `LinearLR`.
    pub warmup: u32,
    /// Share of the rate in the first step of the warm-up.
    pub warmup_start: f64,
}

/// What becomes of a learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// It stays.
    Constant,
    /// It falls to `minimum` along half a cosine in `horizon` steps (PyTorch's `CosineAnnealingLR`),
    /// and stays there.
    Cosine {
        /// Steps; at least 1.
        horizon: u32,
        /// A learning rate.
        minimum: f64,
    },
    /// It is multiplied by `factor` every `period` steps (PyTorch's `StepLR`, `ExponentialLR`).
    Decay {
        /// Steps; at least 1.
        period: u32,
        /// From more than 0 to 1.
        factor: f64,
    },
}

/// As `Schedule` in `shaders/shared/schedule.wgsl`.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Constants {
    base: f64,
    minimum: f64,
    horizon: u32,
    warmup: u32,
    warmup_start: f64,
    period: u32,
    decay_high: f64,
    decay_low: f64,
}

impl Schedule {
    /// Always `rate`.
    pub fn constant(rate: f64) -> Self {
        Self { base: rate, course: Course::Constant, warmup: 0, warmup_start: 1.0 }
    }

    /// The learning rate of the step after `step` steps; the kernels' is within 1e-6 of it.
    pub fn at(&self, step: u32) -> f64 {
        let Self { base, course, warmup, warmup_start } = *self;
        let rate = match course {
            Course::Constant => base,
            Course::Cosine { horizon, minimum } => {
                // (1 + cos(pi step / horizon)) / 2, which would cancel towards the end, as a square.
                let left = f64::from(horizon - step.min(horizon)) / f64::from(horizon);
                let root = (std::f64::consts::FRAC_PI_2 * left).sin();
                minimum + (base - minimum) * root * root
            }
            Course::Decay { period, factor } => base * factor.powf((step / period).into()),
        };
        if step >= warmup {
            return rate;
        }
        rate * (warmup_start + (1.0 - warmup_start) * f64::from(step) / f64::from(warmup))
    }

    pub(super) fn constants(&self) -> Constants {
        let constant = Constants {
            base: self.base,
            warmup: self.warmup,
            warmup_start: self.warmup_start,
            ..Constants::default()
        };
        match self.course {
            Course::Constant => constant,
            Course::Cosine { horizon, minimum } => Constants { horizon, minimum, ..constant },
            Course::Decay { period, factor } => {
                let exponent = factor.log2();
                let decay_high = (exponent * 1024.0).round() / 1024.0;
                let decay_low = exponent - decay_high;
                Constants { period, decay_high, decay_low, ..constant }
            }
        }
    }
}
