//! Compiled pipelines, kept on the disk between runs where the adapter supports it.

use std::sync::Arc;

use super::{Gpu, Kernel};
use crate::cache;

/// Largest cache in bytes that is kept. A cache never drops the pipelines of old shaders, so that a
/// larger one is emptied.
const LARGEST: usize = 64 << 20;

/// The driver's cache of compiled pipelines, which is written back to the disk when it is dropped.
pub(super) struct Pipelines {
    cache: wgpu::PipelineCache,
    file: String,
    /// The file's contents when it was loaded; `None` if there was no file.
    loaded: Option<Vec<u8>>,
}

impl Pipelines {
    /// The cache that the last run left for the adapter; `None` where the adapter has no pipeline
    /// cache, or no folder is there to keep it in.
    pub fn load(device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        cache::folder()?;
        let file = wgpu::util::pipeline_cache_key(adapter)?;
        let loaded = cache::read(&file);
        let made = |data| {
            let fallback = true;
            let descriptor =
                wgpu::PipelineCacheDescriptor { label: Some("pipelines"), data, fallback };
            // Data of another adapter is an error whatever the fallback.
            let errors = device.push_error_scope(wgpu::ErrorFilter::Validation);
            // SAFETY: `get_data` returned this data, and `cache` verifies its checksum.
            let cache = unsafe { device.create_pipeline_cache(&descriptor) };
            match pollster::block_on(errors.pop()) {
                Some(error) => Err(error),
                None => Ok(cache),
            }
        };
        let cache = made(loaded.as_deref()).or_else(|error| {
            log::warn!("{file}: is of another adapter, and ignored: {error}");
            made(None)
        });
        Some(Self { cache: cache.ok()?, file, loaded })
    }

    /// The cache for wgpu to compile pipelines with.
    pub fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }
}

impl Drop for Pipelines {
    fn drop(&mut self) {
        let Some(data) = self.cache.get_data() else { return };
        let data = if data.len() > LARGEST { Vec::new() } else { data };
        if self.loaded.as_ref() != Some(&data) {
            cache::write(&self.file, &data);
        }
    }
}

impl Gpu {
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
}
