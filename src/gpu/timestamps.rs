//! Time measured on the adapter, with its timestamp queries.

use super::Gpu;
use crate::error::{Error, Result};

/// Timestamps of a measurement: begin and end.
const STAMPS: u32 = 2;
const BYTES: u64 = STAMPS as u64 * wgpu::QUERY_SIZE as u64;

/// Measures the time that the adapter spends on a compute pass.
pub struct Timer {
    gpu: Gpu,
    stamps: wgpu::QuerySet,
    resolved: wgpu::Buffer,
    staging: wgpu::Buffer,
    /// Nanoseconds in a tick.
    period: f64,
}

impl Timer {
    /// A timer of `gpu`; `None` where the adapter has no timestamps.
    pub fn new(gpu: &Gpu) -> Option<Self> {
        let device = gpu.device();
        if !device.features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            return None;
        }
        let buffer = |usage| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("timestamps"),
                size: BYTES,
                usage,
                mapped_at_creation: false,
            })
        };
        use wgpu::BufferUsages as Usage;
        Some(Self {
            gpu: gpu.clone(),
            stamps: device.create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("timestamps"),
                ty: wgpu::QueryType::Timestamp,
                count: STAMPS,
            }),
            resolved: buffer(Usage::QUERY_RESOLVE | Usage::COPY_SRC),
            staging: buffer(Usage::COPY_DST | Usage::MAP_READ),
            period: f64::from(gpu.queue().get_timestamp_period()),
        })
    }

    /// Submits one compute pass, into which `record` encodes, waits, and returns the seconds from
    /// its begin to its end on the adapter.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn time(&self, record: impl FnOnce(&mut wgpu::ComputePass)) -> Result<f64> {
        let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
        record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: None,
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &self.stamps,
                beginning_of_pass_write_index: Some(0),
                end_of_pass_write_index: Some(1),
            }),
        }));
        encoder.resolve_query_set(&self.stamps, 0..STAMPS, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging, 0, BYTES);
        let submission = self.gpu.submit_encoder(encoder);
        self.staging.map_async(wgpu::MapMode::Read, .., |_| ());
        self.gpu.wait(submission)?;
        let stamps: Vec<u64> = {
            let view = self
                .staging
                .get_mapped_range(..)
                .map_err(|e| Error::Gpu(format!("cannot read from the adapter: {e}")))?;
            bytemuck::pod_collect_to_vec(&view)
        };
        self.staging.unmap();
        Ok(stamps[1].saturating_sub(stamps[0]) as f64 * self.period * 1e-9)
    }
}
