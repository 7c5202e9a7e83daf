//! Models: configuration, presets, the variational autoencoder and its file.
//!
//! [`Config`] and [`Vae`] with what they take and give are what programs use. [`Model`], [`Step`] and
//! [`Phase`], with what they name, are for those who train a model of their own; [`Network`] and what is
//! recorded from it ([`Batch`], [`Elbo`], [`Running`]) are the level below.

mod columns;
mod config;
mod dataset;
mod distribution;
mod encode;
mod file;
mod generate;
mod input;
mod network;
mod objective;
mod optimizer;
mod parse;
mod pass;
mod phase;
mod preset;
mod running;
mod step;
mod training;
mod vae;

pub use columns::{Columns, corrupted};
pub use config::{Config, ModelConfig, TrainConfig};
pub use dataset::DataConfig;
pub use distribution::Distribution;
pub use encode::{Posterior, Scores};
pub use file::{Header, TensorFile};
pub use input::Input;
pub use network::{Network, Row};
pub use objective::KlSchedule;
pub use optimizer::ScheduleConfig;
pub use pass::{Batch, Elbo, KL, RECON};
pub use phase::{Phase, Term, TermSpec};
pub use preset::Preset;
pub use running::{Running, Totals};
pub use step::{Model, Noise, Purpose, Step, record};
pub use training::{Moments, Training};
pub use vae::Vae;
