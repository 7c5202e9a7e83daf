//! `vae-gpu tune`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::ProgressBar;
use vae_gpu::config::LARGEST_BATCH;
use vae_gpu::error::Load;
use vae_gpu::gpu::AdapterReport;
use vae_gpu::model::Network;
use vae_gpu::train::{StepKind, recorded};
use vae_gpu::{Tune, Vae};

use super::AdapterArgs;
use super::failure::{Failure, Result};
use super::source::{SourceArgs, free, images, named};
use super::values::{path, whole};

#[derive(Args)]
pub struct TuneArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// For images such as these: digits, an IDX folder or a folder of
    /// images [default: what the configuration names]
    #[arg(long, value_name = "DIR", value_parser = path())]
    data: Option<PathBuf>,
    /// For this many images in a step
    #[arg(long, value_name = "IMAGES", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=LARGEST_BATCH))]
    batch_size: Option<usize>,
    /// How much to try: quick or full
    #[arg(long, value_name = "LEVEL", default_value = "full")]
    level: Tune,
}

pub fn run(args: &TuneArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    if args.level == Tune::Off {
        return Err(Failure::Usage("--level off: must be quick or full".into()));
    }
    let mut config = args.source.read()?;
    if args.source.config.is_none() && args.data.is_some() {
        free(&mut config.data);
    }
    config.train.batch_size = args.batch_size.unwrap_or(config.train.batch_size);
    config.check()?;
    let (shape, _) = images(&config, args.data.as_deref())?;
    if let Some(preset) = args.source.preset(shape)? {
        config.model = preset.config_for(shape).model;
    }
    Network::new(&config.model.with_some_classes(), shape).map_err(named(args.source.name()))?;
    let gpu = adapter.open()?;
    let batch = config.train.batch_size;
    let mut vae = Vae::new(&gpu, &config.model, shape, config.train.seed)?;
    let step = recorded(&config, shape, StepKind::Train, gpu.report(), vae.choices())?;
    step.check_fits(Load::Step)?;
    let AdapterReport { name, kind, index, .. } = gpu.report();
    say!("adapter  {name} ({kind}, index {index})");
    say!("batch    {batch}\n");
    say!("{:<15} {:>23}  {:<19} {:>8} {:>8}", "product", "layer", "variant", "ms", "GFLOP/s");
    let bar = ProgressBar::new_spinner().with_message("trying kernels");
    bar.enable_steady_tick(std::time::Duration::from_millis(100));
    vae.tune(args.level, batch, |problem, product, tuned| {
        let (layer, product) = (problem.to_string(), product.name());
        let (ms, rate) = (1e3 * tuned.seconds, problem.flop(batch) / tuned.seconds / 1e9);
        bar.suspend(|| {
            let variant = &tuned.variant;
            say!("{:<15} {layer:>23}  {variant:<19} {ms:>8.3} {rate:>8.1}", product);
        });
    })?;
    bar.finish_and_clear();
    Ok(ExitCode::SUCCESS)
}
