//! `vae-gpu plan`.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use vae_gpu::gpu::{AdapterReport, Dispatch, Recording};
use vae_gpu::train::{StepKind, recorded};
use vae_gpu::words::counted;

use super::failure::{Failure, Result};
use super::inspect::ModelArgs;
use super::source::named;
use super::values::whole;

#[derive(Args)]
pub struct PlanArgs {
    #[command(flatten)]
    model: ModelArgs,
    /// Step to print: train, evaluate, sample or reconstruct
    #[arg(long, value_name = "STEP", default_value = "train")]
    step: StepKind,
    /// Print one dispatch of the list, all that it binds, and its WGSL
    #[arg(long, value_name = "N", conflicts_with = "shader", allow_negative_numbers = true)]
    #[arg(value_parser = whole(0..=u32::MAX))]
    dispatch: Option<u32>,
    /// Print the WGSL of all dispatches, each text once
    #[arg(long)]
    shader: bool,
}

pub fn run(args: &PlanArgs) -> Result<ExitCode> {
    let (config, shape, _) = args.model.resolve()?;
    let (adapter, choices) = (AdapterReport::webgpu(), Arc::default());
    let recording = recorded(&config, shape, args.step, &adapter, &choices);
    let recording = recording.map_err(named(args.model.what()))?;
    let dispatches = recording.dispatches();
    match args.dispatch {
        Some(number) => {
            let dispatch = dispatches.get(number as usize).ok_or_else(|| {
                let last = dispatches.len().saturating_sub(1);
                Failure::Usage(format!("--dispatch {number}: must be from 0 to {last}"))
            })?;
            print_dispatch(dispatch);
        }
        None if args.shader => {
            let mut printed = BTreeSet::new();
            let texts = dispatches.iter().map(|dispatch| dispatch.kernel.text());
            texts.filter(|text| printed.insert(*text)).for_each(|text| say!("{text}"));
        }
        None => print_list(&recording, config.train.batch_size),
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the dispatches, a line each, and the buffers that they bind.
fn print_list(recording: &Recording, batch: usize) {
    say!(
        "recorded for an adapter with WebGPU's default limits, {} at once\n",
        counted(batch, "image")
    );
    let dispatches = recording.dispatches();
    let labels = dispatches.iter().map(|dispatch| dispatch.label.len()).max().unwrap_or(0);
    // The width that a terminal of 80 columns leaves beside the numbers.
    let width = labels.clamp(8, 51);
    say!("{:>4} {:<width$} {:>12} {:>9}", "", "dispatch", "workgroups", "KiB bound");
    for (i, Dispatch { label, bindings, grid: [x, y, z], .. }) in dispatches.iter().enumerate() {
        let bytes: u64 = bindings.iter().map(|slice| 4 * slice.elements as u64).sum();
        let grid = if *z > 1 { format!("{x}x{y}x{z}") } else { format!("{x}x{y}") };
        say!("{i:>4} {label:<width$} {grid:>12} {:>9.1}", bytes as f64 / 1024.0);
    }
    say!("\n{:<width$} {:>12}", "buffer", "bytes");
    for buffer in recording.buffers() {
        say!("{:<width$} {:>12}", buffer.name(), buffer.bytes());
    }
    say!("{:<width$} {:>12}", "parameters of dispatches", recording.params_bytes());
}

/// Prints everything about one dispatch.
fn print_dispatch(Dispatch { label, kernel, params, bindings, grid: [x, y, z] }: &Dispatch) {
    let [down, across, deep] = kernel.workgroup_size;
    say!("// {label}");
    say!("// {x}x{y}x{z} workgroups of {down}x{across}x{deep} invocations");
    for slice in bindings {
        let (name, buffer, access) = (&slice.name, slice.buffer.name(), slice.writable);
        let access = if access { "read and write" } else { "read" };
        let (offset, bytes) = (4 * slice.offset, 4 * slice.elements);
        say!(
            "// binding {}: {name} = {buffer}, {bytes} bytes from {offset}, {access}",
            slice.index
        );
    }
    // The parameters are printed as the 32-bit words of which they consist.
    for words in params.chunks(32) {
        let word = |word: &[u8]| word.iter().rev().map(|byte| format!("{byte:02x}")).collect();
        let words: Vec<String> = words.chunks(4).map(word).collect();
        say!("// params: {}", words.join(" "));
    }
    say!("\n{}", kernel.text());
}
