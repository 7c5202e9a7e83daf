//! Several copies of each row of a batch.

use super::{Graph, ValueId};
use crate::ops::repeat;

impl Graph<'_> {
    /// `times` copies of each row of x, one after the other, for several draws of an example's latent
    /// variables (Burda et al. 2016): row b becomes the rows from b · times on.
    pub fn repeat(&mut self, label: &str, x: ValueId, times: usize) -> ValueId {
        let (shape, rows, tensor) = (self.shape(x), self.rows(x) * times, self.tensor(x));
        let (y, name) = (self.allocate(shape, rows), label.to_string());
        repeat::forward(self.recording, label, &tensor, shape.rows(), &y);
        self.push(label, &[x], (shape, rows, y), move |back, dy| {
            let dx = back.allocate(x);
            repeat::backward(back.recording(), &name, dy, shape.rows(), &dx);
            back.pass(x, dx);
        })
    }
}
