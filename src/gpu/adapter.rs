//! Finding and ranking adapters.

use super::report::{BACKENDS, KINDS, report};
use super::{AdapterReport, Backend, unanswered_gpu};
use crate::error::{Error, Result};

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
