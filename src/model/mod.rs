//! Models: configuration, presets, the variational autoencoder and its file.
//!
//! [`Config`] and [`Vae`] with what they take and give are what programs use. [`Network`] and what is
//! recorded from it ([`Batch`], [`Elbo`], [`Running`]) are the lower level, for those who write steps
//! of their own.

mod config;
mod dataset;
mod encode;
mod file;
mod generate;
mod input;
mod network;
mod objective;
mod optimizer;
mod parse;
mod pass;
mod preset;
mod running;
mod vae;

pub use config::{Config, ModelConfig, TrainConfig};
pub use dataset::DataConfig;
pub use encode::Posterior;
pub use file::{Header, TensorFile};
pub use input::Input;
pub use network::{Network, Row};
pub use objective::KlSchedule;
pub use optimizer::ScheduleConfig;
pub use pass::{Batch, Elbo};
pub use preset::Preset;
pub use running::Running;
pub use vae::Vae;
