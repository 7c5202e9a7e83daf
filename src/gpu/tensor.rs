//! Parts of buffers, with a shape.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::buffer::QUAD;
use super::workspace::{Region, Workspace};
use super::{Buffer, Gpu};
use crate::error::Result;

/// A row-major array of 32-bit values in a [`Buffer`], or in a part of one. Cheap to clone: clones
/// share the memory, whose contents only [`Tensor::write`] and [`Tensor::read`] reach.
#[derive(Clone, Debug)]
pub struct Tensor {
    memory: Memory,
    offset: usize,
    shape: Vec<usize>,
    /// Elements from one row to the next.
    stride: usize,
}

#[derive(Clone, Debug)]
enum Memory {
    Buffer(Buffer),
    Workspace(Arc<Region>),
}

/// Elements from one row of a matrix of `columns` to the next: rows begin where four elements can
/// be read at once, and the padding between them is zero.
pub fn padded(columns: usize) -> usize {
    columns.next_multiple_of(QUAD)
}

impl Tensor {
    /// Alignment in elements of tensors that share a buffer: WebGPU's 256 bytes for bindings.
    pub const ALIGNMENT: usize = 64;

    /// A new tensor filled with zeros, its rows without padding.
    pub fn zeros(name: &str, shape: &[usize]) -> Self {
        let memory = Memory::Buffer(Buffer::zeros(name, shape.iter().product()));
        Self { memory, offset: 0, shape: shape.to_vec(), stride: columns(shape) }
    }

    /// A new tensor filled with zeros, its rows padded to multiples of four elements by zeros.
    pub fn matrix(name: &str, shape: &[usize]) -> Self {
        let stride = padded(columns(shape));
        let memory = Memory::Buffer(Buffer::zeros(name, shape[0] * stride));
        Self { memory, offset: 0, shape: shape.to_vec(), stride }
    }

    /// A new tensor with the initial contents `values`. The host keeps a copy for every adapter on
    /// which the tensor is used, so this is for a few constants.
    pub fn constant<T: bytemuck::NoUninit>(name: &str, values: &[T]) -> Self {
        let words: Vec<u32> = bytemuck::pod_collect_to_vec(values);
        let shape = vec![words.len()];
        let memory = Memory::Buffer(Buffer::holding(name, words));
        Self { memory, offset: 0, shape, stride: 1 }
    }

    /// A new tensor holding `values` on `gpu`; panics if they do not fill `shape`.
    pub fn new<T: bytemuck::NoUninit>(
        gpu: &Gpu,
        name: &str,
        shape: &[usize],
        values: &[T],
    ) -> Self {
        let tensor = Self::zeros(name, shape);
        tensor.write(gpu, values);
        tensor
    }

    /// A new tensor in `workspace`, uninitialized.
    pub(super) fn in_workspace(workspace: &Arc<Workspace>, shape: &[usize], stride: usize) -> Self {
        let region = workspace.region(shape[0] * stride);
        let offset = region.offset;
        Self { memory: Memory::Workspace(region), offset, shape: shape.to_vec(), stride }
    }

    /// The elements from `offset` on, seen as `shape`; `offset` must be a multiple of
    /// [`Tensor::ALIGNMENT`].
    pub fn view(&self, offset: usize, shape: &[usize]) -> Self {
        self.part(offset, shape, columns(shape))
    }

    /// The elements from `offset` on, seen as `shape` with rows padded to multiples of four
    /// elements.
    pub fn view_matrix(&self, offset: usize, shape: &[usize]) -> Self {
        self.part(offset, shape, padded(columns(shape)))
    }

    fn part(&self, offset: usize, shape: &[usize], stride: usize) -> Self {
        let memory = self.memory.clone();
        let view = Self { memory, offset: self.offset + offset, shape: shape.to_vec(), stride };
        assert!(offset.is_multiple_of(Self::ALIGNMENT), "a view must be aligned");
        assert!(offset + view.extent() <= self.extent(), "a view must lie within its tensor");
        view
    }

