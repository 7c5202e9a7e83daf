//! The folder that a run leaves behind.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::pictures::{self, RECONSTRUCTIONS, SAMPLES};
use super::{EpochReport, Trainer, plot};
use crate::config::{self, Config};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::files::{self, FolderLock};

/// A folder with `model.safetensors`, `config.toml`, `metrics.jsonl`, `samples.png`,
/// `reconstructions.png`, `loss.svg` and `checkpoint.safetensors`. While this value lives, no other
/// process trains in it.
pub struct RunFolder {
    lock: FolderLock,
    metrics: Vec<Line>,
}

/// A line of the metrics.
struct Line {
    text: String,
    known: Known,
}

/// The numbers of a line that the loss curve and a resumed run need.
#[derive(Deserialize)]
struct Known {
    epoch: u32,
    train_loss: f64,
    /// Older runs call it otherwise.
    #[serde(alias = "val_loss")]
    test_loss: Option<f64>,
}

impl Line {
    fn parse(text: &str) -> serde_json::Result<Self> {
        Ok(Self { known: serde_json::from_str(text)?, text: text.into() })
    }

    /// The point of a curve of `loss`, where there is one that can be drawn.
    fn point(&self, loss: impl Fn(&Known) -> Option<f64>) -> Option<(f64, f64)> {
        let loss = loss(&self.known).filter(|loss| loss.is_finite())?;
        Some((self.known.epoch.into(), loss))
    }
}

const CONFIG: &str = "config.toml";
const METRICS: &str = "metrics.jsonl";
const CHECKPOINT: &str = "checkpoint.safetensors";
const MODEL: &str = "model.safetensors";
const LOSS: &str = "loss.svg";
const FILES: [&str; 7] = [CONFIG, METRICS, MODEL, SAMPLES, RECONSTRUCTIONS, LOSS, CHECKPOINT];

impl RunFolder {
    /// Fails where [`RunFolder::create`] would, and touches nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Taken`] when the folder has something in it and `overwrite` is off, or something
    /// that is not of a run; [`Error::Run`] when it is a file; [`Error::InUse`] when another process
    /// trains in it.
    pub fn check(path: impl AsRef<Path>, overwrite: bool) -> Result<()> {
        let path = path.as_ref();
        Self::check_content(path, overwrite)?;
        match FolderLock::wait(path) {
            Err(e @ Error::InUse { .. }) => Err(e),
            // What else is wrong is told where the folder is written.
            _ => Ok(()),
        }
    }

    fn check_content(path: &Path, overwrite: bool) -> Result<()> {
        if path.exists() && !path.is_dir() {
            return Err(Error::run(path, "is in the way: it is a file, and a run is a folder"));
        }
        let Ok(entries) = fs::read_dir(path) else { return Ok(()) };
        // Hidden files are not the user's work: a file manager's notes, or an unfinished save.
        let hidden = |name: &OsString| name.as_encoded_bytes().starts_with(b".");
        let names: Vec<_> =
            entries.flatten().map(|e| e.file_name()).filter(|name| !hidden(name)).collect();
        let own = |name: &OsString| FILES.iter().any(|own| name == own);
        let foreign = !names.iter().all(own);
        let is_free = names.is_empty() && !files::is_pending(path);
        if is_free || overwrite && !foreign {
            return Ok(());
        }
        Err(Error::Taken { path: path.to_owned(), is_run: !foreign })
    }

    /// Makes the folder and its parents and saves the untrained run in it, so that a folder that
    /// cannot be written is known before time is spent. An older run in it is replaced where
    /// `overwrite` says so. What cannot be created whole leaves nothing behind, and an older run as
    /// it was.
    ///
    /// # Errors
    ///
    /// As [`RunFolder::check`] and [`RunFolder::save`].
    pub fn create(
        path: impl AsRef<Path>,
        trainer: &Trainer,
        data: &Dataset,
        overwrite: bool,
    ) -> Result<Self> {
        let path = path.as_ref();
        Self::check_content(path, overwrite)?;
        // Held until a folder that nothing came of is removed, so that nobody has begun to use it.
        let mut run = None;
        files::in_folder(path, || {
            let run = run.insert(Self { lock: FolderLock::wait(path)?, metrics: Vec::new() });
            // Another process may have saved a run to it before this one held the lock.
            Self::check_content(path, overwrite)?;
            run.replace(&FILES, trainer, data)
        })?;
        Ok(run.expect("it was made"))
    }

