//! Adapters, buffers, kernels and recorded plans. Nothing here depends on machine learning.
//!
//! Every program uses [`Gpu`] and [`AdapterOptions`]. The rest is the lower level, for those who
//! write kernels of their own: a [`Kernel`] from WGSL, a [`Recording`] of its dispatches, the
//! [`Plan`] that runs them. Mistakes of such code panic while it records.

mod adapter;
mod buffer;
mod choices;
mod kernel;
mod memory;
mod params;
mod pipelines;
mod plan;
mod recording;
mod report;
mod tensor;
mod text;
mod timestamps;
mod unanswered;
mod workspace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

pub use adapter::{AdapterOptions, adapters};
pub use buffer::Buffer;
use buffer::WeakBuffer;
pub use choices::Choices;
pub use kernel::{Kernel, Shader};
use pipelines::Pipelines;
pub use plan::Plan;
pub use recording::{Dispatch, Recording, Slice};
pub use report::{AdapterReport, Backend};
pub use tensor::{Tensor, padded};
pub use timestamps::Timer;
pub use unanswered::unanswered_gpu;

use crate::error::{Error, Result};

/// An open adapter: the device, its queue and the kernels compiled so far. Cheap to clone.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    report: AdapterReport,
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// The memory of every [`Buffer`] used here, by its id.
    memory: Mutex<HashMap<u64, (WeakBuffer, wgpu::Buffer)>>,
    /// Shader modules, by the id of the kernels' [`kernel::Module`].
    modules: Mutex<HashMap<u64, wgpu::ShaderModule>>,
    /// Compiled pipelines, by the module's id and the entry point.
    compiled: Mutex<HashMap<(u64, String), Arc<wgpu::ComputePipeline>>>,
    /// The driver's cache of pipelines, written to the disk when this is dropped.
    pipelines: Option<Pipelines>,
    /// Bytes of all buffers made so far.
    allocated: AtomicU64,
    failure: Arc<Mutex<Option<Failure>>>,
    /// Submissions, uploads and read-backs: see [`Traffic`].
    traffic: [AtomicU64; 3],
}

/// The first error of the adapter, after which its results cannot be relied on.
enum Failure {
    OutOfMemory,
    Other(String),
}

/// Optional features, which are used only where the adapter has them.
const WELCOME: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::PIPELINE_CACHE);

/// Counts of the host's accesses to the adapter since it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// Command buffers submitted.
    pub submissions: u64,
    /// Buffers written by the host after they were created.
    pub uploads: u64,
    /// Buffers read back by the host.
    pub readbacks: u64,
}

impl Gpu {
    /// Opens the best adapter: a discrete GPU first, a software one last.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] when there is none, [`Error::Gpu`] when it cannot be opened.
    pub fn new() -> Result<Self> {
        Self::with_options(&AdapterOptions::default())
    }

    /// Opens the best adapter that `options` allow.
    ///
    /// # Errors
    ///
    /// [`Error::NoAdapter`] or [`Error::NoSuchAdapter`] when none fits, [`Error::Gpu`] when it
    /// cannot be opened.
    pub fn with_options(options: &AdapterOptions) -> Result<Self> {
        let (adapter, mut report) = adapter::find(options)?.swap_remove(0);
        let mut limits = adapter.limits();
        if let Some(bytes) = options.max_binding_bytes {
            report.max_binding_bytes = report.max_binding_bytes.min(bytes);
            limits.max_storage_buffer_binding_size = report.max_binding_bytes;
        }
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vae-gpu"),
            required_features: adapter.features() & WELCOME,
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Error::Gpu(format!("cannot open the adapter {}: {e}", report.label())))?;

        // Only the first failure is kept: it is the cause of those that follow.
        let failure = Arc::new(Mutex::new(None));
        let slot = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("{error}");
            slot.lock().unwrap().get_or_insert_with(|| match error {
                wgpu::Error::OutOfMemory { .. } => Failure::OutOfMemory,
                other => {
                    Failure::Other(format!("the adapter refused a command: {}", one_line(&other)))
                }
            });
        }));
        let slot = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                let message = format!("the adapter was lost: {}", message.trim());
                slot.lock().unwrap().get_or_insert(Failure::Other(message));
            }
        });
        let pipelines = Pipelines::load(&device, &adapter.get_info());
        Ok(Self(Arc::new(Inner {
            report,
            device,
            queue,
            memory: Mutex::default(),
            modules: Mutex::default(),
            compiled: Mutex::default(),
            pipelines,
            allocated: AtomicU64::new(0),
            failure,
            traffic: Default::default(),
        })))
    }

    /// The adapter's name, limits and features.
    pub fn report(&self) -> &AdapterReport {
        &self.0.report
    }

    /// The wgpu device, for features of wgpu that this crate does not offer.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The wgpu queue, for features of wgpu that this crate does not offer.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.0.queue
    }

    /// Counts of submissions, uploads and read-backs so far.
    pub fn traffic(&self) -> Traffic {
        let [submissions, uploads, readbacks] = &self.0.traffic;
        Traffic {
            submissions: submissions.load(Relaxed),
            uploads: uploads.load(Relaxed),
            readbacks: readbacks.load(Relaxed),
        }
    }

    /// Bytes of all buffers made so far, including those that have been freed.
    pub fn allocated_bytes(&self) -> u64 {
        self.0.allocated.load(Relaxed)
    }

    /// Waits until everything that was written has arrived, after which the copies that were made of it
    /// are free.
    ///
    /// # Errors
    ///
    /// The same as [`Gpu::wait`].
    pub fn flush(&self) -> Result<()> {
        let encoder = self.0.device.create_command_encoder(&Default::default());
        self.wait(self.submit_encoder(encoder))
    }

    /// Submits one compute pass, into which `record` encodes; returns without waiting.
    pub fn submit(&self, record: impl FnOnce(&mut wgpu::ComputePass)) -> wgpu::SubmissionIndex {
        let mut encoder = self.0.device.create_command_encoder(&Default::default());
        record(&mut encoder.begin_compute_pass(&Default::default()));
        self.submit_encoder(encoder)
    }

    fn submit_encoder(&self, encoder: wgpu::CommandEncoder) -> wgpu::SubmissionIndex {
        self.0.traffic[0].fetch_add(1, Relaxed);
        self.0.queue.submit([encoder.finish()])
    }

    /// Waits until `submission` has run.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] if the adapter has refused anything so far, or is lost.
    pub fn wait(&self, submission: wgpu::SubmissionIndex) -> Result<()> {
        let poll = wgpu::PollType::Wait { submission_index: Some(submission), timeout: None };
        let polled = self.0.device.poll(poll);
        self.check()?;
        polled.map(drop).map_err(|e| Error::Gpu(format!("the adapter does not answer: {e}")))
    }

    /// Fails if the adapter has refused anything since it was opened.
    ///
    /// # Errors
    ///
    /// [`Error::OutOfMemory`] or [`Error::Gpu`], depending on the first refusal.
    pub fn check(&self) -> Result<()> {
        match &*self.0.failure.lock().unwrap() {
            Some(Failure::OutOfMemory) => Err(Error::OutOfMemory),
            Some(Failure::Other(message)) => Err(Error::Gpu(message.clone())),
            None => Ok(()),
        }
    }
}

/// The innermost cause of `error` on one line.
fn one_line(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
