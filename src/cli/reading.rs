//! How a dataset is read on this machine, which its configuration does not say.

use bytesize::ByteSize;
use clap::Args;
use vae_gpu::ReadOptions;

#[derive(Args)]
pub struct ReadingArgs {
    /// Use at most this much of the host's memory for a dataset, as in 4GB; of a larger one the pixels are
    /// read from the disk as they are needed [default: what is free]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true)]
    memory: Option<ByteSize>,
}

impl ReadingArgs {
    pub fn options(&self) -> ReadOptions {
        ReadOptions { memory: self.memory.map(|bytes| bytes.as_u64()), ..ReadOptions::default() }
    }
}
