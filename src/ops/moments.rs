//! How the normalizations share out their rows: see `shaders/shared/moments.wgsl`.

use serde::Serialize;

use super::activation::{self, Activation};
use crate::gpu::{AdapterReport, Recording, Shader, Tensor};

/// What the ways back need to know of a forward step.
#[derive(Clone, Copy)]
pub struct Normalized<'a> {
    /// What it normalized.
    pub x: &'a Tensor,
    /// What it was given.
    pub weight: &'a Tensor,
    /// What it returned.
    pub moments: &'a Tensor,
}

/// The shaders' own.
#[derive(Serialize)]
pub(super) struct Params {
    rows: usize,
    columns: usize,
    quads: usize,
    /// Quads of columns that a workgroup's invocations are, side by side.
    pub across: usize,
    /// Parts that each unit's rows are cut into.
    pub chunks: usize,
    chunk_rows: usize,
    /// What has its invocations to itself: some columns, or an image.
    pub units: usize,
}

/// The kernels of a layer, which are all cut alike.
pub(super) struct Call {
    pub params: Params,
    /// Workgroups.
    pub groups: usize,
    /// Invocations of a workgroup. As many as a CPU's vector has elements suit a software adapter: they
    /// are one subgroup, and barriers cost little.
    lanes: usize,
}

impl Call {
    /// For `units` of `rows` of x, each of `across` quads (a power of two), or fewer.
    pub fn new(
        adapter: &AdapterReport,
        x: &Tensor,
        rows: usize,
        across: usize,
        units: usize,
    ) -> Self {
        let (lanes, groups) = if adapter.is_software() { (8, 32) } else { (256, 1024) };
        // A lane takes turns at the columns, too, where there are more than lanes.
        let (turns, across) = (across.div_ceil(lanes), across.min(lanes));
        let down = lanes / across;
        let chunks = (groups / units.max(1)).clamp(1, MOST_CHUNKS);
        let most = (MOST_ROUNDS / turns).max(1) * down;
        let chunk_rows = rows.div_ceil(chunks).max(LEAST_ROUNDS * down).min(most);
        let chunk_rows = chunk_rows.next_multiple_of(down);
        let chunks = rows.div_ceil(chunk_rows);
        let (columns, quads) = (x.columns(), x.stride() / 4);
        let params = Params { rows, columns, quads, across, chunks, chunk_rows, units };
        Self { params, groups: units * chunks, lanes }
    }

    pub fn record(
        &self,
        recording: &mut Recording,
        label: &str,
        (shader, entry): (&Shader, &str),
        activation: Option<Activation>,
        tensors: &[(&str, &Tensor)],
    ) {
        let constants = [("INVOCATIONS", self.lanes as u32), activation::constant(activation)];
        let kernel = shader.kernel(entry, &constants);
        recording.record_flat(kernel, label, &self.params, tensors, self.groups);
    }
}

/// Every workgroup reads what all chunks of its columns have brought.
const MOST_CHUNKS: usize = 256;
/// Quads that a lane may have: it goes through them several times, and llvmpipe runs an invocation's
/// loops for 65,535 rounds in all.
const MOST_ROUNDS: usize = 1 << 12;
/// Rows that a lane should have, lest the chunks' dispatch cost more than it spreads.
const LEAST_ROUNDS: usize = 8;
