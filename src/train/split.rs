//! The images of a split on the adapter, and the batches they fall into.

use crate::data::Images;
use crate::error::Result;
use crate::gpu::{Gpu, Plan, Tensor};
use crate::model::Vae;
use crate::ops::{Stream, gather};

/// Images on the adapter, packed four bytes to an element, and the order to take them in.
pub(super) struct Split {
    pub images: Tensor,
    pub order: Tensor,
    pub count: usize,
}

impl Split {
    /// Uploads `images`, in their own order.
    pub fn upload(gpu: &Gpu, images: &Images) -> Result<Self> {
        let bytes = images.pixels.len().next_multiple_of(4);
        let remedy = "use fewer or smaller images (--size)";
        gpu.check_fits("the dataset", bytes as u64, remedy)?;
        let mut words = vec![0u32; bytes / 4];
        bytemuck::cast_slice_mut(&mut words)[..images.pixels.len()].copy_from_slice(&images.pixels);
        let order: Vec<u32> = (0..images.len() as u32).collect();
        let split = Self {
            images: Tensor::new(gpu, "images", &[words.len()], &words),
            order: Tensor::new(gpu, "order", &[order.len()], &order),
            count: images.len(),
        };
        gpu.check()?;
        Ok(split)
    }

    /// Records the next batch: x (rows, pixels) by the row in `state`, and epsilon (rows · latent)
    /// from a seed and stream; zeros without one.
    pub fn record_batch(
        &self,
        plan: &mut Plan,
        vae: &Vae,
        rows: usize,
        state: &Tensor,
        noise: Option<(u64, Stream)>,
    ) -> (Tensor, Tensor) {
        let x = plan.matrix(&[rows, vae.shape().pixels()]);
        let epsilon = plan.vector(rows * vae.config().latent);
        let Self { images, order, .. } = self;
        gather::batch(plan, "input", state, images, order, &x, noise, &epsilon);
        (x, epsilon)
    }
}

/// Plans for `count` images: one for a full batch and one for what is left, each from `record` by
/// its rows, with how often it runs.
pub(super) fn batches(
    count: usize,
    batch_size: usize,
    record: impl Fn(usize) -> Plan,
) -> Vec<(Plan, usize)> {
    let rows = batch_size.min(count);
    let parts = [(rows, count / rows), (count % rows, 1)];
    let parts = parts.into_iter().filter(|(rows, _)| *rows > 0);
    parts.map(|(rows, times)| (record(rows), times)).collect()
}
