//! The training loop, evaluation, and the folder that a run leaves behind.
//!
//! [`Trainer`], [`Evaluator`] and [`RunFolder`] are what programs use; [`recorded`]
//! is the lower level: a step as a recording, to be looked at.

mod batches;
mod checkpoint;
mod epoch;
mod evaluate;
mod metrics;
mod pictures;
mod plot;
mod recorded;
mod run;
mod trainer;

pub use crate::files::Existing;
pub use crate::model::{Placement, Residence};
use batches::Batches;
pub use checkpoint::counters;
pub use epoch::Progress;
pub use evaluate::Evaluator;
pub use metrics::{ACTIVE, EpochReport, Losses};
pub use pictures::{Pictured, row_names, save_reconstructions, save_samples};
pub use recorded::{StepKind, recorded};
pub use run::RunFolder;
pub use trainer::{TrainOptions, Trainer};
