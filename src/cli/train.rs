//! `vae-gpu train`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use vae_gpu::config::{LARGEST_BATCH, LARGEST_SEED, TrainConfig, can_be_written, is_inherited};
use vae_gpu::error::Load;
use vae_gpu::gpu::AdapterReport;
use vae_gpu::model::Network;
use vae_gpu::train::{Placement, RunFolder, StepKind, recorded};
use vae_gpu::words::counted;
use vae_gpu::{Config, Dataset, Error, ImageShape, Survey, TrainOptions, Trainer, Tune};

use super::failure::{Failure, Result};
use super::progress::introduce;
use super::reading::ReadingArgs;
use super::source::{Fitted, SourceArgs, free, named};
use super::values::{channels, fraction, path, rate, size, whole};
use super::{AdapterArgs, layers, note, stop, training};

/// The variable that says how much to tune where no flag does.
const TUNE: &str = "VAE_GPU_TUNE";

#[derive(Args)]
pub struct TrainArgs {
    /// Dataset: digits, an IDX folder as MNIST's, or a folder of images
    /// [default: what the configuration names, or else digits]
    #[arg(long, value_name = "DIR", value_parser = path())]
    data: Option<PathBuf>,
    #[command(flatten)]
    source: SourceArgs,
    /// Go on with the run in this folder
    #[arg(
        long,
        value_name = "RUN",
        value_parser = path(),
        conflicts_with_all = [
            "preset", "config", "batch_size", "seed", "hold_out", "size", "channels",
            "background", "white", "skip_bad",
            "out", "overwrite",
        ]
    )]
    resume: Option<PathBuf>,
    /// Train until this many epochs are done
    #[arg(long, allow_negative_numbers = true, value_parser = whole(1..=u32::MAX))]
    epochs: Option<u32>,
    /// Stop after this many steps, whatever the epochs
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=u32::MAX))]
    max_steps: Option<u32>,
    /// Images in a step
    #[arg(long, value_name = "IMAGES", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=LARGEST_BATCH))]
    batch_size: Option<usize>,
    /// Learning rate
    #[arg(long, allow_negative_numbers = true, value_parser = rate)]
    lr: Option<f64>,
    /// Seed of weights, shuffle and noise
    #[arg(long, allow_negative_numbers = true, value_parser = whole(0..=LARGEST_SEED))]
    seed: Option<u64>,
    /// Hold out this fraction of the training images as the test split
    #[arg(long, alias = "validation", value_name = "FRACTION", allow_negative_numbers = true)]
    #[arg(value_parser = fraction)]
    hold_out: Option<f64>,
    /// Resize the images of a folder
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(usize, usize)>,
    /// Convert the images of a folder to 1 (grey) or 3 channels
    #[arg(long, value_name = "1|3", value_parser = channels)]
    channels: Option<usize>,
    #[command(flatten)]
    reading: ReadingArgs,
    /// Send the data to the adapter as training takes them, though they would fit there
    #[arg(long)]
    stream: bool,
    /// Save the run within an epoch, too, once the last save is so many seconds ago
    #[arg(long, value_name = "SECONDS", default_value_t = 300, allow_negative_numbers = true)]
    #[arg(value_parser = whole(0..=u32::MAX))]
    save_every: u32,
    /// Try kernels before training and remember the fastest: off, quick or full
    /// [env: VAE_GPU_TUNE] [default: quick]
    #[arg(long, value_name = "LEVEL")]
    tune: Option<Tune>,
    /// Folder for the results [default: runs/PRESET-DATASET, numbered if taken]
    #[arg(long, value_name = "RUN", value_parser = path())]
    out: Option<PathBuf>,
    /// Replace the run that --out holds
    #[arg(long, requires = "out")]
    overwrite: bool,
}

impl TrainArgs {
    /// The amount of tuning: the flag's, or the environment's, or the default.
    fn tune(&self) -> Result<Tune> {
        let level = match (self.tune, std::env::var_os(TUNE)) {
            (Some(tune), _) => return Ok(tune),
            (None, None) => return Ok(Tune::Quick),
            (None, Some(level)) => level,
        };
        let level = level.to_string_lossy().parse::<Tune>();
        level.map_err(|e| Failure::Usage(format!("{TUNE}: {e}")))
    }

