//! `vae-gpu inspect`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use vae_gpu::config::LARGEST_BATCH;
use vae_gpu::gpu::{AdapterReport, Recording};
use vae_gpu::model::{Network, TensorFile};
use vae_gpu::train::{RunFolder, StepKind, recorded};
use vae_gpu::words::{counted, did_you_mean};
use vae_gpu::{Config, Error, ImageShape, Preset};

use super::failure::Result;
use super::layers::{self, LayerRow};
use super::source::{free, images, named};
use super::values::{channels, path, size, whole};

#[derive(Args)]
pub struct InspectArgs {
    #[command(flatten)]
    model: ModelArgs,
}

/// The source of a model, and the images for which it is inspected.
#[derive(Args)]
pub struct ModelArgs {
    /// A TOML file, a run folder, a model.safetensors, or a preset's name
    #[arg(value_parser = path())]
    what: PathBuf,
    /// For images such as these: digits, an IDX folder or a folder of
    /// images [default: what the configuration names]
    #[arg(long, value_name = "DIR", value_parser = path())]
    data: Option<PathBuf>,
    /// For images of this size, without reading any
    #[arg(long, value_name = "WxH", value_parser = size, conflicts_with = "data")]
    size: Option<(usize, usize)>,
    /// For images of 1 (grey) or 3 channels, likewise
    #[arg(long, value_name = "1|3", value_parser = channels, conflicts_with = "data")]
    channels: Option<usize>,
    /// For this many images in a step
    #[arg(long, value_name = "IMAGES", allow_negative_numbers = true)]
    #[arg(value_parser = whole(1..=LARGEST_BATCH))]
    batch_size: Option<usize>,
}

pub fn run(args: &InspectArgs) -> Result<ExitCode> {
    let (config, shape, count) = args.model.resolve()?;
    let network =
        Network::new(&config.model.with_some_classes(), shape).map_err(named(args.model.what()))?;
    let (adapter, choices) = (AdapterReport::webgpu(), Arc::default());
    let step = recorded(&config, shape, StepKind::Train, &adapter, &choices)?;
    print_layers(&layers::rows(&network), shape);
    if let Some(condition) = config.model.condition.filter(|known| known.classes.is_empty()) {
        say!("{}: taken as 10 classes, until training takes those of the data", condition.column);
    }
    print_memory(&step, config.train.batch_size, shape, count);
    Ok(ExitCode::SUCCESS)
}

impl ModelArgs {
    /// The file, folder or preset that was named.
    pub fn what(&self) -> &Path {
        &self.what
    }

    /// The configuration, the shape of the images, and their number if it is known.
    pub fn resolve(&self) -> Result<(Config, ImageShape, Option<usize>)> {
        let flags = self.data.is_some() || self.size.is_some() || self.channels.is_some();
        self.resolved().map_err(|failure| match self.what.is_dir() && !flags {
            true if self.batch_size.is_none() => failure.of_run(&self.what),
            _ => failure,
        })
    }

    fn resolved(&self) -> Result<(Config, ImageShape, Option<usize>)> {
        let (mut config, of_run) = self.read()?;
        let preset = self.preset().filter(|_| !self.what.exists());
        if preset.is_some() && self.data.is_some() {
            free(&mut config.data);
        }
        config.train.batch_size = self.batch_size.unwrap_or(config.train.batch_size);
        config.check()?;
        let (shape, count) = self.images(&config, of_run)?;
        if let Some(preset) = preset {
            let fitted = preset.config_for(shape);
            (config.model, config.train) = (fitted.model, fitted.train);
            config.train.batch_size = self.batch_size.unwrap_or(config.train.batch_size);
        }
        Network::new(&config.model.with_some_classes(), shape).map_err(named(&self.what))?;
        Ok((config, shape, count))
    }

