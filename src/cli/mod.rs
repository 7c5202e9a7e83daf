//! The command line, with one file for each subcommand. Nothing else in the crate prints.

/// Prints a line like `println!`, but ends the program with an error message if standard output
/// cannot be written.
macro_rules! say {
    ($($text:tt)*) => { $crate::cli::say(format_args!($($text)*)) };
}

/// Prints a line on standard error, or nothing where that cannot be written.
macro_rules! warn {
    ($($text:tt)*) => { $crate::cli::warn(format_args!($($text)*)) };
}

mod bench;
mod devices;
mod evaluate;
mod failure;
mod inspect;
pub mod layers;
mod picture;
mod plan;
mod presets;
mod progress;
mod reading;
mod reconstruct;
mod sample;
mod shell;
mod source;
mod stop;
mod train;
mod training;
mod tune;
mod values;

use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use clap::error::{ContextKind, ContextValue};
use clap::{Args, Parser, Subcommand};
use vae_gpu::gpu::{AdapterReport, Backend, unanswered_gpu};
use vae_gpu::words::{counted, did_you_mean, readable, shortened};
use vae_gpu::{AdapterOptions, Error, Gpu, Note};

use failure::Result;

/// Train variational autoencoders entirely in GPU compute shaders.
#[derive(Parser)]
#[command(version, max_term_width = 80, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    adapter: AdapterArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Train a model; without flags, the preset mlp on built-in digits
    Train(train::TrainArgs),
    /// Draw new images from a trained model
    Sample(sample::SampleArgs),
    /// Show images of a dataset above what the model makes of them
    Reconstruct(reconstruct::ReconstructArgs),
    /// Print the losses on the test split, in nats per image
    Evaluate(evaluate::EvaluateArgs),
    /// Find the fastest kernels for a model, ahead of training
    Tune(tune::TuneArgs),
    /// List the adapters that can be used, the default first
    Devices(devices::DevicesArgs),
    /// Measure the adapter's limits, every kernel and whole training steps
    Bench(bench::BenchArgs),
    /// Show a model's layers, their sizes, and the memory that training takes
    Inspect(inspect::InspectArgs),
    /// Print the dispatches of a step, what they bind, and their WGSL
    Plan(plan::PlanArgs),
    /// List the presets, or print one as a TOML file to start from
    Presets(presets::PresetsArgs),
}

#[derive(Args)]
struct AdapterArgs {
    /// Adapter to use: its index in `vae-gpu devices`, or part of its name
    #[arg(long, global = true, value_name = "NAME|INDEX", help_heading = "Adapter")]
    adapter: Option<String>,
    /// Use only adapters of this backend: vulkan, metal, dx12 or gl
    #[arg(long, global = true, help_heading = "Adapter")]
    backend: Option<Backend>,
}

impl AdapterArgs {
    fn options(&self) -> AdapterOptions {
        AdapterOptions {
            adapter: self.adapter.clone(),
            backend: self.backend,
            ..AdapterOptions::default()
        }
    }

    /// The flags that choose the same adapter again.
    fn flags(&self) -> Vec<OsString> {
        let adapter = self.adapter.iter().flat_map(|name| ["--adapter".into(), name.into()]);
        let backend = self.backend.map(|backend| ["--backend".into(), backend.to_string().into()]);
        adapter.chain(backend.into_iter().flatten()).collect()
    }

    /// A command of this program on the same adapter, to be pasted into a shell.
    fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> String {
        shell::command(args.into_iter().map(Into::into).chain(self.flags()))
    }

    fn open(&self) -> Result<Gpu> {
        let gpu = Gpu::with_options(&self.options())?;
        self.note(gpu.report());
        Ok(gpu)
    }

    /// Says what usually helps where `adapter` is a software one that nobody asked for, and there is a GPU.
    fn note(&self, adapter: &AdapterReport) {
        let unasked = self.adapter.is_none() && adapter.is_software();
        if let (true, Some(hint)) = (unasked, unanswered_gpu()) {
            warn!("note: this runs on the CPU; {hint}");
        }
    }
}

