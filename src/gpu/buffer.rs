//! Descriptions of memory on the adapter, which can be made without one.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock, Weak};

/// Elements that a buffer and a binding are rounded up to, so that kernels may read four at a time.
pub(super) const QUAD: usize = 4;

/// A storage buffer of 32-bit elements: its name, its size and its first contents. It holds no
/// memory itself; a [`super::Gpu`] gives it memory when it is first used there, and takes the
/// memory back once no clone of the buffer is left.
#[derive(Clone, Debug)]
pub struct Buffer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// Different for every buffer of a process.
    id: u64,
    name: String,
    /// Set late for a recording's workspace, whose size is known once everything is recorded.
    elements: OnceLock<usize>,
    contents: Option<Vec<u32>>,
}

/// A weak reference to a [`Buffer`], which does not keep its memory.
#[derive(Debug)]
pub(super) struct WeakBuffer(Weak<Inner>);

impl WeakBuffer {
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl Buffer {
    /// A buffer of zeros.
    pub fn zeros(name: &str, elements: usize) -> Self {
        let buffer = Self::unsized_yet(name, None);
        buffer.set_elements(elements);
        buffer
    }

    /// A buffer that begins with `words`.
    pub fn holding(name: &str, words: Vec<u32>) -> Self {
        let elements = words.len();
        let buffer = Self::unsized_yet(name, Some(words));
        buffer.set_elements(elements);
        buffer
    }

    pub(super) fn unsized_yet(name: &str, contents: Option<Vec<u32>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let id = NEXT.fetch_add(1, Relaxed);
        let elements = OnceLock::new();
        Self(Arc::new(Inner { id, name: name.into(), elements, contents }))
    }

    pub(super) fn set_elements(&self, elements: usize) {
        let elements = elements.max(1).next_multiple_of(QUAD);
        assert_eq!(*self.0.elements.get_or_init(|| elements), elements, "a buffer cannot grow");
    }

    pub(super) fn has_size(&self) -> bool {
        self.0.elements.get().is_some()
    }

    pub(super) fn id(&self) -> u64 {
        self.0.id
    }

    pub(super) fn downgrade(&self) -> WeakBuffer {
        WeakBuffer(Arc::downgrade(&self.0))
    }

    /// The buffer's name in messages and listings.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The buffer's length in elements of 4 bytes. Panics for the workspace of a recording that is
    /// still being recorded.
    pub fn elements(&self) -> usize {
        *self.0.elements.get().expect("a recording must be compiled before its tensors are used")
    }

    /// The buffer's length in bytes.
    pub fn bytes(&self) -> u64 {
        4 * self.elements() as u64
    }

    /// The buffer's first contents; if `None`, it begins with zeros.
    pub fn contents(&self) -> Option<&[u32]> {
        self.0.contents.as_deref()
    }
}

impl PartialEq for Buffer {
    /// Two buffers are equal if they are the same memory.
    fn eq(&self, other: &Self) -> bool {
        self.0.id == other.0.id
    }
}
