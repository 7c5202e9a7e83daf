//! What several test programs need.

use vae_gpu::{Error, Gpu};

/// The default adapter; without one the test is skipped, and says so, or fails where
/// VAE_GPU_REQUIRE_ADAPTER is set, as it is in CI.
pub fn gpu() -> Option<Gpu> {
    match Gpu::new() {
        Ok(gpu) => Some(gpu),
        Err(Error::NoAdapter(message)) if std::env::var_os("VAE_GPU_REQUIRE_ADAPTER").is_none() => {
            eprintln!("SKIPPED: {message}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}
