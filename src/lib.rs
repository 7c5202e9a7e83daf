//! Variational autoencoders trained entirely in GPU compute shaders, on any adapter that wgpu
//! reaches: Vulkan, Metal, DX12, software ones included.
//!
//! ```
//! use vae_gpu::{Dataset, Gpu, Preset, TrainOptions, Trainer};
//!
//! # fn main() -> vae_gpu::Result<()> {
//! # if let Err(vae_gpu::Error::NoAdapter(why)) = Gpu::new() {
//! #     eprintln!("SKIPPED: {why}");
//! #     return Ok(());
//! # }
//! # let folder = tempfile::tempdir().unwrap();
//! # std::env::set_current_dir(&folder).unwrap();
//! let gpu = Gpu::new()?;
//! let data = Dataset::digits(); // or Dataset::open("mnist")?
//! let options = TrainOptions { max_steps: Some(20), ..TrainOptions::default() };
//! let trainer = Trainer::new(&gpu, &Preset::MLP.config(), &data, options)?;
//! for report in trainer.epochs() {
//!     println!("{}", report?); // epoch 1: train 300.93, test 206.08 nats per image
//! }
//! trainer.model().sample(64)?.save_png("samples.png")?;
//! trainer.model().save("model.safetensors")?;
//! # Ok(())
//! # }
//! ```
//!
//! [`Trainer`] runs a whole loop; [`Vae`] is a model, trained, loaded or new. What is at this page's
//! end, with [`data`], [`model`] and [`train`], is what programs use; whatever can go wrong in it is an
//! [`Error`] to match on.
//!
//! Below that, public for those who write layers or kernels of their own, [`nn`] has layers, [`ops`]
//! single kernels, and [`gpu`] the plans into which they record their dispatches. This lower level
//! follows the shaders and changes with them; its panics tell of mistakes in the calling code.
//! `ARCHITECTURE.md` in the repository says how they fit together. What is hidden from this
//! documentation is the program's own and no part of the interface.
#![warn(missing_docs)]

mod cache;
pub mod data;
pub mod error;
mod files;
pub mod gpu;
pub mod model;
pub mod nn;
pub mod ops;
pub mod train;

pub use data::{Column, Dataset, ImageShape, Images, ReadOptions, Table};
pub use error::{Error, Result};
pub use gpu::{AdapterOptions, Gpu};
pub use model::{Config, Model, Noise, Preset, Vae};
pub use ops::tune::Tune;
pub use train::{Evaluator, TrainOptions, Trainer};

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