    /// The configuration of the run, file or preset, with the values of the flags, and whether its batch
    /// size was chosen.
    fn config(&self) -> Result<(Config, bool)> {
        let (mut config, stated) = match &self.resume {
            Some(run) => (RunFolder::config(run)?, true),
            None => self.source.read_with_batch()?,
        };
        if self.resume.is_none() && self.source.config.is_none() {
            free(&mut config.data);
        }
        config.data.path = self.data.clone().unwrap_or(config.data.path);
        if config.data.is_builtin() {
            let (stated, digits) = (config.data.stated_shape(), ImageShape::DIGITS);
            let stated = stated.map_err(|e| self.of_run(e.into()))?;
            if stated != digits {
                return Err(self.of_run(Failure::Usage(format!(
                    "{}: takes images of {stated}; name a folder of them with --data",
                    self.name().display()
                ))));
            }
        }
        self.set(&mut config.train);
        config.data.hold_out = self.hold_out.or(config.data.hold_out);
        config.data.size = self.size.or(config.data.size);
        config.data.channels = self.channels.or(config.data.channels);
        self.reading.set(&mut config.data);
        config.check()?;
        if !config.data.is_builtin() {
            // An absolute path lets the run be resumed from another folder.
            let path = &config.data.path;
            config.data.path = path.canonicalize().map_err(Error::io("read the dataset", path))?;
            if !can_be_written(&config.data.path) {
                let message = "is no UTF-8 path, so config.toml cannot name it; rename it";
                return Err(Error::data(&config.data.path, message).into());
            }
        }
        Ok((config, stated || self.batch_size.is_some()))
    }

    /// A failure with the configuration; where all of it comes from a run that goes on, the failure is that
    /// run's.
    fn of_run(&self, failure: Failure) -> Failure {
        match &self.resume {
            Some(run) => failure.of_run(run),
            None => failure,
        }
    }

    /// Reads the headers of the dataset, and fits `config` to it by a preset, if it comes from one; returns
    /// both.
    fn survey(&self, config: &mut Config) -> Result<(Survey, Option<Fitted>)> {
        let memory = self.reading.memory();
        let surveyed = match &self.resume {
            Some(_) => (config.data.survey(memory)?, None),
            None => self.source.fit(config, memory)?,
        };
        self.set(&mut config.train);
        config.check()?;
        Ok(surveyed)
    }

    /// The dataset, with what is held out of it.
    fn dataset(&self, config: &Config, survey: Survey) -> Result<Dataset> {
        let data = survey.read()?;
        Ok(match config.data.hold_out {
            Some(fraction) => data.hold_out(fraction, config.train.seed)?,
            None => data,
        })
    }

    /// Sets the values of flags.
    fn set(&self, train: &mut TrainConfig) {
        train.epochs = self.epochs.unwrap_or(train.epochs);
        train.batch_size = self.batch_size.unwrap_or(train.batch_size);
        train.learning_rate = self.lr.unwrap_or(train.learning_rate);
        train.seed = self.seed.unwrap_or(train.seed);
    }

    /// The model's file, or `preset` and its name, for messages.
    fn name(&self) -> PathBuf {
        let run = self.resume.as_ref().map(|run| run.join("config.toml"));
        run.unwrap_or_else(|| self.source.name())
    }

