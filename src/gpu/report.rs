//! Descriptions of adapters.

use serde::Serialize;

use crate::error::{Error, Load, Result};

/// A graphics API through which an adapter is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// Vulkan: Linux, Windows, Android.
    Vulkan,
    /// Metal: macOS, iOS.
    Metal,
    /// Direct3D 12: Windows.
    Dx12,
    /// OpenGL ES 3.1 with compute shaders.
    Gl,
}

pub(super) const BACKENDS: [(Backend, &str, wgpu::Backends, wgpu::Backend); 4] = [
    (Backend::Vulkan, "vulkan", wgpu::Backends::VULKAN, wgpu::Backend::Vulkan),
    (Backend::Metal, "metal", wgpu::Backends::METAL, wgpu::Backend::Metal),
    (Backend::Dx12, "dx12", wgpu::Backends::DX12, wgpu::Backend::Dx12),
    (Backend::Gl, "gl", wgpu::Backends::GL, wgpu::Backend::Gl),
];

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = BACKENDS.iter().find(|row| row.0 == *self);
        f.write_str(row.map_or("", |row| row.1))
    }
}

impl std::str::FromStr for Backend {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        BACKENDS.iter().find(|row| row.1 == name).map(|row| row.0).ok_or_else(|| {
            let known = BACKENDS.map(|row| row.1).into();
            Error::Unknown { kind: "backend", name: name.into(), known }
        })
    }
}

/// Device types and their names in reports, the preferred type first.
pub(super) const KINDS: [(wgpu::DeviceType, &str); 5] = [
    (wgpu::DeviceType::DiscreteGpu, "discrete"),
    (wgpu::DeviceType::IntegratedGpu, "integrated"),
    (wgpu::DeviceType::VirtualGpu, "virtual"),
    (wgpu::DeviceType::Other, "other"),
    (wgpu::DeviceType::Cpu, "software"),
];

/// An adapter's description, with the limits and features that matter to this crate.
#[derive(Clone, Debug, Serialize)]
pub struct AdapterReport {
    /// Position in the list, the best first.
    pub index: usize,
    /// The device's name.
    pub name: String,
    /// Driver and its version.
    pub driver: String,
    /// The graphics API through which it is reached.
    pub backend: Backend,
    /// `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub kind: &'static str,
    /// Largest buffer in bytes.
    pub max_buffer_bytes: u64,
    /// Largest part of a buffer that a shader can see, in bytes.
    pub max_binding_bytes: u64,
    /// Largest workgroup memory in bytes.
    pub max_workgroup_bytes: u32,
    /// Largest number of invocations in a workgroup.
    pub max_workgroup_invocations: u32,
    /// Largest number of workgroups of a dispatch along one dimension.
    pub max_workgroups: u32,
    /// Largest number of storage buffers that a shader may bind.
    pub max_storage_buffers: u32,
    /// Invocations in a subgroup, smallest and largest.
    pub subgroup_sizes: [u32; 2],
    /// Whether shaders may use subgroup operations.
    pub subgroups: bool,
    /// Whether shaders may use 16-bit floats.
    pub f16: bool,
    /// Whether the GPU's time can be measured.
    pub timestamps: bool,
    /// Whether compiled pipelines can be kept on the disk.
    pub pipeline_cache: bool,
}

impl AdapterReport {
    /// Its name with its index, by either of which it can be chosen.
    pub fn label(&self) -> String {
        format!("{} (index {})", self.name, self.index)
    }

    /// Whether its shaders run on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// A discrete GPU with WebGPU's default limits and no optional features: for recordings that
    /// are to run in any browser, or where no adapter is at hand.
    pub fn webgpu() -> Self {
        let limits = wgpu::Limits::default();
        Self {
            index: 0,
            name: "WebGPU".into(),
            driver: String::new(),
            backend: Backend::Vulkan,
            kind: "discrete",
            max_buffer_bytes: limits.max_buffer_size,
            max_binding_bytes: limits.max_storage_buffer_binding_size,
            max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
            max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            max_workgroups: limits.max_compute_workgroups_per_dimension,
            max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
            subgroup_sizes: [0, 0],
            subgroups: false,
            f16: false,
            timestamps: false,
            pipeline_cache: false,
        }
    }

    /// Fails unless the adapter can hold a buffer of `bytes`, of which kernels bind at most `bound`
    /// bytes at a time.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] naming `load` and the limit.
    pub fn check_fits(&self, load: Load, bytes: u64, bound: u64) -> Result<()> {
        let limits = [
            (bytes, self.max_buffer_bytes, "a buffer"),
            (bound, self.max_binding_bytes, "a tensor"),
        ];
        let Some((bytes, limit, place)) = limits.into_iter().find(|l| l.0 > l.1) else {
            return Ok(());
        };
        Err(Error::TooLarge { load, bytes, limit, place, adapter: self.label() })
    }
}

/// The description of `adapter`, first in a list; `None` where its backend or its type is not known.
pub(super) fn report(adapter: &wgpu::Adapter) -> Option<AdapterReport> {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    Some(AdapterReport {
        index: 0,
        name: info.name,
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_string(),
        backend: BACKENDS.iter().find(|row| row.3 == info.backend)?.0,
        kind: KINDS.iter().find(|row| row.0 == info.device_type)?.1,
        max_buffer_bytes: limits.max_buffer_size,
        // Metal's limit exceeds what shaders can count with 32 bits.
        max_binding_bytes: limits
            .max_storage_buffer_binding_size
            .min(limits.max_buffer_size)
            .min(u64::from(u32::MAX) & !15),
        max_workgroup_bytes: limits.max_compute_workgroup_storage_size,
        max_workgroup_invocations: limits.max_compute_invocations_per_workgroup,
        max_workgroups: limits.max_compute_workgroups_per_dimension,
        max_storage_buffers: limits.max_storage_buffers_per_shader_stage,
        subgroup_sizes: [info.subgroup_min_size, info.subgroup_max_size],
        subgroups: features.contains(wgpu::Features::SUBGROUP),
        f16: features.contains(wgpu::Features::SHADER_F16),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
        pipeline_cache: features.contains(wgpu::Features::PIPELINE_CACHE),
    })
}
