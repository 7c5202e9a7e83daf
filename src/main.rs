//! `vae-gpu`: trains variational autoencoders in GPU compute shaders.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
