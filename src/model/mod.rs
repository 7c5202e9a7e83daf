//! Models: configuration, presets, the variational autoencoder and its file.

mod config;
mod file;
mod generate;
mod optimizer;
mod preset;
mod vae;

pub use config::{Config, DataConfig, ModelConfig, TrainConfig};
pub use file::{Header, TensorFile};
pub use optimizer::ScheduleConfig;
pub use preset::Preset;
pub use vae::{Forward, Vae};
