//! A model of one's own in use, outside of training.

use super::{Graph, Shape, ValueId, Weights};
use crate::error::{Error, Load, Result};
use crate::gpu::{Gpu, Recording};

/// The output of `record` for the rows of `inputs`, each a shape and values, in evaluation. Inputs and
/// output are in PyTorch's order, (rows, channels, height, width) for maps, and have as many rows each.
///
/// ```no_run
/// # use vae_gpu::nn::{Chain, Shape, Weights};
/// # fn f(gpu: &vae_gpu::Gpu, weights: &Weights, decoder: &Chain, z: &[f32]) -> vae_gpu::Result<()> {
/// let logits = vae_gpu::nn::run(gpu, weights, &[(Shape::Features(8), z)], |graph, inputs| {
///     decoder.apply(graph, inputs[0])
/// })?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// [`Error::Input`] when the values of an input are no whole number of rows, or not as many as another's,
/// [`Error::TooLarge`] when they do not fit the adapter, [`Error::Gpu`] if it fails.
pub fn run(
    gpu: &Gpu,
    weights: &Weights,
    inputs: &[(Shape, &[f32])],
    record: impl FnOnce(&mut Graph, &[ValueId]) -> ValueId,
) -> Result<Vec<f32>> {
    let rows = inputs.first().map_or(0, |(shape, values)| values.len() / shape.values());
    for (shape, values) in inputs {
        let (count, each) = (values.len(), shape.values());
        if rows == 0 || count != rows * each {
            return Err(Error::Input(format!(
                "{count} values are no {} rows of {each}",
                if rows == 0 { "whole number of".into() } else { rows.to_string() }
            )));
        }
    }
    let mut recording = Recording::new(gpu.report());
    let mut graph = Graph::new(&mut recording, weights, None);
    let tensors: Vec<_> = inputs.iter().map(|(shape, _)| graph.allocate(*shape, rows)).collect();
    let given = inputs.iter().zip(&tensors);
    let given: Vec<_> = given.map(|((shape, _), x)| graph.input(*shape, rows, x.clone())).collect();
    let output = record(&mut graph, &given);
    let (shape, y) = (graph.shape(output), graph.tensor(output));
    recording.check_fits(Load::Batch)?;
    let plan = recording.compile(gpu);
    for ((shape, values), x) in inputs.iter().zip(&tensors) {
        x.write(gpu, &shape.channels_last(values.to_vec()));
    }
    plan.run();
    Ok(shape.channels_first(&y.read::<f32>(gpu)?))
}