    /// Opens the folder of a run that is to go on.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when it is no run folder or its metrics are damaged; [`Error::InUse`] when another
    /// process trains in it; [`Error::Io`] when what a killed one left cannot be put in order.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        config_file(path)?;
        let lock = FolderLock::wait(path)?;
        lock.finish()?;
        if !path.join(CHECKPOINT).exists() {
            return Err(Error::run(path, "holds no checkpoint.safetensors to resume from"));
        }
        let file = path.join(METRICS);
        let text = match files::read_text(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            read => read.map_err(Error::io("read", &file))?,
        };
        let parse = |(i, line): (usize, &str)| {
            Line::parse(line).map_err(|e| {
                let message = format!("line {} is damaged ({e}); delete the line to go on", i + 1);
                Error::run(&file, message)
            })
        };
        let metrics = text.lines().enumerate().map(parse).collect::<Result<_>>()?;
        Ok(Self { lock, metrics })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Whether other processes are kept from training in it, which a file system without locks cannot do.
    pub fn is_locked(&self) -> bool {
        self.lock.is_held()
    }

    /// The configuration of the run.
    ///
    /// # Errors
    ///
    /// [`Error::Run`] when there is no configuration, or a damaged one.
    pub fn config(path: impl AsRef<Path>) -> Result<Config> {
        let path = path.as_ref();
        let file = config_file(path)?;
        let text = config::read_text(&file)?;
        // A run that is damaged is no mistake in the command, and has another exit code.
        let damaged = |what: String| Error::run(path, format!("is damaged: {what}"));
        let mut config = Config::parse(&text, CONFIG).map_err(|e| damaged(e.to_string()))?;
        config.data.locate(path);
        // What is left of a file that was cut short must not be filled up with defaults.
        let tables: toml::Table =
            text.parse().map_err(|e: toml::de::Error| damaged(e.to_string()))?;
        let data = tables.get("data").and_then(|data| data.get("path"));
        let parts =
            [("model", tables.get("model")), ("train", tables.get("train")), ("data.path", data)];
        match parts.iter().find(|(_, part)| part.is_none()) {
            Some((part, _)) => Err(damaged(format!("{CONFIG} is cut short: it has no `{part}`"))),
            None => Ok(config),
        }
    }

    /// The checkpoint's path.
    pub fn checkpoint(&self) -> PathBuf {
        self.path().join(CHECKPOINT)
    }

    /// Adds an epoch's line to the metrics, in place of any of the same or a later epoch: a part
    /// of an epoch is followed by the whole.
    pub fn push(&mut self, report: &EpochReport) {
        let text = serde_json::to_string(report).expect("a report can be written as JSON");
        let line = Line::parse(&text).expect("and read again");
        self.metrics.retain(|line| line.known.epoch < report.epoch);
        self.metrics.push(line);
    }

    /// Writes every file of the run as training stands, and replaces none before all of them are
    /// on the disk: whatever happens, the folder has all of the older files or all of these.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when a file cannot be written, [`Error::Gpu`] when the adapter was lost.
    pub fn save(&self, trainer: &Trainer, data: &Dataset) -> Result<()> {
        self.replace(&[], trainer, data)
    }

    /// The same; those of `obsolete` that this run has not are removed.
    fn replace(&self, obsolete: &[&str], trainer: &Trainer, data: &Dataset) -> Result<()> {
        self.lock.replace(obsolete, |folder| self.write(folder, trainer, data))
    }

    /// Writes every file of the run into `folder`.
    fn write(&self, folder: &Path, trainer: &Trainer, data: &Dataset) -> Result<()> {
        trainer.save_checkpoint(folder.join(CHECKPOINT))?;
        let config = trainer.config();
        files::write(&folder.join(CONFIG), config.to_toml().as_bytes())?;
        let metrics: String = self.metrics.iter().flat_map(|line| [&line.text, "\n"]).collect();
        files::write(&folder.join(METRICS), metrics.as_bytes())?;
        let points = |loss: fn(&Known) -> Option<f64>| {
            self.metrics.iter().filter_map(|line| line.point(loss)).collect()
        };
        let svg = plot::loss_curve(points(|k| Some(k.train_loss)), points(|k| k.test_loss));
        files::write(&folder.join(LOSS), svg.as_bytes())?;
        let model = trainer.model();
        model.save_trained(folder.join(MODEL), Some(&config.train))?;
        pictures::write(folder, model, data.test.as_ref().unwrap_or(&data.train))
    }
}

/// The configuration file of the run folder `path`.
fn config_file(path: &Path) -> Result<PathBuf> {
    if !path.exists() {
        return Err(Error::run(path, "does not exist; give a folder that training wrote"));
    }
    let file = path.join(CONFIG);
    match files::exists(&file) {
        true => Ok(file),
        false => Err(Error::run(
            path,
            "is no run folder: it holds no config.toml; give a folder that training wrote",
        )),
    }
}
