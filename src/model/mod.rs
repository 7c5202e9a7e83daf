//! Models: configuration, presets, the variational autoencoder and its file.

mod config;
mod file;
mod generate;
mod network;
mod optimizer;
mod preset;
mod vae;

pub use config::{Config, DataConfig, KlSchedule, ModelConfig, TrainConfig};
pub use file::{Header, TensorFile};
pub use network::{Network, Row};
pub use optimizer::ScheduleConfig;
pub use preset::Preset;
pub use vae::{Batch, Forward, Running, Vae};
