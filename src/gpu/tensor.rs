//! Storage buffers with a shape.

use std::sync::atomic::Ordering::Relaxed;

use super::Gpu;
use crate::error::Result;

/// A row-major array of 32-bit values in the adapter's memory, or a part of one. Cheap to clone:
/// clones share the memory.
#[derive(Clone, Debug)]
pub struct Tensor {
    buffer: wgpu::Buffer,
    offset: usize,
    shape: Vec<usize>,
}

impl Tensor {
    /// Elements between tensors that share a buffer: WebGPU's 256-byte binding alignment.
    pub const ALIGNMENT: usize = 64;

    /// Elements that a buffer and a binding are rounded up to, so that kernels may read four at a
    /// time.
    const QUAD: usize = 4;

    /// A new tensor filled with zeros.
    pub fn zeros(gpu: &Gpu, label: &str, shape: &[usize]) -> Self {
        let elements: usize = shape.iter().product();
        let buffer = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: 4 * elements.max(1).next_multiple_of(Self::QUAD) as u64,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        Self { buffer, offset: 0, shape: shape.to_vec() }
    }

    /// A new tensor holding `values`; panics if they do not fill `shape`.
    pub fn new<T: bytemuck::NoUninit>(
        gpu: &Gpu,
        label: &str,
        shape: &[usize],
        values: &[T],
    ) -> Self {
        let tensor = Self::zeros(gpu, label, shape);
        tensor.write(gpu, values);
        tensor
    }

    /// The elements from `offset` on, seen as `shape`; `offset` must be a multiple of
    /// [`Tensor::ALIGNMENT`].
    pub fn view(&self, offset: usize, shape: &[usize]) -> Self {
        let view = Self {
            buffer: self.buffer.clone(),
            offset: self.offset + offset,
            shape: shape.to_vec(),
        };
        assert!(offset.is_multiple_of(Self::ALIGNMENT), "a view must be aligned");
        assert!(offset + view.len() <= self.len(), "a view must lie within its tensor");
        view
    }

    /// Sizes of the dimensions, the slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Size of the first dimension: the images of a batch.
    pub fn rows(&self) -> usize {
        self.shape[0]
    }

    /// Elements in a row.
    pub fn columns(&self) -> usize {
        self.shape[1..].iter().product()
    }

    /// Overwrites all elements; panics if `values` is not as long as the tensor.
    pub fn write<T: bytemuck::NoUninit>(&self, gpu: &Gpu, values: &[T]) {
        let bytes: &[u8] = bytemuck::cast_slice(values);
        assert_eq!(bytes.len(), 4 * self.len(), "the values must fill the tensor");
        gpu.0.traffic[1].fetch_add(1, Relaxed);
        gpu.queue().write_buffer(&self.buffer, 4 * self.offset as u64, bytes);
    }

    /// Waits for all submitted work, then returns the elements.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn read<T: bytemuck::Pod>(&self, gpu: &Gpu) -> Result<Vec<T>> {
        let bytes = 4 * self.len() as u64;
        let staging = gpu.device().create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: bytes,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffer, 4 * self.offset as u64, &staging, 0, bytes);
        gpu.0.traffic[2].fetch_add(1, Relaxed);
        let submission = gpu.submit_encoder(encoder);
        staging.map_async(wgpu::MapMode::Read, .., |_| ());
        gpu.wait(submission)?;
        let view = staging
            .get_mapped_range(..)
            .map_err(|e| crate::Error::Gpu(format!("cannot read from the adapter: {e}")))?;
        Ok(bytemuck::pod_collect_to_vec(&view))
    }

    pub(super) fn binding(&self) -> wgpu::BindingResource<'_> {
        wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer: &self.buffer,
            offset: 4 * self.offset as u64,
            size: wgpu::BufferSize::new(4 * self.len().next_multiple_of(Self::QUAD) as u64),
        })
    }

    /// Whether both have an element in common.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        self.buffer == other.buffer
            && self.offset < other.offset + other.len()
            && other.offset < self.offset + self.len()
    }

    /// The buffer's identity, for telling whether two tensors share memory.
    pub(super) fn buffer(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}
