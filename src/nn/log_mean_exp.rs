//! The bound from several samples of each example.

use super::{Graph, Output, Shape, ValueId};
use crate::gpu::Tensor;
use crate::ops::expression::{self, Formula, Operand};
use crate::ops::{density, log_mean_exp};

impl Graph<'_> {
    /// −log((1 / k) Σ exp(−nats)) (rows / k, 1) over k successive rows of `nats` (rows, 1): the bound of
    /// Burda et al. 2016 (equation 8), where nats are log q(z | x) − log p(x, z). The normalized weights
    /// exp(−nats) / Σ exp(−nats) are written to `weights` (rows, 1). Panics unless k divides the rows.
    pub fn log_mean_exp(
        &mut self,
        label: &str,
        nats: ValueId,
        k: usize,
        weights: &Tensor,
    ) -> ValueId {
        let rows = self.rows(nats);
        assert!(rows.is_multiple_of(k), "{label}: rows of {k} samples each");
        let shape = Shape::Features(1);
        let (x, y) = (self.tensor(nats), self.allocate(shape, rows / k));
        log_mean_exp::forward(self.recording, label, &x, weights, &y);
        let (kept, output) = (weights.clone(), Output::plain(shape, rows / k, y));
        self.push(label, &[nats], &[], output, move |back, dy| {
            let dx = back.allocate(nats);
            let (recording, label) = back.recorder();
            log_mean_exp::backward(recording, label, dy, &kept, &dx);
            back.pass(nats, dx);
        })
    }

    /// x itself, whose gradient is multiplied by one number for each row, of `factors` (rows, 1). It need
    /// only be written once the gradient is asked for.
    pub fn scale_gradient(&mut self, label: &str, x: ValueId, factors: Tensor) -> ValueId {
        let (shape, rows) = (self.shape(x), self.rows(x));
        let y = Output::plain(shape, rows, self.tensor(x));
        self.push(label, &[x], &[], y, move |back, dy| {
            let dx = back.allocate(x);
            let operands = vec![Operand::all(dy), Operand::row(&factors)];
            let formula = Formula { expression: density::PRODUCT, numbers: vec![], operands };
            let (recording, label) = back.recorder();
            expression::forward(recording, label, &formula, &dx);
            back.pass(x, dx);
        })
    }
}
