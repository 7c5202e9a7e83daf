//! `vae-gpu`: trains variational autoencoders in GPU compute shaders.

mod bench;
mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Mesa's device-select layer looks for a Wayland display and complains on standard error where
    // the session has none; adapters are ranked here anyway.
    if cfg!(target_os = "linux") && std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: no other thread runs yet.
        unsafe { std::env::set_var("NODEVICE_SELECT", "1") };
    }
    cli::run()
}
