//! Models: the variational autoencoder and its file, and steps of any model.
//!
//! [`Vae`] with what it takes and gives is what programs use. [`Model`], [`Step`] and [`Phase`], with what
//! they name, are for those who train a model of their own; [`Network`] and what is recorded from it
//! ([`Batch`], [`Elbo`], [`Running`]) are the level below.
//!
//! A model of one's own, here a classifier of the digits:
//!
//! ```
//! use vae_gpu::config::TrainConfig;
//! use vae_gpu::nn::{Chain, Modules, Shape, Weights};
//! use vae_gpu::ops::density::SQUARED_ERROR;
//! use vae_gpu::{Dataset, Gpu, Model, Phase, Result, Step, Term, TrainOptions, Trainer};
//!
//! struct Classifier {
//!     chain: Chain,
//!     weights: Weights,
//! }
//!
//! impl Model for Classifier {
//!     fn weights(&self) -> &Weights {
//!         &self.weights
//!     }
//!
//!     fn record(&self, step: &mut Step) -> Result<Phase> {
//!         let (images, labels) = (step.column("image")?, step.column("label")?);
//!         let y = self.chain.apply(&mut step.graph, images);
//!         let errors = step.graph.row_sums("error", &SQUARED_ERROR, &[], &[y.into(), labels.into()]);
//!         Ok(Phase::new("step", [Term::new("error", errors)]))
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! # if let Err(vae_gpu::Error::NoAdapter(why)) = Gpu::new() {
//! #     eprintln!("SKIPPED: {why}");
//! #     return Ok(());
//! # }
//! let (gpu, data) = (Gpu::new()?, Dataset::digits());
//! let image = Shape::from(data.shape()?);
//! let mut modules = Modules::new(image);
//! let layers = r#"[{ linear = 64 }, "relu", { linear = 10 }, "sigmoid"]"#;
//! let chain = modules.chain("classifier", layers, image.flat())?;
//! let model = Classifier { chain, weights: modules.weights(&gpu, 1) };
//!
//! let config = TrainConfig { epochs: 1, ..TrainConfig::default() };
//! let trainer = Trainer::with_model(&gpu, model, &config, &data, TrainOptions::default())?;
//! for report in trainer.epochs() {
//!     let tested = report?.test.expect("the digits have a test split");
//!     assert!(tested.term("error") < Some(0.5), "{tested:?}"); // 0.9 if it always said none
//! }
//! # Ok(())
//! # }
//! ```

mod batch;
mod blocks;
mod columns;
mod condition;
mod distribution;
mod encode;
mod estimate;
mod file;
mod generate;
mod input;
mod levels;
mod network;
mod pass;
mod phase;
mod placement;
mod prior;
mod running;
mod samples;
mod save;
mod step;
mod training;
mod vae;

pub use batch::Batch;
pub use columns::{Columns, corrupted};
pub use condition::Classes;
pub use distribution::Distribution;
pub use encode::{Posterior, Scores};
pub use estimate::NegLogLikelihood;
pub use file::{Header, TensorFile};
pub use generate::Samples;
pub use input::{Binarized, Input};
pub use levels::Level;
pub use network::Network;
pub use pass::{Elbo, KL, RECON};
pub use phase::{Phase, Term, TermSpec};
pub use placement::{Placement, Residence};
pub use running::{Running, Totals};
pub use samples::IWAE;
pub use step::{Model, Noise, Purpose, Step, record};
pub use training::{Moments, Training};
pub use vae::Vae;
