//! `vae-gpu devices`.

use std::process::ExitCode;

use clap::Args;
use vae_gpu::gpu::{AdapterReport, adapters};

use super::AdapterArgs;
use super::failure::Result;

#[derive(Args)]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DevicesArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    let found = adapters(&adapter.options())?;
    adapter.note(&found[0]);
    if args.json {
        say!("{}", serde_json::to_string_pretty(&found).expect("a report is JSON"));
    } else {
        found.iter().for_each(print);
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &AdapterReport) {
    let AdapterReport { index, name, driver, kind, .. } = report;
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    say!("{index}  {name}{}", if *index == 0 { "  (used by default)" } else { "" });
    say!("   {kind}, {}, driver {driver}", report.backend);
    say!(
        "   buffer {} MiB, binding {} MiB, {} storage buffers a shader",
        report.max_buffer_bytes >> 20,
        report.max_binding_bytes >> 20,
        report.max_storage_buffers,
    );
    say!(
        "   workgroup {} KiB, {} invocations; subgroups {} ({} to {})",
        report.max_workgroup_bytes >> 10,
        report.max_workgroup_invocations,
        yes(report.subgroups),
        report.subgroup_sizes[0],
        report.subgroup_sizes[1],
    );
    say!(
        "   f16 {}, timestamps {}, pipeline cache {}",
        yes(report.f16),
        yes(report.timestamps),
        yes(report.pipeline_cache),
    );
}
