//! `cargo bench [-- FILTER]`: the suite of `vae-gpu bench`, by the program itself, since it also
//! times its own start.

use std::process::{Command, exit};

fn main() {
    // Cargo adds it to the arguments.
    let args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let status = Command::new(env!("CARGO_BIN_EXE_vae-gpu")).arg("bench").args(args).status();
    match status {
        Ok(status) => exit(status.code().unwrap_or(1)),
        Err(error) => {
            eprintln!("error: cannot start {}: {error}", env!("CARGO_BIN_EXE_vae-gpu"));
            exit(1);
        }
    }
}
