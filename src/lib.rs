//! Variational autoencoders trained entirely in GPU compute shaders.
#![warn(missing_docs)]

pub mod data;
pub mod error;
mod files;
pub mod gpu;
pub mod nn;
pub mod ops;

pub use data::{Dataset, ImageShape, Images, ReadOptions};
pub use error::{Error, Result};
pub use gpu::{AdapterOptions, Gpu};
