//! The learning rate as a function of the steps taken. Kernels that update parameters compute it
//! from the state's step: see [`super::optimizer`] and `shaders/shared/schedule.wgsl`.

use serde::Serialize;

/// A learning rate, its course, and a linear warm-up, which multiplies the result.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The learning rate that `course` changes.
    pub base: f64,
    /// The change of the learning rate in the course of training.
    pub course: Course,
    /// Steps of the warm-up, in which the rate grows linearly to its full size, as by PyTorch's
    /// `LinearLR`.
    pub warmup: u32,
    /// Factor of the rate in the first step of the warm-up.
    pub warmup_start: f64,
}

/// The course of a learning rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Course {
    /// It is constant.
    Constant,
    /// It falls to `minimum` along half a cosine in `horizon` steps (PyTorch's
    /// `CosineAnnealingLR`), and stays there.
    Cosine {
        /// Steps of the descent; at least 1.
        horizon: u32,
        /// The learning rate at its end.
        minimum: f64,
    },
    /// It is multiplied by `factor` every `period` steps (PyTorch's `StepLR`, `ExponentialLR`).
    Decay {
        /// Steps from one decay to the next; at least 1.
        period: u32,
        /// Factor of a decay, above 0 and at most 1.
        factor: f64,
    },
}

/// Mirrors the shader struct `Schedule` of `shaders/shared/schedule.wgsl`.
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
    /// The constant learning rate `rate`, without a warm-up.
    pub fn constant(rate: f64) -> Self {
        Self { base: rate, course: Course::Constant, warmup: 0, warmup_start: 1.0 }
    }

    /// The learning rate of step `step`, counted from 0; the kernels' is within 1e-6 of it.
    pub fn at(&self, step: u32) -> f64 {
        let Self { base, course, warmup, warmup_start } = *self;
        let rate = match course {
            Course::Constant => base,
            Course::Cosine { horizon, minimum } => {
                // (1 + cos(pi step / horizon)) / 2, which would cancel towards the end, as a
                // square.
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
