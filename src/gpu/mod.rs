//! Adapters, buffers, kernels and recorded plans. Knows nothing of learning.

mod adapter;
mod choices;
mod kernel;
mod pipelines;
mod plan;
mod tensor;
mod timestamps;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

pub use adapter::{AdapterOptions, AdapterReport, Backend, adapters};
pub use choices::Choices;
use kernel::Module;
pub use kernel::{Kernel, Shader};
use pipelines::Pipelines;
pub use plan::Plan;
pub use tensor::{Tensor, padded};
pub use timestamps::Timer;

use crate::error::{Error, Result};

/// An open adapter: the device, its queue and the kernels compiled so far. Cheap to clone.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>);

struct Inner {
    report: AdapterReport,
    device: wgpu::Device,
    queue: wgpu::Queue,
    modules: Mutex<HashMap<String, Arc<Module>>>,
    kernels: Mutex<HashMap<(String, String), Arc<Kernel>>>,
    /// Kept on the disk when this is dropped.
    pipelines: Option<Pipelines>,
    failure: Arc<Mutex<Option<String>>>,
    traffic: [AtomicU64; 3],
}

/// What is used where the adapter has it, and done without where it has not.
const WELCOME: wgpu::Features = wgpu::Features::TIMESTAMP_QUERY
    .union(wgpu::Features::SUBGROUP)
    .union(wgpu::Features::PIPELINE_CACHE);

/// How often the host has reached for the adapter since it was opened.
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
    /// [`Error::NoAdapter`] when none fits, [`Error::Gpu`] when it cannot be opened.
    pub fn with_options(options: &AdapterOptions) -> Result<Self> {
        let (adapter, report) = adapter::find(options)?.swap_remove(0);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vae-gpu"),
            required_features: adapter.features() & WELCOME,
            required_limits: adapter.limits(),
            ..Default::default()
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|e| Error::Gpu(format!("cannot open the adapter {}: {e}", report.name)))?;

        // The first failure is the cause; what follows it is its wake.
        let failure = Arc::new(Mutex::new(None));
        let slot = failure.clone();
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            log::error!("{error}");
            slot.lock().unwrap().get_or_insert_with(|| match error {
                wgpu::Error::OutOfMemory { .. } => {
                    "the adapter is out of memory: make the batch, the model or the dataset smaller"
                        .to_string()
                }
                other => format!("the adapter refused a command: {}", one_line(&other)),
            });
        }));
        let slot = failure.clone();
        device.set_device_lost_callback(move |reason, message| {
            if reason != wgpu::DeviceLostReason::Destroyed {
                let message = format!("the adapter was lost: {}", message.trim());
                slot.lock().unwrap().get_or_insert(message);
            }
        });
        let pipelines = Pipelines::load(&device, &adapter.get_info());
        Ok(Self(Arc::new(Inner {
            report,
            device,
            queue,
            modules: Mutex::default(),
            kernels: Mutex::default(),
            pipelines,
            failure,
            traffic: Default::default(),
        })))
    }

    /// What the adapter is and offers.
    pub fn report(&self) -> &AdapterReport {
        &self.0.report
    }

    /// The wgpu device, for what this crate does not offer.
    pub fn device(&self) -> &wgpu::Device {
        &self.0.device
    }

    /// The wgpu queue, for what this crate does not offer.
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

    /// The kernel for `entry` of `shader` with its constants set, compiled on first use.
    pub fn kernel(&self, shader: &Shader, entry: &str, constants: &[(&str, u32)]) -> Arc<Kernel> {
        let text = shader.text(constants);
        let key = (text.clone(), entry.to_string());
        if let Some(kernel) = self.0.kernels.lock().unwrap().get(&key) {
            return kernel.clone();
        }
        let mut modules = self.0.modules.lock().unwrap();
        let new = || Arc::new(Module::new(&self.0.device, shader.name, &text));
        let module = modules.entry(text.clone()).or_insert_with(new).clone();
        drop(modules);
        let cache = self.0.pipelines.as_ref().map(Pipelines::cache);
        let kernel = Arc::new(Kernel::new(&self.0.device, &module, entry, cache));
        self.0.kernels.lock().unwrap().insert(key, kernel.clone());
        kernel
    }

    /// Encodes with `record` into one compute pass and submits it; returns without waiting.
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
    /// [`Error::Gpu`] with the first refusal.
    pub fn check(&self) -> Result<()> {
        match &*self.0.failure.lock().unwrap() {
            Some(message) => Err(Error::Gpu(message.clone())),
            None => Ok(()),
        }
    }

    /// Fails unless a buffer of `bytes`, of which kernels see `bound` at a time, fits the adapter;
    /// `what` and `remedy` word the message.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] naming the limit.
    pub fn check_fits(&self, what: &str, bytes: u64, bound: u64, remedy: &str) -> Result<()> {
        let report = &self.0.report;
        let limits = [
            (bytes, report.max_buffer_bytes, "a buffer"),
            (bound, report.max_binding_bytes, "a tensor"),
        ];
        let Some((bytes, limit, place)) = limits.into_iter().find(|l| l.0 > l.1) else {
            return Ok(());
        };
        Err(Error::Gpu(format!(
            "{what}: {} MiB in {place}, where the adapter {} holds at most {}; {remedy}",
            bytes.div_ceil(1 << 20),
            report.name,
            limit >> 20,
        )))
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
