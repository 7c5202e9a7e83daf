//! The input of a step: a batch from the dataset on the GPU, and its noise.

use serde::{Deserialize, Serialize};

use super::columns::Order;
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
    binarized: u32,
    spread: f64,
    masked: f64,
    mask: u32,
    first: usize,
    count: usize,
}

/// A dataset on the adapter, or a part of it.
pub struct Source<'a> {
    /// Bytes (images, channels, height, width), four packed into each element.
    pub images: &'a Tensor,
    /// The order of the images in an epoch, and those that `images` holds.
    pub order: Order<'a>,
    /// Channels of an image.
    pub channels: usize,
    /// Height and width of an image.
    pub extent: Extent,
}

/// The parts of a batch that are drawn, all by one seed; none by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Drawn {
    /// The seed.
    pub seed: u64,
    /// The stream of epsilon, the standard normals of [`super::noise::normal`].
    pub noise: Option<Stream>,
    /// The corruption of the values, and the stream of its draws.
    pub corruption: Option<(Corruption, Stream)>,
    /// The stream by which each value becomes 1 with the probability that it is, else 0, before any
    /// corruption; for its place in the image, the image's row of the batch and the step.
    pub binarized: Option<Stream>,
}

/// x = the images at `order[row..row + batch]`, as floats in [0, 1], with `row` from the order's state:
/// features (batch, channels · height · width) or, if `maps` is set, maps (batch · height · width,
/// channels). A dataset that lies in several `parts` takes a dispatch for each, of which the first draws
/// the noise, epsilon.
pub fn batch(
    recording: &mut Recording,
    label: &str,
    parts: &[Source],
    x: &Tensor,
    maps: bool,
    drawn: &Drawn,
    epsilon: &Tensor,
) {
    let Source { channels, extent, .. } = parts[0];
    assert!(!maps || channels <= 4, "{label}: a quad holds a place of a map");
    let places = extent.height * extent.width;
    let Drawn { seed, noise, corruption, binarized } = *drawn;
    let (kind, spread, masked) = match corruption {
        None => (0, 0.0, 0.0),
        Some((Corruption::Gaussian(by), _)) => (1, by, 0.0),
        Some((Corruption::Masking(share), _)) => (2, 0.0, share),
    };
    let number_of = |stream: Option<Stream>| stream.map_or(0, |stream| stream as u32);
    let [seed_low, seed_high] = halves(seed);
    for (number, source) in parts.iter().enumerate() {
        // The noise is not of any part.
        let count = noise.filter(|_| number == 0).map_or(0, |_| epsilon.len());
        let params = Params {
            rows: x.len() / (channels * places),
            channels,
            places,
            row_quads: x.stride() / 4,
            words: source.images.len(),
            noise: count,
            seed_low,
            seed_high,
            stream: number_of(noise),
            corruption: number_of(corruption.map(|(_, stream)| stream)),
            binarized: number_of(binarized),
            spread,
            masked,
            mask: source.order.mask(),
            first: source.order.held.start,
            count: source.order.held.len(),
        };
        let constants = [
            ("MAPS", maps.into()),
            ("CORRUPTION", kind),
            ("BINARIZED", binarized.is_some().into()),
            ("PARTS", (parts.len() > 1).into()),
        ];
        let kernel = SHADER.kernel("batch", &constants);
        let Order { state, indices, .. } = source.order;
        let tensors = [
            ("state", state),
            ("images", source.images),
            ("order", indices),
            ("x", x),
            ("epsilon", epsilon),
        ];
        let elements = x.extent() / 4 + count.div_ceil(4);
        recording.record_elements(kernel, label, &params, &tensors, elements);
    }
}
