//! Several copies of each row of a batch.

use super::{Graph, Output, ValueId};
use crate::ops::repeat;

impl Graph<'_> {
    /// `times` copies of each row of x, one after the other, as PyTorch's `repeat_interleave`, for several
    /// draws of an example's latent variables (Burda et al. 2016): row b becomes the rows from b · times on.
    pub fn repeat(&mut self, label: &str, x: ValueId, times: usize) -> ValueId {
        let (shape, rows) = (self.shape(x), self.rows(x) * times);
        let (span, y, tensor) = (shape.rows(), self.allocate(shape, rows), self.tensor(x));
        repeat::forward(self.recording, label, &tensor, span, &y);
        self.push(label, &[x], &[], Output::plain(shape, rows, y), move |back, dy| {
            let dx = back.allocate(x);
            let (recording, label) = back.recorder();
            repeat::backward(recording, label, dy, span, &dx);
            back.pass(x, dx);
        })
    }
}
