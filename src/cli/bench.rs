//! `vae-gpu bench`.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use vae_gpu::gpu::AdapterReport;
use vae_gpu::words::{did_you_mean, shortened};
use vae_gpu::{Error, Preset};

use super::AdapterArgs;
use super::failure::{Failure, Result};
use crate::bench::{self, Event, Limits, Row, Start, Step, Time};

#[derive(Args)]
pub struct BenchArgs {
    /// Only operations with this in their name, as `matmul` or `step.mlp`;
    /// `limits` measures the adapter's limits only
    filter: Option<String>,
    /// List the operations
    #[arg(long)]
    list: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Train one step of this preset, and say so: a start of the program to be timed
    #[arg(long, hide = true, value_name = "PRESET")]
    first_step: Option<String>,
}

pub fn run(args: &BenchArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    if let Some(preset) = &args.first_step {
        let preset: Preset = preset.parse()?;
        bench::first_step(&adapter.open()?, preset, || say!("the first step is done"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let (filter, all) = (args.filter.as_deref(), bench::operations());
    if args.list {
        all.iter().filter(|name| bench::selects(filter, name)).for_each(|name| say!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    if !all.iter().any(|operation| bench::selects(filter, operation)) {
        // The ops, without what is measured of each.
        let stem = |name: &String| name.split('.').next().unwrap_or_default().to_string();
        let mut stems: Vec<_> = all.iter().map(stem).collect();
        stems.dedup();
        return Err(Failure::Usage(format!(
            "no operation has `{}` in its name; there are those of {} (--list shows each){}",
            shortened(filter.unwrap_or_default()),
            stems.join(", "),
            did_you_mean(filter.unwrap_or_default(), all.iter().map(|name| name.as_ref()))
        )));
    }
    let gpu = adapter.open()?;
    let options = bench::Options { filter: args.filter.clone(), program: program(adapter)? };
    if !args.json {
        let report = gpu.report();
        let AdapterReport { name, kind, backend, index, .. } = report;
        say!("adapter  {name} ({kind}, {backend}, index {index})");
        say!("driver   {}", report.driver);
    }
    // The bar is drawn on standard error, and only if that is a terminal.
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("measuring {msg}").expect("the template is valid"),
    );
    let mut heading = String::new();
    let report = bench::run(&gpu, &options, &mut |event| match event {
        Event::Begin(what) => {
            bar.set_message(what.to_string());
            bar.tick();
        }
        _ if args.json => {}
        Event::Limits(limits) => bar.suspend(|| print_limits(limits)),
        Event::Row(row) => bar.suspend(|| print_row(row, &mut heading)),
        Event::Step(step) => bar.suspend(|| print_step(step, &mut heading)),
        Event::Start(start) => bar.suspend(|| print_start(start, &mut heading)),
    });
    bar.finish_and_clear();
    let report = report?;
    if args.json {
        say!("{}", serde_json::to_string_pretty(&report).expect("a report is JSON"));
    } else {
        let first = report.limits.arithmetic_flop_per_second;
        if let Some(note) = drift(first, report.arithmetic_flop_per_second_at_end) {
            say!("\n{note}");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The command line that starts this program for one step on the same adapter.
fn program(adapter: &AdapterArgs) -> Result<Vec<OsString>> {
    let program = std::env::current_exe().map_err(Error::io("find", "the program itself"))?;
    let mut all = vec![program.into(), "bench".into()];
    all.extend(adapter.flags());
    all.push("--first-step".into());
    Ok(all)
}

/// A warning if the limits on arithmetic measured first and at the end differ too much.
fn drift(first: f64, end: f64) -> Option<String> {
    let [first_rate, end_rate] = [first, end].map(|rate| scaled(rate, "FLOP/s"));
    (!(0.85..1.15).contains(&(end / first))).then(|| {
        format!(
            "not to be relied on: multiply-adds went from {first_rate} to {end_rate};\n\
             is the machine busy with something else?"
        )
    })
}

fn print_limits(limits: &Limits) {
    let clock = if limits.by_timestamps { "the adapter's" } else { "the host's" };
    say!("clock    {clock}");
    say!("\nlimits, by which everything below is measured");
    for (what, value) in [
        ("fp32 multiply-adds", scaled(limits.arithmetic_flop_per_second, "FLOP/s")),
        ("copy in the adapter's memory", scaled(limits.copy_bytes_per_second, "B/s")),
        ("dispatch after another", scaled(limits.dispatch_seconds, "s")),
        ("dispatch beside others", scaled(limits.independent_dispatch_seconds, "s")),
        ("submission, with its wait", scaled(limits.submission_seconds, "s")),
        ("upload", scaled(limits.upload_bytes_per_second, "B/s")),
        ("read-back", scaled(limits.readback_bytes_per_second, "B/s")),
    ] {
        say!("  {what:<35} {value:>13}");
    }
}

/// Prints `text` above the first row of a group called `name`; `last` remembers the group.
fn head(last: &mut String, name: &str, text: &str) {
    if last != name {
        name.clone_into(last);
        say!("\n{text}");
    }
}

fn print_row(row: &Row, heading: &mut String) {
    let Row { operation, shape, variant, .. } = row;
    let columns = format!("{:>9} {:>5} {:>13} {:>6}", "time", "±", "rate", "limit");
    head(heading, operation, &format!("{operation:<41} {columns}"));
    let name = format!("  {shape:<16} {variant:<22.22}");
    let (Some(time), Some(share)) = (row.time, row.share_of_limit) else {
        say!("{name} skipped: {}", row.skipped.as_deref().unwrap_or_default());
        return;
    };
    let (work, unit) = if row.flop > 0.0 { (row.flop, "FLOP/s") } else { (row.bytes, "B/s") };
    let rate = scaled(work / time.median_seconds, unit);
    say!("{name} {} {rate:>13} {:>6}", median(&time), percent(share));
}

/// Prints a step's row: batch, dispatches, time with spread, the adapter's part of it, images a
/// second, and the shares of launches, arithmetic, memory and the rest.
fn print_step(step: &Step, heading: &mut String) {
    let columns = "batch disp.      time     ±   adapter images/s launch arith mem. wait";
    head(heading, "step", &format!("step       {columns}"));
    let shares = [step.launch_share, step.arithmetic_share, step.memory_share, step.waiting_share];
    let [launch, arithmetic, memory, waiting] = shares.map(percent);
    say!(
        " {:<11} {:>4} {:>4} {} {:>9} {:>8} {launch:>6} {arithmetic:>5} {memory:>4} {waiting:>4}",
        step.operation.trim_start_matches("step."),
        step.batch,
        step.dispatches,
        median(&step.wall),
        scaled(step.busy.median_seconds, "s"),
        scaled(step.images_per_second, ""),
    );
}

fn print_start(start: &Start, heading: &mut String) {
    let what = "program's start to its first step's end";
    head(heading, "start", &format!("{what:<44} {:>9} {:>5}", "time", "±"));
    let preset = start.operation.trim_start_matches("start.");
    for (caches, time) in [("empty", &start.cold), ("filled", &start.warm)] {
        say!("  {:<42} {}", format!("{preset}, caches {caches}"), median(time));
    }
}

fn median(time: &Time) -> String {
    format!("{:>9} {:>5}", scaled(time.median_seconds, "s"), percent(time.spread()))
}

/// Formats `value` with three significant digits and a prefix: `12.3 ms`.
fn scaled(value: f64, unit: &str) -> String {
    const PREFIXES: [(f64, &str); 8] = [
        (1e15, "P"),
        (1e12, "T"),
        (1e9, "G"),
        (1e6, "M"),
        (1e3, "k"),
        (1.0, ""),
        (1e-3, "m"),
        (1e-6, "µ"),
    ];
    // 999.7 would be rounded to 1000.
    let fitting = PREFIXES.into_iter().find(|(scale, _)| value / scale >= 0.9995);
    let (scale, prefix) = fitting.unwrap_or((1e-9, "n"));
    format!("{} {prefix}{unit}", three(value / scale)).trim_end().to_string()
}

/// Formats a number below 1000 with three significant digits.
fn three(value: f64) -> String {
    let digits = [9.995, 99.95].iter().filter(|&&limit| value < limit).count();
    format!("{value:.digits$}")
}

/// Formats a share as a percentage, with one decimal below ten percent.
fn percent(share: f64) -> String {
    let digits = usize::from(share < 0.0995);
    format!("{:.digits$}%", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_a_prefix() {
        for (value, text) in [
            (34.56e9, "34.6 GB"),
            (999.7e6, "1.00 GB"),
            (999.4e6, "999 MB"),
            (9.996, "10.0 B"),
            (1.5e-9, "1.50 nB"),
            (0.0, "0.00 nB"),
        ] {
            assert_eq!(scaled(value, "B"), text, "{value}");
        }
        assert_eq!([0.0949, 0.995, 1.17].map(percent), ["9.5%", "100%", "117%"]);
    }

    /// Whether it is printed depends on the machine's other work, so that no run can test it.
    #[test]
    fn a_drift_is_told_in_lines_that_fit() {
        assert_eq!(drift(1e12, 1.1e12), None);
        for (first, end) in [(123e12, 456e12), (34.6e9, 69.5e9), (123e9, 0.0)] {
            let note = drift(first, end).unwrap();
            assert!(note.lines().all(|line| line.chars().count() <= 80), "{note}");
        }
    }
}
