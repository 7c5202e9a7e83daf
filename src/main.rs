//! `vae-gpu`: trains variational autoencoders in GPU compute shaders.

mod bench;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // No other thread runs yet, which may read the environment.
    unset_empty();
    // Mesa's device-select layer looks for a Wayland display and complains on standard error where
    // the session has none; adapters are ranked here anyway.
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    cli::run()
}

/// Removes variables that are there and empty, which mean the default. To be called before any other thread
/// runs.
fn unset_empty() {
    const PREFIXES: [&str; 4] = ["VAE_GPU_", "WGPU_", "RUST_LOG", "XDG_"];
    for (name, value) in std::env::vars_os() {
        let name_bytes = name.as_encoded_bytes();
        if value.is_empty() && PREFIXES.iter().any(|p| name_bytes.starts_with(p.as_bytes())) {
            // SAFETY: no other thread runs yet.
            unsafe { std::env::remove_var(&name) };
        }
    }
}
