//! Adapters, buffers, kernels and recorded plans. Nothing here depends on machine learning.
//!
//! Every program uses [`Gpu`] and [`AdapterOptions`]. The rest is the lower level, for those who
//! write kernels of their own: a [`Kernel`] from WGSL, a [`Recording`] of its dispatches, the
//! [`Plan`] that runs them. Mistakes of such code panic while it records.

mod adapter;
mod buffer;
mod choices;
mod kernel;
mod params;
mod pipelines;
mod plan;
mod recording;
mod tensor;
mod text;
mod timestamps;
mod unanswered;
mod workspace;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

pub use adapter::{AdapterOptions, AdapterReport, Backend, adapters};
pub use buffer::Buffer;
use buffer::WeakBuffer;
pub use choices::Choices;
pub use kernel::{Kernel, Shader};
use pipelines::Pipelines;
pub use plan::Plan;
pub use recording::{Dispatch, Recording, Slice};
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
    fn params_buffer(&self, bytes: u64) -> Option<wgpu::Buffer> {
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

    /// The pipeline of `kernel`, compiled at its first use.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Arc<wgpu::ComputePipeline> {
        let key = (kernel.module.id, kernel.entry.clone());
        if let Some(pipeline) = self.0.compiled.lock().unwrap().get(&key) {
            return pipeline.clone();
        }
        let mut modules = self.0.modules.lock().unwrap();
        let module = modules.entry(key.0).or_insert_with(|| self.module(kernel)).clone();
        drop(modules);
        let pipeline = self.0.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&kernel.name()),
            layout: None,
            module: &module,
            entry_point: Some(&kernel.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: self.0.pipelines.as_ref().map(Pipelines::cache),
        });
        self.0.compiled.lock().unwrap().entry(key).or_insert_with(|| Arc::new(pipeline)).clone()
    }

    fn module(&self, kernel: &Kernel) -> wgpu::ShaderModule {
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(&kernel.module.shader),
            source: wgpu::ShaderSource::Naga(std::borrow::Cow::Owned(kernel.module.naga.clone())),
        };
        // SAFETY: the kernels check their own indices and end their loops; tests/ops runs each at
        // sizes that do not fill its workgroups.
        unsafe {
            let unchecked = wgpu::ShaderRuntimeChecks::unchecked();
            self.0.device.create_shader_module_trusted(descriptor, unchecked)
        }
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
