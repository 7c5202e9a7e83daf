//! Two values side by side.

use super::{Graph, Output, Shape, ValueId};
use crate::ops::concat;

impl Graph<'_> {
    /// The columns of a beside those of b, as a condition beside what it conditions (Sohn et al. 2015): of
    /// features (rows, m) and (rows, n), features (rows, m + n); of maps and features, maps with n more
    /// channels, of which each has an example's value at all places; of maps of one extent, maps with the
    /// channels of both. Panics for other shapes, or if the rows differ.
    pub fn concat(&mut self, label: &str, a: ValueId, b: ValueId) -> ValueId {
        let (rows, width) = (self.rows(a), self.shape(b).columns());
        assert_eq!(rows, self.rows(b), "{label}: rows of what lies side by side");
        let shape = match (self.shape(a), self.shape(b)) {
            (Shape::Features(size), Shape::Features(_)) => Shape::Features(size + width),
            (Shape::Map { channels, extent }, b) => {
                let fits = !matches!(b, Shape::Map { extent: other, .. } if other != extent);
                assert!(fits, "{label}: maps of several extents");
                Shape::Map { channels: channels + width, extent }
            }
            (a, b) => panic!("{label}: {a} and {b} side by side"),
        };
        let (first, y) = (self.shape(a).columns(), self.allocate(shape, rows));
        concat::forward(self.recording, label, [&self.tensor(a), &self.tensor(b)], &y);
        self.push(label, &[a, b], &[], Output::plain(shape, rows, y), move |back, dy| {
            for (id, first) in [(a, 0), (b, first)] {
                if back.wants(id) {
                    let dx = back.allocate(id);
                    let (recording, label) = back.recorder();
                    concat::backward(recording, label, dy, first, &dx);
                    back.pass(id, dx);
                }
            }
        })
    }
}