/// Parses the command line, runs it, and says what went wrong in one line.
pub fn run() -> ExitCode {
    // Nothing is logged unless RUST_LOG is set: users are told of failures by errors.
    env_logger::Builder::new().filter_level(log::LevelFilter::Off).parse_default_env().init();
    stop::watch();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(e) => return usage(&e),
    };
    let outcome = match cli.command {
        Command::Train(args) => train::run(&args, &cli.adapter),
        Command::Sample(args) => {
            sample::run(&args, &cli.adapter).map_err(|failure| failure.of_model(&args.run))
        }
        Command::Reconstruct(args) => reconstruct::run(&args, &cli.adapter)
            .map_err(|failure| failure.of_model(&args.split.run)),
        Command::Evaluate(args) => {
            evaluate::run(&args, &cli.adapter).map_err(|failure| failure.of_model(&args.split.run))
        }
        Command::Tune(args) => tune::run(&args, &cli.adapter),
        Command::Devices(args) => devices::run(&args, &cli.adapter),
        Command::Bench(args) => bench::run(&args, &cli.adapter),
        Command::Inspect(args) => inspect::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Presets(args) => presets::run(&args),
    };
    let code = outcome.unwrap_or_else(|failure| {
        warn!("error: {}", readable(&failure.to_string()));
        failure.list().iter().for_each(|line| warn!("  {}", readable(line)));
        ExitCode::from(failure.exit_code())
    });
    if IS_MUTE.load(Relaxed) { ExitCode::from(1) } else { code }
}

/// Prints help where it was asked for, and otherwise the first paragraph of clap's error as a line.
fn usage(error: &clap::Error) -> ExitCode {
    use clap::error::ErrorKind as Kind;
    let asked = matches!(error.kind(), Kind::DisplayHelp | Kind::DisplayVersion);
    if asked || error.kind() == Kind::DisplayHelpOnMissingArgumentOrSubcommand {
        if !asked {
            let _ = error.print();
            return ExitCode::from(2);
        }
        printed(error.print());
        return ExitCode::SUCCESS;
    }
    let mut text = error.render().to_string();
    for value in
        [ContextKind::InvalidValue, ContextKind::InvalidArg, ContextKind::InvalidSubcommand]
    {
        if let Some(ContextValue::String(value)) = error.get(value) {
            text = text.replace(value, &shortened(value));
        }
    }
    let paragraph: Vec<_> = text.lines().take_while(|l| !l.is_empty()).map(str::trim).collect();
    let meant = meant(error).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
    warn!("{}{meant} (--help shows the usage)", readable(&paragraph.join(" ")));
    ExitCode::from(2)
}

/// The command, flag or value most like the one that is none.
fn meant(error: &clap::Error) -> Option<&String> {
    let kinds = [
        (ContextKind::InvalidSubcommand, ContextKind::SuggestedSubcommand),
        (ContextKind::InvalidArg, ContextKind::SuggestedArg),
        (ContextKind::InvalidValue, ContextKind::SuggestedValue),
    ];
    kinds.into_iter().find_map(|(kind, suggested)| {
        let ContextValue::String(given) = error.get(kind)? else { return None };
        let meant = match error.get(suggested)? {
            ContextValue::String(meant) => meant,
            // The most like one is the last.
            ContextValue::Strings(all) => all.last()?,
            _ => return None,
        };
        // Clap offers what is hardly like it, too.
        let [given, name] = [given, meant].map(|name| name.trim_start_matches('-'));
        (!did_you_mean(given, [name]).is_empty()).then_some(meant)
    })
}

/// Says that the model in `run`, a run folder or the file in one, has hardly been trained, if so.
fn note_untrained(run: &Path) {
    let folder = if run.is_dir() { run } else { run.parent().unwrap_or(run) };
    let Some(state) = vae_gpu::train::counters(folder) else { return };
    // An epoch that was stopped in its evaluation has been trained on.
    if state.epoch == 0 && state.row < state.images.max(1) {
        let trained = match state.step {
            0 => "has not been trained yet".into(),
            steps => {
                let steps = counted(steps, "step");
                format!("has been trained for {steps} only, less than one epoch")
            }
        };
        warn!("note: {}: the model {trained}", run.display());
    }
}

/// Whether something could not be printed.
static IS_MUTE: AtomicBool = AtomicBool::new(false);

fn say(line: std::fmt::Arguments) {
    printed(writeln!(std::io::stdout(), "{line}"));
}

/// Takes the outcome of printing on standard output. If the reader has closed the pipe, as `| head`
/// does, what was printed is dropped; on any other failure the program ends with an error, once what
/// it trained is saved.
fn printed(outcome: std::io::Result<()>) {
    match outcome {
        Err(e) if e.kind() != ErrorKind::BrokenPipe => {
            if !IS_MUTE.swap(true, Relaxed) {
                warn!("error: {}", Error::io("write", "standard output")(e));
            }
            stop::request(1);
        }
        _ => {}
    }
}

fn warn(line: std::fmt::Arguments) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints remarks on a dataset, which are no part of what was asked for.
fn note(notes: &[Note]) {
    notes.iter().for_each(|note| warn!("note: {}", readable(&failure::noted(note))));
}

/// Prints the path of a picture that was written.
fn wrote(out: &Path) {
    say!("wrote {}", out.display());
}
