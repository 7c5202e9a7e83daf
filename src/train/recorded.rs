//! The steps of a model as recordings, which need no adapter.

use std::sync::Arc;

use crate::config::Config;
use crate::data::ImageShape;
use crate::error::{Error, Load, Result};
use crate::gpu::{AdapterReport, Choices, Recording};
use crate::model::{self, Columns, Model, Network, Noise, Purpose, Running, Training};
use crate::ops::State;

/// The kinds of step that a model is recorded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepKind {
    /// A step of training on a batch.
    Train,
    /// The losses of a batch, without updates.
    Evaluate,
    /// A batch of new images.
    Sample,
    /// A batch encoded and decoded, without noise.
    Reconstruct,
}

/// Every kind by its name.
const KINDS: [(&str, StepKind); 4] = [
    ("train", StepKind::Train),
    ("evaluate", StepKind::Evaluate),
    ("sample", StepKind::Sample),
    ("reconstruct", StepKind::Reconstruct),
];

impl std::str::FromStr for StepKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let kind = KINDS.iter().find(|(n, _)| *n == name).map(|(_, kind)| *kind);
        let known = KINDS.map(|(name, _)| name).into();
        kind.ok_or_else(|| Error::Unknown { kind: "step", name: name.into(), known })
    }
}

/// Records the full step of a model that `config` names, for images of `shape`, as `kind` says: what
/// the program itself replays on `adapter` where `choices` are the variants of its kernels. Nothing
/// is allocated.
///
/// # Errors
///
/// [`Error::Config`] or [`Error::Layer`] when the configuration cannot be, or its batches have more
/// rows than any adapter holds; [`Error::TooLarge`] when a layer's values are more than indices reach.
pub fn recorded(
    config: &Config,
    shape: ImageShape,
    kind: StepKind,
    adapter: &AdapterReport,
    choices: &Arc<Choices>,
) -> Result<Recording> {
    config.check()?;
    let network = Network::new(&config.model.with_some_classes(), shape)?;
    let rows = config.train.batch_size;
    network.check_rows(rows.saturating_mul(config.model.samples), adapter, Load::Step)?;
    let columns = Columns::of_network(rows, &network);
    let mut recording = Recording::with_choices(adapter, choices);
    match kind {
        StepKind::Train => {
            let training = Training::new(&network, &config.train, 1);
            let purpose = Purpose::Training(&training);
            model::record(&network, &mut recording, &columns, purpose, rows)?;
        }
        StepKind::Evaluate => {
            let running = Running::new(network.units());
            let purpose = Purpose::Evaluation(Noise::Seeded(0), &running);
            model::record(&network, &mut recording, &columns, purpose, rows)?;
        }
        StepKind::Sample => {
            network.sampling(&mut recording, rows, None, &State::tensor("place"));
        }
        StepKind::Reconstruct => {
            network.reconstructing(&mut recording, rows);
        }
    }
    Ok(recording)
}
