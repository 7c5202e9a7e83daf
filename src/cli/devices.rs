//! `vae-gpu devices`.

use std::process::ExitCode;

use clap::Args;
use vae_gpu::gpu::{AdapterReport, adapters};
use vae_gpu::{Gpu, Result};

use super::AdapterArgs;

#[derive(Args)]
pub struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(args: &DevicesArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    let found = adapters(&adapter.options());
    // Opening it words the error where there is none, and proves that the default works.
    let chosen = Gpu::with_options(&adapter.options())?.report().index;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&found).expect("a report is JSON"));
    } else {
        found.iter().for_each(|report| print(report, report.index == chosen));
    }
    Ok(ExitCode::SUCCESS)
}

fn print(report: &AdapterReport, chosen: bool) {
    let AdapterReport { index, name, driver, kind, .. } = report;
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    let backend = format!("{:?}", report.backend).to_lowercase();
    say!("{index}  {name}{}", if chosen { "  (used by default)" } else { "" });
    say!("   {kind}, {backend}, driver {driver}");
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
