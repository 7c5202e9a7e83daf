//! Kernels that measure an adapter's limits, for benchmarks; training does not use them.

use serde::Serialize;

use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/limits.wgsl`.
pub const SHADER: Shader = Shader::new("limits");

#[derive(Serialize)]
struct Params {
    count: usize,
    rounds: u32,
}

/// Multiply-adds that an invocation of [`arithmetic`] makes in a round: 12 accumulators, 8 times.
pub const MULTIPLY_ADDS: usize = 12 * 8;
/// Allowed values of `quads` in [`copy`]: adapters differ in which is faster.
pub const QUADS: [usize; 2] = [1, 4];
/// Largest number of words of a counter for [`touch`].
pub const COUNTER: usize = 64;

/// result (count) = v₁ + … + v₁₂, where vₖ begins as k · start (count) and becomes m · vₖ + c in
/// each of 8 · rounds steps, with (m, c) = factors (2).
pub fn arithmetic(
    recording: &mut Recording,
    label: &str,
    rounds: u32,
    factors: &Tensor,
    start: &Tensor,
    result: &Tensor,
) {
    let kernel = SHADER.kernel("arithmetic", &[("QUADS", 1)]);
    let params = Params { count: result.len(), rounds };
    let tensors = [("factors", factors), ("start", start), ("result", result)];
    recording.record_elements(kernel, label, &params, &tensors, result.len());
}

/// copied = source, `quads` (of [`QUADS`]) times four elements an invocation; panics unless their
/// common length is a multiple of 4.
pub fn copy(
    recording: &mut Recording,
    label: &str,
    quads: usize,
    source: &Tensor,
    copied: &Tensor,
) {
    assert!(source.len().is_multiple_of(4) && source.len() == copied.len(), "{label}: length");
    let kernel = SHADER.kernel("copy", &[("QUADS", quads as u32)]);
    let count = copied.len() / 4;
    let params = Params { count, rounds: 0 };
    let tensors = [("source", source), ("copied", copied)];
    recording.record_elements(kernel, label, &params, &tensors, count.div_ceil(quads));
}

/// Adds one to every word of counter ([`COUNTER`] words at most).
pub fn touch(recording: &mut Recording, label: &str, counter: &Tensor) {
    let kernel = SHADER.kernel("touch", &[("QUADS", 1)]);
    let params = Params { count: counter.len(), rounds: 0 };
    recording.record_flat(kernel, label, &params, &[("counter", counter)], 1);
}