    /// The smallest part of a buffer in which all of `tensors` lie. Panics unless they share a
    /// buffer.
    pub fn span<'a>(tensors: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut tensors = tensors.into_iter();
        let first = tensors.next().expect("a tensor");
        let (mut from, mut to) = (first.offset, first.offset + first.extent());
        for tensor in tensors {
            assert!(tensor.shares_buffer(first), "tensors of several buffers");
            from = from.min(tensor.offset);
            to = to.max(tensor.offset + tensor.extent());
        }
        Self { memory: first.memory.clone(), offset: from, shape: vec![to - from], stride: 1 }
    }

    /// The whole buffer in which it lies.
    pub fn arena(&self) -> Self {
        let elements = self.buffer().elements();
        Self { memory: self.memory.clone(), offset: 0, shape: vec![elements], stride: 1 }
    }

    /// Sizes of the dimensions, the slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements, without the padding.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the first dimension, such as the images of a batch.
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// Elements in a row.
    pub fn columns(&self) -> usize {
        columns(&self.shape)
    }

    /// Elements from one row to the next.
    pub fn stride(&self) -> usize {
        self.stride
    }

    /// Elements in its buffer before its first.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Elements of memory, with the padding.
    pub fn extent(&self) -> usize {
        self.rows() * self.stride
    }

    /// The buffer in which it lies.
    pub fn buffer(&self) -> &Buffer {
        match &self.memory {
            Memory::Buffer(buffer) => buffer,
            Memory::Workspace(region) => &region.workspace.buffer,
        }
    }

    /// Overwrites all elements; panics if `values` is not as long as the tensor.
    pub fn write<T: bytemuck::NoUninit>(&self, gpu: &Gpu, values: &[T]) {
        let words: &[u8] = bytemuck::cast_slice(values);
        assert_eq!(words.len(), 4 * self.len(), "the values must fill the tensor");
        gpu.0.traffic[1].fetch_add(1, Relaxed);
        let buffer = gpu.buffer(self.buffer());
        let write = |bytes: &[u8]| {
            gpu.queue().write_buffer(&buffer, 4 * self.offset as u64, bytes);
        };
        if self.stride == self.columns() {
            return write(words);
        }
        let mut all = vec![0; 4 * self.extent()];
        for (to, from) in
            all.chunks_mut(4 * self.stride).zip(words.chunks((4 * self.columns()).max(1)))
        {
            to[..from.len()].copy_from_slice(from);
        }
        write(&all);
    }

    /// Overwrites the elements from number `first` on, padding counted, with `bytes`, which are filled up
    /// with zeros to whole elements. Panics if they end past the tensor.
    pub fn write_bytes(&self, gpu: &Gpu, first: usize, bytes: &[u8]) {
        assert!(first + bytes.len().div_ceil(4) <= self.extent(), "the bytes must fit the tensor");
        gpu.0.traffic[1].fetch_add(1, Relaxed);
        let (buffer, at) = (gpu.buffer(self.buffer()), 4 * (self.offset + first) as u64);
        let (whole, rest) = bytes.split_at(bytes.len() / 4 * 4);
        if !whole.is_empty() {
            gpu.queue().write_buffer(&buffer, at, whole);
        }
        if !rest.is_empty() {
            let mut last = [0; 4];
            last[..rest.len()].copy_from_slice(rest);
            gpu.queue().write_buffer(&buffer, at + whole.len() as u64, &last);
        }
    }

    /// Waits for all submitted work, then returns the elements, without the padding.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn read<T: bytemuck::Pod>(&self, gpu: &Gpu) -> Result<Vec<T>> {
        let bytes = 4 * self.extent() as u64;
        let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        let buffer = gpu.buffer(self.buffer());
        encoder.copy_buffer_to_buffer(&buffer, 4 * self.offset as u64, &staging, 0, bytes);
        gpu.0.traffic[2].fetch_add(1, Relaxed);
        let submission = gpu.submit_encoder(encoder);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        gpu.wait(submission)?;
        let view = staging
            .get_mapped_range(..)
            .map_err(|e| crate::Error::Gpu(format!("cannot read from the adapter: {e}")))?;
        let all: Vec<T> = bytemuck::pod_collect_to_vec(&view);
        let rows = all.chunks(self.stride.max(1)).map(|row| &row[..self.columns()]);
        Ok(if self.stride == self.columns() { all } else { rows.flatten().copied().collect() })
    }

    /// Whether both have memory in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.shares_buffer(other)
            && self.offset < other.offset + other.extent()
            && other.offset < self.offset + self.extent()
    }

    /// Whether both have the same elements of the same buffer and the same shape.
    pub fn is_same(&self, other: &Self) -> bool {
        self.shares_buffer(other) && self.offset == other.offset && self.shape == other.shape
    }

    /// Whether both lie in one buffer.
    pub fn shares_buffer(&self, other: &Self) -> bool {
        self.buffer() == other.buffer()
    }
}

/// Elements in a row of a tensor of `shape`.
fn columns(shape: &[usize]) -> usize {
    shape[1..].iter().product()
}
