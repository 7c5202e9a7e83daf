//! The input of a step: a batch from the dataset on the GPU, and its noise.

use serde::{Deserialize, Serialize};

use super::{Extent, Stream, halves};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/gather.wgsl`.
pub const SHADER: Shader = Shader::new("gather");

/// The corruption of a denoising model's input (Vincent 2008).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Corruption {
    /// Normal noise of this standard deviation is added, and the result clamped to [0, 1].
    Gaussian(f64),
    /// Each value is set to 0 with this probability, channels independently.
    Masking(f64),
}

#[derive(Serialize)]
struct Params {
    rows: usize,
    channels: usize,
    places: usize,
    row_quads: usize,
    words: usize,
    noise: usize,
    seed_low: u32,
    seed_high: u32,
    stream: u32,
    corruption: u32,
    spread: f64,
    masked: f64,
}

/// A dataset on the adapter.
pub struct Source<'a> {
    /// Bytes (count, channels, height, width), four packed into each element.
    pub images: &'a Tensor,
    /// Indices of the images in the order of the epoch (count).
    pub order: &'a Tensor,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub extent: Extent,
}

/// x = the images at `order[row..row + batch]`, as floats in [0, 1], with `row` from `state`:
/// features (batch, channels · height · width) or, if `maps` is set, maps (batch · height · width,
/// channels).
///
/// With a seed and a stream in `noise`, epsilon = the standard normals of [`super::noise::normal`];
/// `corruption` comes with the seed and the stream of its own draws.
#[expect(clippy::too_many_arguments, reason = "a step's whole input")]
pub fn batch(
    recording: &mut Recording,
    label: &str,
    state: &Tensor,
    source: &Source,
    x: &Tensor,
    maps: bool,
    corruption: Option<(Corruption, (u64, Stream))>,
    noise: Option<(u64, Stream)>,
    epsilon: &Tensor,
) {
    assert!(!maps || source.channels <= 4, "{label}: a quad holds a place of a map");
    let places = source.extent.height * source.extent.width;
    let (seed, stream) = noise.unwrap_or((0, Stream::Train));
    let [seed_low, seed_high] = halves(seed);
    let count = noise.map_or(0, |_| epsilon.len());
    let mut params = Params {
        rows: x.len() / (source.channels * places),
        channels: source.channels,
        places,
        row_quads: x.stride() / 4,
        words: source.images.len(),
        noise: count,
        seed_low,
        seed_high,
        stream: stream as u32,
        corruption: 0,
        spread: 0.0,
        masked: 0.0,
    };
    let mut kind = 0;
    if let Some((corruption, (seed, stream))) = corruption {
        assert!(noise.is_none_or(|noise| noise.0 == seed), "{label}: one seed for all");
        [params.seed_low, params.seed_high] = halves(seed);
        params.corruption = stream as u32;
        (kind, params.spread, params.masked) = match corruption {
            Corruption::Gaussian(spread) => (1, spread, 0.0),
            Corruption::Masking(share) => (2, 0.0, share),
        };
    }
    let constants = [("MAPS", maps.into()), ("CORRUPTION", kind)];
    let kernel = SHADER.kernel("batch", &constants);
    let Source { images, order, .. } = *source;
    let tensors =
        [("state", state), ("images", images), ("order", order), ("x", x), ("epsilon", epsilon)];
    let elements = x.extent() / 4 + count.div_ceil(4);
    recording.record_elements(kernel, label, &params, &tensors, elements);
}
