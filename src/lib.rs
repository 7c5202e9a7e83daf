//! Variational autoencoders trained entirely in GPU compute shaders, on any adapter that wgpu
//! reaches: Vulkan, Metal, DX12, software ones included.
//!
//! # Train
//!
//! A [`Trainer`] puts a model and a dataset on an adapter; each epoch gives a report, and in between the
//! model can be used and saved.
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
//! let data = Dataset::digits(); // or Dataset::open("mnist")?, or tables of your own
//! let options = TrainOptions { max_steps: Some(20), ..TrainOptions::default() };
//! let trainer = Trainer::new(&gpu, &Preset::MLP.config(), &data, options)?;
//! for report in trainer.epochs() {
//!     println!("{}", report?); // epoch 1: train 300.93, test 206.08 nats per image
//!     trainer.model().save("model.safetensors")?;
//! }
//! trainer.model().sample(64)?.save_png("samples.png")?;
//! # Ok(())
//! # }
//! ```
//!
//! # Encode, score, decode
//!
//! A [`Vae`] takes images as bytes, as floats from 0 to 1, or as [`Images`]: (rows, channels, height,
//! width).
//!
//! ```no_run
//! use vae_gpu::{Gpu, Noise, Vae};
//!
//! # fn main() -> vae_gpu::Result<()> {
//! let vae = Vae::load(&Gpu::new()?, "model.safetensors")?;
//! let pixels = vec![0.5f32; 2 * 28 * 28]; // two images
//!
//! // The posterior of each image: means and log-variances of its latent variables.
//! let codes = vae.encode(&pixels)?;
//! assert_eq!((codes.len(), codes.mean.len()), (2, 2 * codes.latent));
//!
//! // The terms of the evidence lower bound for each image, in nats.
//! let scores = vae.score(&pixels, Noise::Seeded(1))?;
//! println!("-log p(x) is at most about {}", scores.recon[0] + scores.kl[0]);
//!
//! // What lies halfway between the two.
//! let (a, b) = codes.mean.split_at(codes.latent);
//! let z: Vec<f32> = a.iter().zip(b).map(|(a, b)| 0.5 * (a + b)).collect();
//! vae.decode(&z)?.save_png("between.png")?;
//! # Ok(())
//! # }
//! ```
//!
//! # A loop of your own
//!
//! [`Trainer::epoch`] calls back every few steps and stops where it is told to; a checkpoint goes on
//! from there to the same bits.
//!
//! ```no_run
//! # use std::ops::ControlFlow;
//! # use std::time::{Duration, Instant};
//! # use vae_gpu::{Dataset, Gpu, Preset, TrainOptions, Trainer};
//! # fn main() -> vae_gpu::Result<()> {
//! # let (gpu, data, config) = (Gpu::new()?, Dataset::digits(), Preset::MLP.config());
//! let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default())?;
//! let end = Instant::now() + Duration::from_secs(60);
//! let mut best = f64::INFINITY;
//! while let Some(report) = trainer.epoch(|progress| {
//!     eprint!("\rstep {} of {}", progress.step, progress.steps);
//!     if Instant::now() > end { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
//! })? {
//!     if report.test_or_train().loss > best || !report.complete {
//!         break;
//!     }
//!     best = report.test_or_train().loss;
//! }
//! trainer.save_checkpoint("checkpoint.safetensors")?; // see Trainer::resume
//! # Ok(())
//! # }
//! ```
//!
//! # A model of your own
//!
//! Whatever implements [`Model`] is trained as a [`Vae`] is: it takes columns of the data, records its
//! values into a graph, and says which losses move which parameters, by one optimizer or several. See
//! [`model`] for a small one, and `examples/custom.rs` for an adversarial autoencoder; [`nn`] shows a
//! layer of one's own.
//!
//! # Levels
//!
//! What is at this page's end, with [`config`], [`data`], [`model`] and [`train`], is what programs use;
//! whatever can go wrong in it is an [`Error`] to match on.
//!
//! Below that, public for those who write layers or kernels of their own, [`nn`] has layers, [`ops`]
//! single kernels, and [`gpu`] the plans into which they record their dispatches. This lower level
//! follows the shaders and changes with them; its panics tell of mistakes in the calling code.
//! `ARCHITECTURE.md` in the repository says how they fit together. What is hidden from this
//! documentation is the program's own and no part of the interface.
#![warn(missing_docs)]

mod cache;
pub mod config;
pub mod data;
pub mod error;
mod files;
pub mod gpu;
pub mod model;
pub mod nn;
pub mod ops;
pub mod train;
#[doc(hidden)]
pub mod words;

pub use config::{Config, Preset};
pub use data::{
    Background, Column, Dataset, ImageShape, Images, Note, PackedImages, ReadOptions, Survey, Table,
};
pub use error::{Error, Result};
#[doc(hidden)]
pub use files::{in_folder, remove_unfinished};
pub use gpu::{AdapterOptions, Gpu};
pub use model::{Distribution, Model, Noise, Phase, Step, Term, Vae};
pub use ops::tune::Tune;
pub use train::{Evaluator, TrainOptions, Trainer};

/// Compiles the README's example.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
