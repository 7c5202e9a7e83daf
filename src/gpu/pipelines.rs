//! Compiled pipelines, kept between runs where the adapter can.

use crate::cache;

/// More than this is old shaders' remains, since a cache only grows: start afresh.
const LARGEST: usize = 64 << 20;

/// The driver's cache of compiled pipelines; on the disk again once this is dropped.
pub(super) struct Pipelines {
    cache: wgpu::PipelineCache,
    file: String,
    /// What the file held.
    loaded: Option<Vec<u8>>,
}

impl Pipelines {
    /// The cache of an adapter, as the last run left it; none where the adapter has none to offer.
    pub fn load(device: &wgpu::Device, adapter: &wgpu::AdapterInfo) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        cache::folder()?;
        let file = wgpu::util::pipeline_cache_key(adapter)?;
        let loaded = cache::read(&file);
        let descriptor = wgpu::PipelineCacheDescriptor {
            label: Some("pipelines"),
            data: loaded.as_deref(),
            // Another driver's data is left aside rather than refused.
            fallback: true,
        };
        // SAFETY: the data is what `get_data` returned: a checksum tells if it is no longer.
        let cache = unsafe { device.create_pipeline_cache(&descriptor) };
        Some(Self { cache, file, loaded })
    }

    /// To compile with.
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
