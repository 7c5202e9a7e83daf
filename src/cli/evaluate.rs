//! `vae-gpu evaluate`.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use vae_gpu::config::{Bound, DataConfig, KlSchedule, Likelihood, ModelConfig};
use vae_gpu::model::{Input, NegLogLikelihood, RECON, TensorFile};
use vae_gpu::train::RunFolder;
use vae_gpu::words::counted;
use vae_gpu::{Config, Dataset, Error, Evaluator, ImageShape, Noise, Table, Vae};

use super::failure::{Failure, Result};
use super::reading::ReadingArgs;
use super::source::named;
use super::values::{channels, path, size, whole};
use super::{AdapterArgs, note, note_untrained};

#[derive(Args)]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub split: SplitArgs,
    /// Take z at the posterior's mean, without noise
    #[arg(long)]
    mean: bool,
    /// Also estimate the negative log-likelihood from so many samples of
    /// each image
    #[arg(long, value_name = "SAMPLES", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=1_000_000u32))]
    samples: Option<u32>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A trained model and the images on which it is evaluated.
#[derive(Args)]
pub struct SplitArgs {
    /// Run folder, or a model.safetensors
    #[arg(value_parser = path())]
    pub run: PathBuf,
    /// Dataset: digits, an IDX folder as MNIST's, or a folder of
    /// images; by default the one that the run was trained on
    #[arg(long, value_name = "DIR", value_parser = path())]
    data: Option<PathBuf>,
    /// Resize the images of a folder
    #[arg(long, value_name = "WxH", value_parser = size)]
    size: Option<(usize, usize)>,
    /// Convert the images of a folder to 1 (grey) or 3 channels
    #[arg(long, value_name = "1|3", value_parser = channels)]
    channels: Option<usize>,
    #[command(flatten)]
    reading: ReadingArgs,
}

/// A test split.
pub struct Split {
    pub table: Table,
    pub name: &'static str,
    config: Config,
}

impl SplitArgs {
    /// Reads the test split, or the images that the run held out, or otherwise all images.
    pub fn read(&self) -> Result<Split> {
        let mut config = match (self.run.is_dir(), &self.data) {
            (true, _) => RunFolder::config(&self.run)?,
            (false, _) if !self.run.exists() => RunFolder::config(&self.run)?,
            (false, Some(_)) => {
                let train = TensorFile::read(&self.run)?.header.train;
                Config { train: train.unwrap_or_default(), ..Config::default() }
            }
            (false, None) => {
                let message =
                    "--data: is needed with a model file, which does not name its dataset";
                return Err(Failure::Usage(message.into()));
            }
        };
        if let Some(path) = &self.data {
            // The run's options for reading and splitting its dataset do not apply to another.
            if path.canonicalize().ok().as_ref() != Some(&config.data.path) {
                config.data = DataConfig { path: path.clone(), ..DataConfig::default() };
            }
        }
        config.data.size = self.size.or(config.data.size);
        config.data.channels = self.channels.or(config.data.channels);
        self.reading.set(&mut config.data);
        let flags = self.data.is_some() || self.size.is_some() || self.channels.is_some();
        let data = self.dataset(&config).map_err(|failure| match flags {
            true => failure,
            false => failure.of_run(&self.run),
        })?;
        note(&data.notes);
        let (table, name) = match data.test {
            Some(test) => (test, "test split"),
            None => (data.train, "all images, for want of a test split"),
        };
        Ok(Split { table, name, config })
    }

    /// The dataset, with what was held out of it if it has no test split of its own.
    fn dataset(&self, config: &Config) -> Result<Dataset> {
        let survey = config.data.survey(self.reading.memory())?;
        let model = self.model_of(survey.shape)?;
        let data = survey.read()?;
        let data = match (&data.test, config.data.hold_out) {
            (None, Some(fraction)) => data.hold_out(fraction, config.train.seed)?,
            _ => data,
        };
        if let Some(condition) = &model.condition {
            let table = data.test.as_ref().unwrap_or(&data.train);
            condition.indices(table).map_err(named(&config.data.path))?;
        }
        Ok(data)
    }

    /// The model's configuration; fails before images are decoded which it does not take.
    fn model_of(&self, given: ImageShape) -> Result<ModelConfig> {
        let file = match self.run.is_dir() {
            true => self.run.join("model.safetensors"),
            false => self.run.clone(),
        };
        let (config, model) = TensorFile::read(file)?.vae()?;
        match model == given {
            true => Ok(config),
            false => Err(Error::Shape { model, given }.into()),
        }
    }
}

