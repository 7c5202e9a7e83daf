//! Configuration of the optimizer, the schedule of the learning rate, and clipping.

use serde::{Deserialize, Serialize};

use super::TrainConfig;
use super::require;
use crate::error::{Result, shown};
use crate::ops::optimizer::{Optimizer, Rule};
use crate::ops::schedule::{Course, Schedule};

/// The schedule of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
#[serde(expecting = "a table, as in { name = \"cosine\" }")]
pub enum ScheduleConfig {
    /// The learning rate is constant. The braces make serde reject fields.
    Constant {},
    /// The learning rate falls along half a cosine, step by step, to `minimum` after the last
    /// epoch. A run that is resumed with more epochs continues on the longer curve.
    Cosine {
        /// The learning rate at the end.
        #[serde(default)]
        minimum: f64,
    },
    /// The learning rate is multiplied by `factor` after every `every` epochs.
    Step {
        /// Number of epochs from one decay to the next.
        every: u32,
        /// Factor of a decay, above 0 and at most 1.
        #[serde(default = "tenth")]
        factor: f64,
    },
    /// The learning rate is multiplied by `factor` after every epoch.
    Exponential {
        /// Factor of a decay, above 0 and at most 1.
        factor: f64,
    },
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Constant {}
    }
}

fn tenth() -> f64 {
    0.1
}

impl TrainConfig {
    /// The optimizer with the schedule in steps, of which an epoch has `steps_per_epoch`.
    pub fn optimizer(&self, steps_per_epoch: usize) -> Optimizer {
        let steps = |epochs: u32| {
            u32::try_from(u64::from(epochs).saturating_mul(steps_per_epoch as u64))
                .unwrap_or(u32::MAX)
        };
        let course = match self.schedule {
            ScheduleConfig::Constant {} => Course::Constant,
            ScheduleConfig::Cosine { minimum } => {
                Course::Cosine { horizon: steps(self.epochs), minimum }
            }
            ScheduleConfig::Step { every, factor } => {
                Course::Decay { period: steps(every), factor }
            }
            ScheduleConfig::Exponential { factor } => Course::Decay { period: steps(1), factor },
        };
        let learning_rate = Schedule {
            base: self.learning_rate,
            course,
            warmup: (self.warmup_epochs * steps_per_epoch as f64).round() as u32,
            warmup_start: self.warmup_start,
        };
        Optimizer { rule: self.optimizer, learning_rate }
    }

    /// The same with the length, the learning rate, its schedule and its warm-up of `other`: what may change
    /// between the parts of a run.
    pub(crate) fn with_rate_and_length_of(self, other: &Self) -> Self {
        Self {
            epochs: other.epochs,
            learning_rate: other.learning_rate,
            warmup_epochs: other.warmup_epochs,
            warmup_start: other.warmup_start,
            schedule: other.schedule,
            ..self
        }
    }

    /// What of the learning rate, its schedule and its warm-up is another than in `before`, as keys with
    /// both values.
    pub fn rate_changes(&self, before: &Self) -> Vec<String> {
        let keys = |train: &Self| {
            let value = |value: f64| shown(value);
            let schedule = toml::Value::try_from(train.schedule);
            [
                ("learning_rate", value(train.learning_rate)),
                ("schedule", schedule.expect("a schedule is TOML").to_string()),
                ("warmup_epochs", value(train.warmup_epochs)),
                ("warmup_start", value(train.warmup_start)),
            ]
        };
        let pairs = keys(self).into_iter().zip(keys(before));
        let changed = pairs.filter(|((_, now), (_, then))| now != then);
        changed.map(|((key, now), (_, then))| format!("{key} = {now}, before {then}")).collect()
    }

    /// Fails on an invalid value; the error names its key.
    pub(super) fn check_updates(&self) -> Result<()> {
        let Self { learning_rate, clip_norm, warmup_epochs, warmup_start, .. } = *self;
        check("warmup_epochs", warmup_epochs, FROM_ZERO)?;
        check("warmup_start", warmup_start, SHARE)?;
        check("clip_norm", clip_norm.unwrap_or(1.0), POSITIVE)?;
        match self.schedule {
            ScheduleConfig::Constant {} => {}
            ScheduleConfig::Cosine { minimum } => {
                check("schedule.minimum", minimum, FROM_ZERO)?;
                let message =
                    format!("must be at most the learning rate, {}", shown(learning_rate));
                let fits = minimum <= learning_rate;
                require(fits, "schedule.minimum", shown(minimum), &message)?;
            }
            ScheduleConfig::Step { every, factor } => {
                require(every > 0, "schedule.every", every, "must be at least 1")?;
                check("schedule.factor", factor, SHARE)?;
            }
            ScheduleConfig::Exponential { factor } => check("schedule.factor", factor, SHARE)?,
        }
        check_rule(self.optimizer)
    }
}

/// Fails on an optimizer that cannot be, whoever made it.
///
/// # Errors
///
/// [`crate::Error::Config`] naming the key.
pub fn check_optimizer(optimizer: &Optimizer) -> Result<()> {
    check("learning_rate", optimizer.learning_rate.base, POSITIVE)?;
    check_rule(optimizer.rule)
}

