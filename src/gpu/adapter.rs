//! Finding, ranking and describing adapters.

use serde::Serialize;

use super::unanswered_gpu;
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

const BACKENDS: [(Backend, &str, wgpu::Backends, wgpu::Backend); 4] = [
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
const KINDS: [(wgpu::DeviceType, &str); 5] = [
    (wgpu::DeviceType::DiscreteGpu, "discrete"),
    (wgpu::DeviceType::IntegratedGpu, "integrated"),
    (wgpu::DeviceType::VirtualGpu, "virtual"),
    (wgpu::DeviceType::Other, "other"),
    (wgpu::DeviceType::Cpu, "software"),
];

/// The choice of an adapter; the default is the best one.
#[derive(Clone, Debug, Default)]
pub struct AdapterOptions {
    /// Part of the adapter's name in any case, or its index as [`adapters`] lists them. A number that is
    /// no index must be a whole word of the name, as in `4090`.
    pub adapter: Option<String>,
    /// Backend to which the choice is limited.
    pub backend: Option<Backend>,
    /// Largest part of a buffer that a shader is to see, in bytes, where the adapter would allow more: to
    /// try what a smaller adapter does.
    pub max_binding_bytes: Option<u64>,
}

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

/// The adapters that can run compute shaders and that `options` allow, the best first; those of
/// OpenGL only where it is asked for or there are no others.
///
/// # Errors
///
/// [`Error::NoAdapter`] when there is none, [`Error::NoSuchAdapter`] when none is the wanted one.
pub fn adapters(options: &AdapterOptions) -> Result<Vec<AdapterReport>> {
    Ok(find(options)?.into_iter().map(|(_, report)| report).collect())
}

fn enumerate(backend: Option<Backend>) -> Vec<(wgpu::Adapter, AdapterReport)> {
    let bits = |of: &dyn Fn(Backend) -> bool| {
        BACKENDS
            .iter()
            .filter(|row| of(row.0))
            .fold(wgpu::Backends::empty(), |all, row| all | row.2)
    };
    if let Some(backend) = backend {
        return enumerate_in(bits(&|b| b == backend));
    }
    // A device is slower through OpenGL, whose library also prints warnings: it is the last resort.
    let found = enumerate_in(bits(&|b| b != Backend::Gl));
    if found.is_empty() { enumerate_in(bits(&|b| b == Backend::Gl)) } else { found }
}

fn enumerate_in(backends: wgpu::Backends) -> Vec<(wgpu::Adapter, AdapterReport)> {
    // wgpu's default flags depend on the build profile: only the environment's (WGPU_VALIDATION=1)
    // are set here.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        flags: wgpu::InstanceFlags::empty().with_env(),
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let mut found: Vec<_> = pollster::block_on(instance.enumerate_adapters(backends))
        .into_iter()
        .filter(|adapter| {
            let flags = adapter.get_downlevel_capabilities().flags;
            flags.contains(wgpu::DownlevelFlags::COMPUTE_SHADERS)
                && adapter.limits().max_storage_buffers_per_shader_stage >= 8
        })
        .filter_map(|adapter| report(&adapter).map(|report| (adapter, report)))
        .collect();
    let rank = |report: &AdapterReport| {
        let kind = KINDS.iter().position(|k| k.1 == report.kind);
        let backend = BACKENDS.iter().position(|b| b.0 == report.backend);
        (kind, backend)
    };
    found.sort_by_key(|(_, report)| rank(report));
    for (index, (_, report)) in found.iter_mut().enumerate() {
        report.index = index;
    }
    found
}

fn report(adapter: &wgpu::Adapter) -> Option<AdapterReport> {
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

/// The adapters that `options` allow, the best first; at least one.
pub(super) fn find(options: &AdapterOptions) -> Result<Vec<(wgpu::Adapter, AdapterReport)>> {
    let found = enumerate(options.backend);
    if found.is_empty() {
        return Err(Error::NoAdapter(no_adapter(options.backend)));
    }
    let Some(wanted) = &options.adapter else { return Ok(found) };
    let wanted = wanted.trim();
    let known = found.iter().map(|(_, r)| format!("{} {}", r.index, r.name)).collect();
    let index = wanted.parse().ok().filter(|&index: &usize| index < found.len());
    let fits = |report: &AdapterReport| match index {
        Some(index) => report.index == index,
        None => is_named(&report.name, wanted),
    };
    let fitting: Vec<_> = found.into_iter().filter(|(_, report)| fits(report)).collect();
    if fitting.is_empty() {
        return Err(Error::NoSuchAdapter { wanted: wanted.into(), known });
    }
    Ok(fitting)
}

/// Whether `wanted` is part of `name` in any case; a number, as in `4090` or `15.0`, a whole word of it.
fn is_named(name: &str, wanted: &str) -> bool {
    let [name, wanted] = [name, wanted].map(str::to_lowercase);
    let of_number = |c: char| c.is_ascii_digit() || c == '.';
    let is_number =
        wanted.starts_with(|c: char| c.is_ascii_digit()) && wanted.chars().all(of_number);
    match is_number {
        true => name.split(|c: char| !c.is_alphanumeric() && c != '.').any(|word| word == wanted),
        false => name.contains(&wanted),
    }
}

fn no_adapter(backend: Option<Backend>) -> String {
    let compiled = wgpu::Instance::enabled_backend_features();
    let looked_for: Vec<_> = BACKENDS
        .iter()
        .filter(|row| compiled.contains(row.2) && backend.is_none_or(|b| b == row.0))
        .map(|row| row.1)
        .collect();
    let looked_for = match looked_for.as_slice() {
        [] => "none of its backends exists on this system".to_string(),
        names => format!("looked for {}", names.join(", ")),
    };
    format!(
        "no GPU adapter found ({looked_for}): install the GPU's driver, or a software adapter \
         (Debian and Ubuntu: apt-get install mesa-vulkan-drivers; Fedora: dnf install \
         mesa-vulkan-drivers; Arch: pacman -S vulkan-icd-loader \
         vulkan-swrast){}",
        unanswered_gpu().map_or(String::new(), |hint| format!("; {hint}"))
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_whole_word_of_a_name() {
        let (software, card) = ("llvmpipe (LLVM 15.0.6, 256 bits)", "NVIDIA GeForce RTX 4090");
        for (name, wanted, fits) in [
            (card, "4090", true),
            (card, "geforce", true),
            (card, "rtx 40", true),
            (card, "409", false),
            (card, "0", false),
            (software, "256", true),
            (software, "15.0.6", true),
            (software, "LLVM 15", true),
            (software, "5", false),
            (software, "15", false),
            (software, "5.0", false),
            (software, "LLVMPIPE", true),
            ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "7900", true),
            ("Intel(R) UHD Graphics 620 (KBL GT2)", "620", true),
            ("Intel(R) UHD Graphics 620 (KBL GT2)", "2", false),
        ] {
            assert_eq!(is_named(name, wanted), fits, "{wanted} in {name}");
        }
    }
}
