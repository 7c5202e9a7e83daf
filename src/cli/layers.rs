//! A model's layers as a table.

use vae_gpu::model::Network;
use vae_gpu::nn::{Chain, Layer, Linear, Link, ParameterSpec, Shape};

/// A layer as it stands in a table.
pub struct LayerRow {
    /// The name, as in `encoder.0`.
    pub label: String,
    /// The layer and its options.
    pub words: String,
    /// Shape of its output.
    pub output: Shape,
    /// Trained values.
    pub parameters: usize,
    /// Multiplications and additions of matrix products in a forward pass for an image and all its samples.
    pub flop: u64,
    /// Samples of an image that go through it.
    pub samples: usize,
}

impl LayerRow {
    fn new(label: &str, words: &str, layer: &dyn Layer) -> Self {
        Self {
            label: label.into(),
            words: words.into(),
            output: layer.output(),
            parameters: layer.parameters().iter().map(ParameterSpec::len).sum(),
            flop: layer.flop(),
            samples: 1,
        }
    }
}

/// A row for each layer, the latent variables in between. Those of a residual block come before the
/// block's own, which is its sum.
pub fn rows(network: &Network) -> Vec<LayerRow> {
    let chain = |chain: &Chain| -> Vec<LayerRow> {
        let row = |link: &Link| LayerRow::new(&link.label, &link.words, link.layer.as_ref());
        chain.links().iter().map(row).collect()
    };
    let (config, head) = (network.config(), &network.head);
    let halves = if config.variational { " (means, log-variances)" } else { "" };
    let words = format!("linear {}{halves}", head.outputs);
    let mut rows = chain(&network.encoder);
    rows.push(LayerRow::new("latent", &words, head));
    let linear = |label: &str, layer: &Linear| {
        LayerRow::new(label, &format!("linear {}", layer.outputs), layer)
    };
    rows.extend(network.embedding.iter().map(|layer| linear("condition", layer)));
    let of_image = rows.len();
    rows.extend(chain(&network.decoder));
    for level in &network.levels {
        let of = |part: &str, layer| linear(&format!("{}.{part}", level.label), layer);
        rows.extend(chain(&level.encoder));
        rows.push(of("latent", &level.head));
        rows.extend(chain(&level.decoder));
        rows.push(of("prior", &level.prior));
    }
    if config.likelihood.is_learnt() {
        let (label, words) = ("likelihood".into(), "learnt scale".into());
        let output = network.decoder.output();
        rows.push(LayerRow { label, words, output, parameters: 1, flop: 0, samples: 1 });
    }
    // The layers behind z compute every sample of an image.
    for row in &mut rows[of_image..] {
        row.samples = config.samples;
        row.flop *= config.samples as u64;
    }
    rows
}

/// The warning that batch normalization is given single values, of which nothing is left.
pub fn lone_images(network: &Network, images: usize, batch: usize) -> Option<String> {
    let is_lone = |shape: &Shape| match shape {
        Shape::Features(_) => true,
        Shape::Map { extent, .. } => extent.height * extent.width == 1,
    };
    let rows = rows(network);
    let is_norm = |row: &&LayerRow| row.words.starts_with("batch_norm") && row.samples == 1;
    let norm = rows.iter().filter(is_norm).find(|row| is_lone(&row.output))?;
    let label = &norm.label;
    match (batch, images % batch) {
        (1, _) => Some(format!(
            "{label} (batch_norm) learns nothing at a batch size of 1: it normalizes over the batch; use a \
             larger --batch-size, or layer_norm"
        )),
        (_, 1) => Some(format!(
            "{label} (batch_norm) learns nothing from the last image of an epoch, which is a batch of its \
             own; use another --batch-size than {batch}"
        )),
        _ => None,
    }
}