fn check_rule(rule: Rule) -> Result<()> {
    let of = |key: &str, value, range| check(&format!("optimizer.{key}"), value, range);
    match rule {
        Rule::Sgd { momentum, nesterov, weight_decay } => {
            of("momentum", momentum, BELOW_ONE)?;
            let message = "needs a momentum above 0";
            require(!nesterov || momentum > 0.0, "optimizer.nesterov", true, message)?;
            of("weight_decay", weight_decay, FROM_ZERO)
        }
        Rule::RmsProp { alpha, epsilon, momentum, weight_decay } => {
            of("alpha", alpha, BELOW_ONE)?;
            of("epsilon", epsilon, POSITIVE)?;
            of("momentum", momentum, BELOW_ONE)?;
            of("weight_decay", weight_decay, FROM_ZERO)
        }
        Rule::Adagrad { lr_decay, epsilon, initial_accumulator_value, weight_decay } => {
            of("lr_decay", lr_decay, FROM_ZERO)?;
            of("epsilon", epsilon, POSITIVE)?;
            of("initial_accumulator_value", initial_accumulator_value, FROM_ZERO)?;
            of("weight_decay", weight_decay, FROM_ZERO)
        }
        Rule::Adam { beta1, beta2, epsilon, weight_decay }
        | Rule::AdamW { beta1, beta2, epsilon, weight_decay } => {
            of("beta1", beta1, BELOW_ONE)?;
            of("beta2", beta2, BELOW_ONE)?;
            of("epsilon", epsilon, POSITIVE)?;
            of("weight_decay", weight_decay, FROM_ZERO)
        }
    }
}

/// A range in words, and the test of a value, which it must also pass as a 32-bit float, since kernels use
/// it as one.
type Range = (&'static str, fn(f64) -> bool);

pub(super) const FROM_ZERO: Range = ("must be a number from 0 up", |v| v.is_finite() && v >= 0.0);
pub(super) const POSITIVE: Range = ("must be a positive number", |v| v.is_finite() && v > 0.0);
const BELOW_ONE: Range = ("must be from 0 to less than 1", |v| (0.0..1.0).contains(&v));
const SHARE: Range = ("must be more than 0 and at most 1", |v| v > 0.0 && v <= 1.0);

/// Fails on a value outside of a range, or one that is so as a 32-bit float, the adapter's type: 1e39 is
/// infinite there, and 1e-50 is zero.
pub(super) fn check(key: &str, value: f64, (message, holds): Range) -> Result<()> {
    require(holds(value), key, shown(value), message)?;
    // Adapters may take what is below the normal numbers for zero.
    let narrow = Some(value as f32).filter(|v| !v.is_subnormal()).map_or(0.0, f64::from);
    let message = format!("{message}, also as a 32-bit float, in which it is {}", shown(narrow));
    let is_kept = (value == 0.0) == (narrow == 0.0);
    require(is_kept && holds(narrow), key, shown(value), &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Updates are read back as they were written, and defaults are not written.
    #[test]
    fn toml_keeps_every_rule_and_schedule() {
        let written = Config::default().to_toml();
        for key in ["optimizer", "schedule", "warmup", "clip"] {
            assert!(!written.contains(key), "{written}");
        }
        let rules = ["sgd", "rmsprop", "adagrad", "adam", "adamw"];
        let schedules = [
            "name = \"constant\"",
            "name = \"cosine\", minimum = 1e-5",
            "name = \"step\", every = 3, factor = 0.3",
            "name = \"exponential\", factor = 0.9",
        ];
        for (rule, schedule) in rules.into_iter().zip(schedules.into_iter().cycle()) {
            let text = format!(
                "[train]\nwarmup_epochs = 0.5\nwarmup_start = 0.2\nclip_norm = 3\n\
                 optimizer = {{ name = \"{rule}\", weight_decay = 0.25 }}\n\
                 schedule = {{ {schedule} }}"
            );
            let config = Config::parse(&text, "text").unwrap();
            assert_eq!(config.train.optimizer.name(), rule);
            assert_eq!(Config::parse(&config.to_toml(), "written").unwrap(), config);
        }
    }

    #[test]
    fn epochs_become_steps() {
        let text = "[train]\nepochs = 20\nlearning_rate = 0.5\nwarmup_epochs = 0.25\n";
        for (schedule, course) in [
            ("name = \"constant\"", Course::Constant),
            ("name = \"cosine\"", Course::Cosine { horizon: 200, minimum: 0.0 }),
            ("name = \"step\", every = 3", Course::Decay { period: 30, factor: 0.1 }),
            (
                "name = \"step\", every = 4294967295",
                Course::Decay { period: u32::MAX, factor: 0.1 },
            ),
            ("name = \"exponential\", factor = 0.9", Course::Decay { period: 10, factor: 0.9 }),
        ] {
            let text = format!("{text}schedule = {{ {schedule} }}");
            let config = Config::parse(&text, "text").unwrap();
            let expected = Schedule { base: 0.5, course, warmup: 3, warmup_start: 0.01 };
            assert_eq!(config.train.optimizer(10).learning_rate, expected);
        }
    }
}
