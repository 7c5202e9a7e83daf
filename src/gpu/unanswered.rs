//! A GPU that is there and does not answer.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A message that names the system's device file of a GPU, for where no GPU answers, with the remedy that
/// usually helps; `None` where there is no such file.
pub fn unanswered_gpu() -> Option<String> {
    cfg!(target_os = "linux").then(|| found_in(Path::new("/dev"))).flatten()
}

fn found_in(dev: &Path) -> Option<String> {
    let (file, remedy) = if let Some(file) = nvidia(dev) {
        let remedy = "install NVIDIA's driver with its Vulkan library; in a container, start it with \
                      --gpus all and NVIDIA_DRIVER_CAPABILITIES=all";
        (file, remedy)
    } else if let Some(file) = Some(dev.join("dxg")).filter(|file| file.exists()) {
        let remedy = "on WSL, install the GPU's driver on Windows, and here a Mesa that has its Vulkan \
                      driver dzn (mesa-vulkan-drivers of a recent release)";
        (file, remedy)
    } else {
        let file = first(&dev.join("dri"), "renderD")?;
        let opened = fs::File::options().read(true).write(true).open(&file);
        let remedy = match opened {
            Err(e) if e.kind() == ErrorKind::PermissionDenied => {
                "you may not open it: join its group, usually render, and log in again"
            }
            _ => {
                "install its Vulkan driver (mesa-vulkan-drivers for AMD and Intel); in a container, \
                 start it with --device /dev/dri"
            }
        };
        (file, remedy)
    };
    Some(format!("no GPU answered, though there is {}: {remedy}", file.display()))
}

/// The file of an NVIDIA GPU, or else of their driver.
fn nvidia(dev: &Path) -> Option<PathBuf> {
    let gpu = |digit: char| first(dev, &format!("nvidia{digit}"));
    ('0'..='9').find_map(gpu).or_else(|| first(dev, "nvidia"))
}

/// The first of the files in `folder` whose name begins with `start`.
fn first(folder: &Path, start: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(start.as_bytes()))
    };
    entries.filter(named).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_gpu_has_its_remedy() {
        let dev = tempfile::tempdir().unwrap();
        let touch = |name: &str| fs::write(dev.path().join(name), "").unwrap();
        touch("null");
        fs::create_dir(dev.path().join("dri")).unwrap();
        touch("dri/card0");
        assert_eq!(found_in(dev.path()), None);
        let said = |part: &str| {
            let said = found_in(dev.path()).unwrap();
            assert!(said.contains(part), "{said}");
        };
        touch("dri/renderD128");
        said("dri/renderD128: install its Vulkan driver (mesa-vulkan-drivers");
        touch("dxg");
        said("dxg: on WSL");
        touch("nvidiactl");
        said("nvidiactl: install NVIDIA's driver");
        touch("nvidia1");
        said("nvidia1: install NVIDIA's driver with its Vulkan library; in a container");
    }
}
