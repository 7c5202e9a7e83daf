//! Models: configuration, presets, the variational autoencoder and its file.

mod config;
mod file;
mod generate;
mod network;
mod objective;
mod optimizer;
mod preset;
mod running;
mod vae;

pub use config::{Config, DataConfig, ModelConfig, TrainConfig};
pub use file::{Header, TensorFile};
pub use network::{Network, Row};
pub use objective::KlSchedule;
pub use optimizer::ScheduleConfig;
pub use preset::Preset;
pub use running::Running;
pub use vae::{Batch, Forward, Vae};
