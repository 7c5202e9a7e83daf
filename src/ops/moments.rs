//! The division of the normalizations' rows among workgroups: see `shaders/shared/moments.wgsl`.

use serde::Serialize;

use super::activation::{self, Activation};
use crate::gpu::{AdapterReport, Recording, Shader, Tensor};

/// The tensors of a normalization's forward pass that its backward passes need.
#[derive(Clone, Copy)]
pub struct Normalized<'a> {
    /// The input that was normalized.
    pub x: &'a Tensor,
    /// The weight by which it was multiplied.
    pub weight: &'a Tensor,
    /// The moments that the forward pass returned.
    pub moments: &'a Tensor,
}

/// Mirrors the shader struct `Params` of `shaders/shared/moments.wgsl`.
#[derive(Serialize)]
pub(super) struct Params {
    rows: usize,
    columns: usize,
    quads: usize,
    /// Quads of columns that a workgroup's invocations process side by side.
    pub across: usize,
    /// Parts into which each unit's rows are cut.
    pub chunks: usize,
    chunk_rows: usize,
    /// Number of units, which are processed by workgroups of their own: groups of columns, or
    /// images.
    pub units: usize,
}

/// The division of a layer's work, which is the same for all of its kernels.
pub(super) struct Call {
    pub params: Params,
    /// Number of workgroups.
    pub groups: usize,
    /// Invocations in a workgroup. A software adapter is fastest with as many as a CPU's vector has
    /// elements: they are one subgroup, and barriers cost little.
    lanes: usize,
}

impl Call {
    /// Divides `units` of `rows` rows of x each, with at most `across` quads (a power of two) in a
    /// row.
    pub fn new(
        adapter: &AdapterReport,
        x: &Tensor,
        rows: usize,
        across: usize,
        units: usize,
    ) -> Self {
        let (lanes, groups) = if adapter.is_software() { (8, 32) } else { (256, 1024) };
        // With more quads than lanes, each lane loops over several of them.
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

/// Largest number of chunks of a unit: every workgroup reads the results of all chunks of its unit.
const MOST_CHUNKS: usize = 256;
/// Largest number of quads of a lane: it loops over them several times, and llvmpipe ends an
/// invocation's loops after 65,535 rounds in all.
const MOST_ROUNDS: usize = 1 << 12;
/// Smallest number of rows of a lane: with fewer, the additional dispatch costs more than it saves.
const LEAST_ROUNDS: usize = 8;
