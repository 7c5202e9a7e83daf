//! The images of a split on the adapter, and the batches they fall into.

use crate::data::Images;
use crate::error::{Load, Result};
use crate::gpu::{AdapterReport, Gpu, Plan, Recording, Tensor};
use crate::model::{Batch, Network};
use crate::nn::Shape;
use crate::ops::gather::{self, Corruption, Noise, Source};
use crate::ops::{Extent, State, Stream};

/// Images on the adapter, packed four bytes to an element, and the order to take them in.
pub(super) struct Split {
    pub images: Tensor,
    pub order: Tensor,
    pub count: usize,
}

impl Split {
    /// A place for `count` images of `pixels` values each.
    pub fn new(count: usize, pixels: usize) -> Self {
        Self {
            images: Tensor::zeros("images", &[(count * pixels).div_ceil(4)]),
            order: Tensor::zeros("order", &[count]),
            count,
        }
    }

    /// Fails unless the images fit the adapter.
    pub fn check_fits(&self, adapter: &AdapterReport) -> Result<()> {
        let bytes = self.images.buffer().bytes();
        adapter.check_fits(Load::Dataset, bytes, bytes)
    }

    /// Uploads `images`, which it has a place for, in their own order.
    pub fn upload(&self, gpu: &Gpu, images: &Images) -> Result<()> {
        let mut words = vec![0u32; self.images.len()];
        bytemuck::cast_slice_mut(&mut words)[..images.pixels.len()].copy_from_slice(&images.pixels);
        let order: Vec<u32> = (0..images.len() as u32).collect();
        self.images.write(gpu, &words);
        self.order.write(gpu, &order);
        gpu.check()
    }

    /// Records the next batch, by the row in `state`, with its noise; if z is not to be drawn, without
    /// epsilon, which stays zero.
    pub fn record_batch(
        &self,
        recording: &mut Recording,
        network: &Network,
        rows: usize,
        state: &Tensor,
        noise: Noise,
        draws: bool,
    ) -> Batch {
        let mut batch = network.batch(recording, rows);
        if !draws {
            batch.epsilon = Tensor::zeros("epsilon", batch.epsilon.shape());
        }
        let shape = network.shape();
        let extent = Extent { height: shape.height, width: shape.width };
        let Self { images, order, .. } = self;
        let source = Source { images, order, channels: shape.channels, extent };
        let is_map = |shape: Shape| matches!(shape, Shape::Map { .. });
        let Batch { x, target, epsilon, .. } = &batch;
        let corruption =
            network.config().corruption.map(|corruption| (corruption, corrupting(noise)));
        let maps = is_map(network.input);
        let epsilon_noise = (draws && network.config().variational).then_some(noise);
        gather::batch(
            recording,
            "input",
            state,
            &source,
            x,
            maps,
            corruption,
            epsilon_noise,
            epsilon,
        );
        if !batch.is_own_target() {
            let maps = is_map(network.decoder.output());
            gather::batch(recording, "output", state, &source, target, maps, None, None, epsilon);
        }
        batch
    }
}

/// `images` as a denoising model is given them, by the same draws every time.
pub(super) fn corrupted(gpu: &Gpu, images: &Images, corruption: Corruption) -> Result<Images> {
    let split = Split::new(images.len(), images.shape.pixels());
    split.check_fits(gpu.report())?;
    split.upload(gpu, images)?;
    let (shape, mut recording) = (images.shape, Recording::new(gpu.report()));
    let x = recording.matrix(&[images.len(), shape.pixels()]);
    let (none, state) = (recording.vector(1), State::tensor("state"));
    let extent = Extent { height: shape.height, width: shape.width };
    let Split { images, order, .. } = &split;
    let source = Source { images, order, channels: shape.channels, extent };
    let corruption = Some((corruption, (0, Stream::CorruptEvaluate)));
    gather::batch(&mut recording, "shown", &state, &source, &x, false, corruption, None, &none);
    recording.compile(gpu).run();
    let values: Vec<f32> = x.read(gpu)?;
    let pixels = values.iter().map(|v| (v * 255.0).round() as u8).collect();
    Ok(Images { shape, pixels })
}

/// What corrupts the pixels of a batch whose other noise is `noise`.
fn corrupting((seed, stream): Noise) -> Noise {
    let train = stream == Stream::Train;
    (seed, if train { Stream::Corrupt } else { Stream::CorruptEvaluate })
}

/// Plans for `count` images: one for a full batch and one for what is left, each from `record` by
/// its rows, with how often it runs.
pub(super) fn batches(
    count: usize,
    batch_size: usize,
    record: impl Fn(usize) -> Result<Plan>,
) -> Result<Vec<(Plan, usize)>> {
    let rows = batch_size.min(count);
    let parts = [(rows, count / rows), (count % rows, 1)];
    let parts = parts.into_iter().filter(|(rows, _)| *rows > 0);
    parts.map(|(rows, times)| Ok((record(rows)?, times))).collect()
}
