//! How the files of a dataset are read.

use bytesize::ByteSize;
use clap::Args;
use vae_gpu::Background;
use vae_gpu::config::DataConfig;

use super::values::{bytes, colour, whole};

#[derive(Args)]
pub struct ReadingArgs {
    /// Colour behind transparent pixels: white, black or as in #ff8000
    /// [default: white or black, whichever is further from what can be seen]
    #[arg(long, value_name = "COLOUR", value_parser = colour)]
    background: Option<Background>,
    /// Value in the files that stands for white, as 1 in masks of 0 and 1
    /// [default: 255; in 16-bit files 65535, or less if no value comes near]
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=u16::MAX))]
    white: Option<u16>,
    /// Leave out files that cannot be read, and say how many
    #[arg(long)]
    skip_bad: bool,
    /// Use at most this much of the host's memory for a dataset, as in 4GB; of a larger one the pixels are
    /// read from the disk as they are needed [default: what is free]
    #[arg(long, value_name = "BYTES", allow_negative_numbers = true, value_parser = bytes)]
    memory: Option<ByteSize>,
}

impl ReadingArgs {
    /// Sets what the flags say and a configuration keeps.
    pub fn set(&self, data: &mut DataConfig) {
        data.background = self.background.or(data.background);
        data.white = self.white.or(data.white);
        data.skip_bad |= self.skip_bad;
    }

    /// Bytes of the host's memory that the dataset may take, if that is limited.
    pub fn memory(&self) -> Option<u64> {
        self.memory.map(|bytes| bytes.as_u64())
    }
}