pub fn run(args: &EvaluateArgs, adapter: &AdapterArgs) -> Result<ExitCode> {
    let split = args.split.read()?;
    let model = Vae::load(&adapter.open()?, &args.split.run)?;
    note_untrained(&args.split.run);
    if args.samples.is_some() && !model.config().variational {
        return Err(Error::NoPrior.into());
    }
    let train = &split.config.train;
    let noise = if args.mean { Noise::Mean } else { Noise::Seeded }(train.seed);
    let losses = Evaluator::new(&model, &split.table, train.batch_size, noise)?.run()?;
    let estimate = args.samples.map(|samples| estimate(&model, &split.table, samples, train.seed));
    let estimate = estimate.transpose()?;
    let (count, scale) = (split.table.len(), model.scale()?);
    if args.json {
        let mut json = serde_json::to_value(&losses).expect("losses are JSON");
        json["images"] = count.into();
        if let Some(scale) = scale {
            json["scale"] = scale.into();
        }
        if let Some(estimate) = &estimate {
            json["nll"] = estimate.mean().into();
            json["nll_standard_error"] = estimate.standard_error().into();
            json["samples"] = estimate.samples.into();
        }
        say!("{json}");
    } else {
        say!("images  {count:>10}  {}", split.name);
        say!(
            "loss    {:>10.4}  nats per image{}",
            losses.loss,
            objective(model.config(), args.mean)
        );
        let term = |name| losses.term(name).unwrap_or(f64::NAN);
        say!("recon   {:>10.4}", term(RECON));
        if let Some(scale) = scale {
            say!("scale   {scale:>10.4}  of the pixels, learnt");
        }
        if !model.config().variational {
            return Ok(ExitCode::SUCCESS);
        }
        say!("kl      {:>10.4}", losses.kl().unwrap_or(f64::NAN));
        for (name, value) in losses.terms.iter().filter(|(name, _)| name.starts_with("kl.")) {
            say!("  {name:<6}{value:>10.4}");
        }
        if let Some(estimate) = &estimate {
            let error = estimate.standard_error();
            let error = error.map_or(String::new(), |error| format!(" ± {error:.2}"));
            let more = match model.config().likelihood {
                Likelihood::SquaredError => {
                    ", with the Gaussian's constant, which recon leaves out"
                }
                _ => "",
            };
            say!(
                "nll     {:>10.4}{error}  by {} an image{more}",
                estimate.mean(),
                counted(estimate.samples, "sample")
            );
        }
        let latent = losses.unit_kl.len();
        if latent == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        say!("active  {:>10}  of {}", losses.active_units, counted(latent, "latent variable"));
        if latent <= MOST_UNITS {
            let units: Vec<_> = losses.unit_kl.iter().map(|kl| format!("{kl:.2}")).collect();
            for (i, units) in units.chunks(8).enumerate() {
                let what = if i == 0 { "kl of each" } else { "" };
                let units: String = units.iter().map(|unit| format!("{unit:>8}")).collect();
                say!("{what:<10}{units}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The negative log-likelihood of the images of `table`, with a bar while it is estimated.
fn estimate(model: &Vae, table: &Table, samples: u32, seed: u64) -> Result<NegLogLikelihood> {
    let template = "estimating {bar:30} {pos}/{len} images, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is valid");
    let bar = ProgressBar::new(table.len() as u64).with_style(style);
    let images = Input::of(model.config(), table, seed);
    let estimate = model.neg_log_likelihood(images, samples as usize, seed, |done, _| {
        bar.set_position(done as u64);
        ControlFlow::Continue(())
    })?;
    bar.finish_and_clear();
    Ok(estimate.expect("nothing breaks it off"))
}

/// Largest number of latent variables of which each is shown.
const MOST_UNITS: usize = 64;

/// The loss as a formula of its terms.
fn objective(model: &ModelConfig, at_mean: bool) -> String {
    let weight = model.kl_weight;
    match model.kl_schedule {
        _ if model.bound == Bound::Iwae && at_mean => {
            ", the bound's formula at the mean, where it is no bound".into()
        }
        _ if model.bound == Bound::Iwae => {
            format!(" = the bound of {}", counted(model.samples, "sample"))
        }
        _ if !model.variational => " = recon".into(),
        Some(KlSchedule::Capacity { nats, .. }) => format!(" = recon + {weight} |kl - {nats}|"),
        _ if model.free_bits > 0.0 => {
            format!(" = recon + {weight} kl, each at least {}", model.free_bits)
        }
        _ => format!(" = recon + {weight} kl"),
    }
}
