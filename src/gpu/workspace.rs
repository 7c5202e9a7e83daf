//! Memory of a recording's intermediate results, and its reuse.

use std::sync::{Arc, Mutex};

use super::Buffer;
use super::tensor::Tensor;

/// One buffer for all intermediate results of a plan, so that a kernel may bind several of them, or
/// all, at once. A part is free to be given out again once the last [`Tensor`] of it is dropped:
/// dispatches run in the order in which they are recorded, and later ones can only name tensors
/// that are still held.
#[derive(Debug)]
pub(super) struct Workspace {
    pub buffer: Buffer,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Free parts below the end: offset and elements, sorted by offset, adjacent ones merged.
    free: Vec<(usize, usize)>,
    /// Elements up to the highest that was ever in use.
    end: usize,
    /// Dispatches recorded so far.
    dispatches: usize,
    /// Parts that were freed: the number of dispatches recorded until then, offset and elements.
    freed: Vec<(usize, usize, usize)>,
}

/// A part of a workspace, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Region {
    pub workspace: Arc<Workspace>,
    pub offset: usize,
    elements: usize,
}

impl Workspace {
    pub fn new() -> Arc<Self> {
        let buffer = Buffer::unsized_yet("workspace", None);
        Arc::new(Self { buffer, state: Mutex::default() })
    }

    /// Gives out `elements`, rounded up to [`Tensor::ALIGNMENT`]; panics once the buffer has its
    /// size.
    pub fn region(self: &Arc<Self>, elements: usize) -> Arc<Region> {
        assert!(!self.buffer.has_size(), "a recording that was compiled takes no more tensors");
        let elements = elements.next_multiple_of(Tensor::ALIGNMENT);
        let offset = self.state.lock().unwrap().take(elements);
        Arc::new(Region { workspace: self.clone(), offset, elements })
    }

    /// Elements that everything recorded so far needs.
    pub fn elements(&self) -> usize {
        self.state.lock().unwrap().end
    }

    /// Fixes its size.
    pub fn finish(&self) {
        self.buffer.set_elements(self.elements());
    }

    pub fn count_dispatch(&self) {
        self.state.lock().unwrap().dispatches += 1;
    }

    /// Parts that were freed while the recording went on, with the number of dispatches before
    /// each.
    pub fn freed(&self) -> Vec<(usize, usize, usize)> {
        self.state.lock().unwrap().freed.clone()
    }
}

impl State {
    /// Takes `elements` from the smallest free part that is large enough, otherwise from behind the
    /// end, and returns their offset.
    fn take(&mut self, elements: usize) -> usize {
        let fits = self.free.iter().enumerate().filter(|(_, part)| part.1 >= elements);
        if let Some((i, &(offset, length))) = fits.min_by_key(|(_, part)| part.1) {
            match length - elements {
                0 => drop(self.free.remove(i)),
                rest => self.free[i] = (offset + elements, rest),
            }
            return offset;
        }
        // A free part at the end is extended.
        let last = self.free.last().copied().filter(|(offset, length)| offset + length == self.end);
        let offset = last.map_or(self.end, |(offset, _)| offset);
        if last.is_some() {
            self.free.pop();
        }
        self.end = offset + elements;
        offset
    }

    fn give_back(&mut self, offset: usize, elements: usize) {
        self.freed.push((self.dispatches, offset, elements));
        let at = self.free.partition_point(|part| part.0 < offset);
        self.free.insert(at, (offset, elements));
        for i in [at + 1, at] {
            if i > 0
                && i < self.free.len()
                && self.free[i - 1].0 + self.free[i - 1].1 == self.free[i].0
            {
                self.free[i - 1].1 += self.free[i].1;
                self.free.remove(i);
            }
        }
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // Memory is not given out any more once the recording is compiled.
        if self.elements > 0 && !self.workspace.buffer.has_size() {
            self.workspace.state.lock().unwrap().give_back(self.offset, self.elements);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_out_again() {
        let workspace = Workspace::new();
        let take = |elements| workspace.region(elements);
        let [a, b, c] = [64, 128, 64].map(take);
        assert_eq!([a.offset, b.offset, c.offset], [0, 64, 192]);
        drop(b);
        let d = take(10);
        let e = take(64);
        assert_eq!([d.offset, e.offset], [64, 128], "both in place of b");
        drop((a, d));
        assert_eq!(take(128).offset, 0, "neighbours are one");
        drop((c, e));
        assert_eq!(take(1000).offset, 0, "the end grows where it is free");
        assert_eq!(workspace.elements(), 1024);
        workspace.finish();
        assert_eq!(workspace.buffer.elements(), 1024);
    }
}
