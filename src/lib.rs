//! Variational autoencoders trained entirely in GPU compute shaders.
#![warn(missing_docs)]

pub mod data;
pub mod error;
mod files;
pub mod gpu;
pub mod model;
pub mod nn;
pub mod ops;
pub mod train;

pub use data::{Dataset, ImageShape, Images, ReadOptions};
pub use error::{Error, Result};
pub use gpu::{AdapterOptions, Gpu};
pub use model::{Config, Preset, Vae};
pub use train::{Evaluator, Noise, TrainOptions, Trainer};