    /// The run folder: `--out`, or a folder under `runs` that is not taken.
    fn out(&self, data: &Dataset, fitted: Option<&Fitted>) -> PathBuf {
        if let Some(out) = &self.out {
            return out.clone();
        }
        let stem = |file: &Path| match is_inherited(file) {
            true => "config".into(),
            false => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let stem = self.source.config.as_deref().map(stem);
        let preset = fitted.map_or("mlp", |fitted| fitted.preset.name());
        let name = format!("{}-{}", stem.as_deref().unwrap_or(preset), data.name);
        let numbered = (2..).map(|n| format!("{name}-{n}"));
        let mut folders = std::iter::once(name.clone()).chain(numbered);
        let free = folders.find_map(|f| {
            let path = Path::new("runs").join(f);
            (!path.exists()).then_some(path)
        });
        free.expect("some number is free")
    }
}

pub fn run(args: &TrainArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    let tune = args.tune()?;
    // Before the run is read, so that nobody changes it meanwhile.
    let resumed = args.resume.as_ref().map(RunFolder::open).transpose()?;
    let (mut config, is_chosen) = args.config()?;
    if let Some(out) = &args.out {
        RunFolder::check(out, args.overwrite)?;
    }
    let of_run = |failure| args.of_run(failure);
    let (survey, fitted) = args.survey(&mut config).map_err(of_run)?;
    let shape = survey.shape;
    let network = Network::new(&config.model.with_some_classes(), shape);
    let network = match &args.resume {
        Some(_) => network.map_err(|e| args.of_run(e.into()))?,
        None => network.map_err(named(args.name()))?,
    };
    let gpu = adapter.open()?;
    check_fits(&config, &survey, gpu.report())?;
    let data = args.dataset(&config, survey).map_err(of_run)?;
    note(&data.notes);
    let images = data.train.len();
    let shrunk = !is_chosen && images < config.train.batch_size;
    if shrunk {
        config.train.batch_size = images;
    }
    if let Some(warning) = layers::lone_images(&network, images, config.train.batch_size) {
        warn!("warning: {warning}");
    }
    let placement = if args.stream { Placement::STREAMED } else { Placement::Auto };
    let max_steps = args.max_steps;
    let options = TrainOptions { max_steps, tune, placement, ..TrainOptions::default() };
    // Tuning takes up to two seconds, once on an adapter.
    let tuning = ProgressBar::new_spinner().with_message("finding the fastest kernels");
    tuning.enable_steady_tick(Duration::from_millis(100));
    let mut saving = Duration::ZERO;
    let (trainer, mut run) = match resumed {
        Some(run) => {
            let checkpoint = run.checkpoint();
            let trainer = Trainer::resume(&gpu, &config, &data, options, checkpoint);
            (trainer.map_err(|e| args.of_run(e.into()))?, run)
        }
        None => {
            let trainer = Trainer::new(&gpu, &config, &data, options)?;
            // Before this a signal leaves nothing behind, and from here on a whole run.
            stop::save_first();
            let begun = Instant::now();
            let run = loop {
                match RunFolder::create(
                    args.out(&data, fitted.as_ref()),
                    &trainer,
                    &data,
                    args.overwrite,
                ) {
                    // Another program was faster; there is a next number.
                    Err(Error::Taken { .. } | Error::InUse { .. }) if args.out.is_none() => {}
                    created => break created?,
                }
            };
            saving = begun.elapsed();
            (trainer, run)
        }
    };
    tuning.finish_and_clear();
    stop::save_first();
    introduce(gpu.report(), &data, &trainer, &run, fitted.as_ref());
    if shrunk {
        say!("batch    {}, all that there are to train on", counted(images, "image"));
    }
    if trainer.is_finished() {
        say!(
            "nothing to do: {} and {} are done; ask for more with --epochs",
            counted(trainer.state().epoch, "epoch"),
            counted(trainer.state().step, "step")
        );
        return Ok(ExitCode::SUCCESS);
    }
    let within = Duration::from_secs(args.save_every.into());
    training::train(&trainer, &mut run, &data, (within, saving), adapter)
}

/// Fails before images are decoded with which no step fits the adapter.
fn check_fits(config: &Config, survey: &Survey, adapter: &AdapterReport) -> Result<()> {
    let mut config = config.clone();
    config.train.batch_size = config.train.batch_size.min(survey.train);
    let step = recorded(&config, survey.shape, StepKind::Train, adapter, &Arc::default())?;
    Network::new(&config.model.with_some_classes(), survey.shape)?.check_parameters(adapter)?;
    Ok(step.check_fits(Load::Step)?)
}
