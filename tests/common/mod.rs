//! What several test programs need.
#![allow(dead_code, reason = "each program takes what it needs")]

pub mod golden;
pub mod tensor_file;

use std::io::Write;
use std::path::PathBuf;

use vae_gpu::{Error, Gpu};

/// All that the ops' shaders want to be told, of any value: for who looks at their entry points only.
pub const CONSTANTS: [(&str, u32); 20] = [
    ("ACTIVATION", 0),
    ("BINARIZED", 0),
    ("CORRUPTION", 0),
    ("PARTS", 0),
    ("FACTOR", 1),
    ("FACTOR_ACROSS", 1),
    ("FACTOR_DOWN", 1),
    ("INVOCATIONS", 8),
    ("KERNEL_ACROSS", 1),
    ("KERNEL_DOWN", 1),
    ("LIKELIHOOD", 0),
    ("MAPS", 0),
    ("MOMENTUM", 0),
    ("OPTIMIZER", 0),
    ("PADDING_ACROSS", 0),
    ("PADDING_DOWN", 0),
    ("QUADS", 1),
    ("STRIDE_ACROSS", 1),
    ("STRIDE_DOWN", 1),
    ("TASKS", 1),
];

/// Says that the calling test is skipped, past libtest, which captures what `eprintln` writes.
pub fn skip(why: impl std::fmt::Display) {
    let thread = std::thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or("a test"));
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// Opens the default adapter; without one the test is skipped, or fails where
/// VAE_GPU_REQUIRE_ADAPTER is set, as it is in CI.
pub fn gpu() -> Option<Gpu> {
    match Gpu::new() {
        Ok(gpu) => Some(gpu),
        Err(Error::NoAdapter(why)) if std::env::var_os("VAE_GPU_REQUIRE_ADAPTER").is_none() => {
            skip(why);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// The folder `name` of real data that lies beside the repository, not in it.
pub fn real_data(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data")).join(name);
    if !path.is_dir() {
        skip(format_args!("{} is not there", path.display()));
        return None;
    }
    Some(path)
}
