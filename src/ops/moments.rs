//! How the normalizations share out their rows: see `shaders/shared/moments.wgsl`.

use crate::gpu::{Gpu, Tensor};

use super::activation;

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

/// What a workgroup takes of a matrix.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    /// Invocations. As many as a CPU's vector has elements suit a software adapter: they are one
    /// subgroup, and barriers cost little.
    pub lanes: usize,
    /// Quads of columns that they are, side by side.
    pub across: usize,
    /// Parts that the rows are cut into.
    pub chunks: usize,
    /// Rows in each but the last.
    pub chunk_rows: usize,
}

impl Cut {
    /// For `units` matrices of `rows` that `across` lanes (a power of two) or fewer are put across.
    pub fn new(gpu: &Gpu, rows: usize, across: usize, units: usize) -> Self {
        let (lanes, groups) = if gpu.report().is_software() { (8, 32) } else { (256, 1024) };
        let across = across.min(lanes);
        let down = lanes / across;
        let chunks = (groups / units.max(1)).clamp(1, MOST_CHUNKS);
        let chunk_rows = rows.div_ceil(chunks).max(LEAST_ROUNDS * down).min(MOST_ROUNDS * down);
        let chunk_rows = chunk_rows.next_multiple_of(down);
        Self { lanes, across, chunks: rows.div_ceil(chunk_rows), chunk_rows }
    }

    /// As the shaders want them.
    pub fn constants(&self, name: Option<&str>) -> [(&'static str, u32); 2] {
        [("INVOCATIONS", self.lanes as u32), activation::constant(name)]
    }
}

/// Every workgroup reads what all chunks of its columns have brought.
const MOST_CHUNKS: usize = 256;
/// Rows that a lane may have: it goes through them several times, and llvmpipe runs an invocation's
/// loops for 65,535 rounds in all.
const MOST_ROUNDS: usize = 1 << 12;
/// Rows that a lane should have, lest the chunks' dispatch cost more than it spreads.
const LEAST_ROUNDS: usize = 8;
