//! The memory of buffers on an adapter.

use std::sync::atomic::Ordering::Relaxed;

use super::{Buffer, Gpu, Tensor};

impl Gpu {
    /// Whether anything has been written to `tensor`'s buffer here, or computed in it.
    pub fn holds(&self, tensor: &Tensor) -> bool {
        self.0.memory.lock().unwrap().contains_key(&tensor.buffer().id())
    }

    /// Makes the buffers of `tensors`, and says whether the adapter has the memory; otherwise none of them
    /// is kept, and nothing counts as failed.
    pub fn reserve<'a>(&self, tensors: impl IntoIterator<Item = &'a Tensor>) -> bool {
        let scope = self.0.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made: Vec<u64> = tensors
            .into_iter()
            .map(|tensor| {
                self.buffer(tensor.buffer());
                tensor.buffer().id()
            })
            .collect();
        let has_memory = pollster::block_on(scope.pop()).is_none();
        if !has_memory {
            self.0.memory.lock().unwrap().retain(|id, _| !made.contains(id));
        }
        has_memory
    }

    /// The memory of `buffer`, which is made at its first use and filled with its first contents.
    pub(super) fn buffer(&self, buffer: &Buffer) -> wgpu::Buffer {
        let mut memory = self.0.memory.lock().unwrap();
        if let Some((_, made)) = memory.get(&buffer.id()) {
            return made.clone();
        }
        memory.retain(|_, (buffer, _)| !buffer.is_gone());
        use wgpu::BufferUsages as Usage;
        let usage = Usage::STORAGE | Usage::COPY_SRC | Usage::COPY_DST;
        let made = self.new_buffer(buffer.name(), buffer.bytes(), usage);
        if let Some(words) = buffer.contents() {
            self.0.queue.write_buffer(&made, 0, bytemuck::cast_slice(words));
        }
        memory.insert(buffer.id(), (buffer.downgrade(), made.clone()));
        made
    }

    /// A uniform buffer of `bytes` for the parameters of dispatches; `None` for 0 bytes.
    pub(super) fn params_buffer(&self, bytes: u64) -> Option<wgpu::Buffer> {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        (bytes > 0).then(|| self.new_buffer("params", bytes, usage))
    }

    fn new_buffer(&self, name: &str, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.0.allocated.fetch_add(bytes, Relaxed);
        // Mapping at creation would panic once the adapter is lost.
        self.0.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(name),
            size: bytes,
            usage,
            mapped_at_creation: false,
        })
    }
}
