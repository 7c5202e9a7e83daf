//! Many rows through a model, a block at a time.

use super::Vae;
use crate::error::{Error, Load, Result};
use crate::gpu::{Gpu, Recording, Tensor};
use crate::nn::{Graph, Shape, ValueId};
use crate::ops::State;
use crate::ops::noise::BLOCK;

/// The tensors of a plan that are written before it runs, each with its shape, and those read after it.
pub(crate) struct Ports {
    pub inputs: Vec<(Port, Tensor)>,
    pub outputs: Vec<Tensor>,
}

/// What is written into a tensor.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Port {
    /// Images, or latent variables, of a shape.
    Values(Shape),
    /// One-hot classes, of so many.
    Classes(usize),
    /// Standard normals for a level of latent variables, of so many.
    Noise(usize, usize),
}

/// Bytes of a plan's workspace above which it is of fewer rows: those of large images, or of many samples.
pub(super) const WORKSPACE: u64 = 256 << 20;

/// A value of `rows` of `shape` that is to be written by `port`, which joins `inputs`.
pub(super) fn input(
    graph: &mut Graph,
    inputs: &mut Vec<(Port, Tensor)>,
    port: Port,
    (shape, rows): (Shape, usize),
) -> ValueId {
    let tensor = graph.allocate(shape, rows);
    inputs.push((port, tensor.clone()));
    graph.input(shape, rows, tensor)
}

/// Writes `values`, of which there may be fewer than `tensor` has; the rest is zero.
pub(super) fn write(gpu: &Gpu, tensor: &Tensor, mut values: Vec<f32>) {
    values.resize(tensor.len(), 0.0);
    tensor.write(gpu, &values);
}

impl Vae {
    /// Runs what `record` records on `count` rows, at most [`BLOCK`] at a time, fewer where those take
    /// more than [`WORKSPACE`] or do not fit the adapter, and hands on what comes out of each block.
    /// `record` is given the rows of a block and the tensor of a state, whose step `step` tells of a block's
    /// number and first row; `fill` gives the values of an input for some rows from a first one on.
    ///
    /// # Errors
    ///
    /// [`Error::NotFinite`] when what comes out is no finite number, [`Error::TooLarge`] when a single row
    /// does not fit the adapter, [`Error::Gpu`] if the adapter fails.
    pub(super) fn blocks(
        &self,
        count: usize,
        record: impl Fn(&mut Recording, usize, &Tensor) -> Ports,
        fill: impl Fn(usize, usize, Port) -> Result<Vec<f32>>,
        step: impl Fn(usize, usize) -> usize,
        mut made: impl FnMut(&[Vec<f32>]) -> Result<()>,
    ) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let (gpu, state) = (self.gpu(), State::tensor("state"));
        let recorded = |rows| {
            self.network().check_rows(rows, gpu.report(), Load::Image)?;
            let mut recording = self.recording();
            let ports = record(&mut recording, rows, &state);
            recording.check_fits(Load::Image)?;
            Ok((ports, recording))
        };
        // The rows of a block are found without the count, on which draws are not to depend.
        let mut rows = BLOCK;
        let whole = loop {
            match recorded(rows) {
                Ok(made) if rows == 1 || made.1.workspace_bytes() <= WORKSPACE => break made,
                Err(e) if rows == 1 || !matches!(e, Error::TooLarge { .. }) => return Err(e),
                _ => rows /= 2,
            }
        };
        let whole = if count < rows { recorded(count)? } else { whole };
        let (rows, (Ports { inputs, outputs }, recording)) = (rows.min(count), whole);
        let plan = recording.compile(gpu);
        for (block, first) in (0..count).step_by(rows).enumerate() {
            let wanted = rows.min(count - first);
            for (port, tensor) in &inputs {
                write(gpu, tensor, fill(first, wanted, *port)?);
            }
            State { step: step(block, first) as u32, ..State::default() }.write(gpu, &state);
            plan.run();
            let part = |output: &Tensor| {
                let mut all: Vec<f32> = output.read(gpu)?;
                all.truncate(all.len() / rows * wanted);
                match all.iter().all(|value| value.is_finite()) {
                    true => Ok(all),
                    false => Err(Error::NotFinite { what: "what the model computes".into() }),
                }
            };
            made(&outputs.iter().map(part).collect::<Result<Vec<_>>>()?)?;
        }
        Ok(())
    }
}