    /// The configuration, and for a run the shape of its images.
    fn read(&self) -> Result<(Config, Option<ImageShape>)> {
        if self.what.is_dir() {
            let config = RunFolder::config(&self.what)?;
            let (_, image) = TensorFile::read(self.what.join("model.safetensors"))?.vae()?;
            return Ok((config, Some(image)));
        }
        if self.what.extension().is_some_and(|extension| extension == "safetensors") {
            let file = TensorFile::read(&self.what)?;
            let (model, image) = file.vae()?;
            let train = file.header.train.unwrap_or_default();
            return Ok((Config { model, train, ..Config::default() }, Some(image)));
        }
        if self.what.exists() {
            return Ok((Config::read(&self.what)?, None));
        }
        let preset = self.preset().ok_or_else(|| {
            let presets = Preset::ALL.map(|preset| preset.name());
            let message = format!(
                "does not exist; give a TOML file, a run folder, a model file or a preset: {}{}",
                presets.join(", "),
                did_you_mean(&self.what.to_string_lossy(), presets)
            );
            Error::run(&self.what, message)
        })?;
        Ok((preset.config(), None))
    }

    /// The preset of that name.
    fn preset(&self) -> Option<Preset> {
        self.what.to_str().and_then(|name| name.parse().ok())
    }

    /// The shape of the images for which the model is inspected, and their number if it is known.
    fn images(
        &self,
        config: &Config,
        of_run: Option<ImageShape>,
    ) -> Result<(ImageShape, Option<usize>)> {
        let flags = self.size.is_some() || self.channels.is_some();
        if self.data.is_some() || (of_run.is_none() && !flags) {
            return images(config, self.data.as_deref());
        }
        let known = of_run.map_or_else(|| config.data.stated_shape(), Ok)?;
        let (width, height) = self.size.unwrap_or((known.width, known.height));
        let channels = self.channels.unwrap_or(known.channels);
        let shape = ImageShape { width, height, channels };
        shape.check()?;
        Ok((shape, None))
    }
}

fn print_layers(rows: &[LayerRow], image: ImageShape) {
    let labels = rows.iter().map(|row| row.label.len()).max().unwrap_or_default();
    // The width that a terminal of 80 columns leaves beside the labels.
    let width = 46usize.saturating_sub(labels).max(20);
    let line = |label: &str, words: &str, output: &str, parameters: &str, flop: &str| {
        let text =
            format!("{label:<labels$} {words:<width$} {output:>10} {parameters:>10} {flop:>8}");
        say!("{}", text.trim_end());
    };
    line("layer", "", "output", "parameters", "MFLOP");
    line("images", "", &format!("{}x{}x{}", image.channels, image.height, image.width), "", "");
    for row in rows {
        // The description of a layer may take several lines.
        let options = textwrap::Options::new(width).subsequent_indent("  ");
        let words = textwrap::wrap(&row.words, options);
        let flop = format!("{:.3}", row.flop as f64 / 1e6);
        line(&row.label, &words[0], &row.output.to_string(), &row.parameters.to_string(), &flop);
        words[1..].iter().for_each(|words| line("", words, "", "", ""));
    }
    let parameters: usize = rows.iter().map(|row| row.parameters).sum();
    let flop = rows.iter().map(|row| row.flop as f64).sum::<f64>() / 1e6;
    line("together", "", "", &parameters.to_string(), &format!("{flop:.3}"));
    let samples = rows.iter().map(|row| row.samples).max().filter(|samples| *samples > 1);
    let samples = samples.map_or(String::new(), |samples| format!(" of {samples} samples"));
    say!(
        "\nMFLOP: multiplications and additions of products, in millions, forward, an image{samples}"
    );
}

/// Prints the memory that training takes, from the recording of its step.
fn print_memory(step: &Recording, batch: usize, shape: ImageShape, count: Option<usize>) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let buffers = step.buffers();
    let named = |name: &str| buffers.iter().find(|buffer| buffer.name() == name);
    let parameters = named("parameters").map_or(0, |buffer| buffer.bytes());
    say!("\nmemory for training at {} in a step, MiB", counted(batch, "image"));
    let more = match named("gradients") {
        Some(_) => "twice for the optimizer, once for gradients",
        None => "twice for the optimizer",
    };
    say!("parameters  {:>9.1}  and as much {more}", mib(parameters));
    say!("activations {:>9.1}  with their gradients", mib(step.workspace_bytes()));
    let pixels = shape.pixels() as u64;
    match count {
        Some(count) => {
            say!("data        {:>9.1}  {}", mib(count as u64 * pixels), counted(count, "image"))
        }
        None => say!("data        {:>9.1}  for each 10000 images", mib(10_000 * pixels)),
    }
}
