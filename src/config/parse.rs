//! Configurations as TOML.

use serde::Deserialize;
use serde_path_to_error::{Path, Segment};

use super::{Config, is_inherited, text};
use crate::error::{Error, Result};
use crate::words::{did_you_mean, shortened_to};

/// Keys and the values that they take, for keys where serde's message would not name them.
const TAKES: &[(&str, &str)] = &[
    (
        "model.kl_schedule",
        "must be one of { warmup = 3 }, { cyclical = { cycles = 4, ramp = 0.5 } }, \
         { capacity = { nats = 25, epochs = 10 } }",
    ),
    ("model.corruption", "must be { gaussian = 0.4 } or { masking = 0.5 }"),
    ("model.condition", "must be \"label\", or { column = \"label\", embedding = 8 }"),
    ("data.size", "must be [width, height], as in [32, 32]"),
    ("data.path", "must be a folder in quotes, as in \"photos\", or \"digits\""),
];

/// Keys whose numbers have a range of their own, in place of their type's.
const RANGES: &[(&str, &str)] = &[
    ("model.latent", "a whole number from 1 to 65535"),
    ("train.epochs", "a whole number from 1 to 4294967295"),
    ("train.batch_size", "a whole number from 1 to 16777216"),
    ("model.samples", "a whole number from 1 to 16777216"),
    ("train.seed", "a whole number from 0 to 9223372036854775807"),
    ("data.channels", "1 or 3"),
];

/// Types in the words of serde's messages, and in those of this program.
const TYPES: &[(&str, &str)] = &[
    ("expected usize", "expected a whole number from 0 up"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected u64", "expected a whole number from 0 up"),
    ("expected f64", "expected a number"),
    ("expected a sequence", "expected a list, as in [\"relu\"]"),
];

/// The path to a value, such as `model.encoder.13`.
fn key(path: &Path) -> String {
    let words = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } | Segment::Enum { variant: key } => Some(key.clone()),
        Segment::Unknown => None,
    });
    words.collect::<Vec<_>>().join(".")
}

/// The error message about `key`, in one line.
fn worded(key: &str, message: &str) -> String {
    let within =
        |whole: &str| key.strip_prefix(whole).is_some_and(|k| k.is_empty() || k.starts_with('.'));
    if let Some((whole, takes)) = TAKES.iter().find(|(whole, _)| within(whole)) {
        return format!("{whole}: {takes}");
    }
    if let (Some((_, range)), Some((found, _))) =
        (RANGES.iter().find(|(of, _)| *of == key), message.split_once(", expected "))
    {
        return format!("{key}: {found}, expected {range}");
    }
    let ours = |message: String, (serdes, ours): &(&str, &str)| message.replace(serdes, ours);
    let message = TYPES.iter().fold(shortened_to(message, 300), ours);
    let message = format!("{message}{}", meant(&message));
    // Some messages begin with the name, and a name that is not known is no key.
    let (above, name) = key.rsplit_once('.').unwrap_or(("", key));
    let named =
        message.starts_with(name) || message.starts_with(&format!("unknown field `{name}`"));
    match if named { above } else { key } {
        "" => message,
        key => format!("{key}: {message}"),
    }
}

/// The name that may have been meant, where serde's `message` lists those that there are.
fn meant(message: &str) -> String {
    let unknown = ["unknown field `", "unknown variant `"].iter().any(|w| message.starts_with(w));
    // Every other part is between backticks.
    let mut names = message.split('`').skip(1).step_by(2);
    match names.next() {
        Some(name) if unknown => did_you_mean(name, names),
        _ => String::new(),
    }
}

impl Config {
    /// Reads and checks a TOML file, in UTF-8 or, with a byte-order mark, UTF-16. A relative path in it is
    /// relative to its folder; in what a shell hands over, as `<(command)`, to the current one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, otherwise the same as [`Config::parse`].
    pub fn read(path: impl AsRef<std::path::Path>) -> Result<Self> {
        Ok(Self::read_with_batch(path)?.0)
    }

    /// The same, and whether the file states `train.batch_size`: a default gives way where there are fewer
    /// images.
    ///
    /// # Errors
    ///
    /// As [`Config::read`].
    pub fn read_with_batch(path: impl AsRef<std::path::Path>) -> Result<(Self, bool)> {
        let path = path.as_ref();
        let text = text::read(path)?;
        let mut config = Self::parse(&text, &path.display().to_string())?;
        // A pipe that a shell hands over lies in no folder, so that its paths are relative to the shell's.
        let folder = path.parent().filter(|_| !is_inherited(path));
        config.data.locate(folder.unwrap_or(std::path::Path::new("")));
        let table = toml::from_str::<toml::Table>(&text).unwrap_or_default();
        let train = table.get("train").and_then(toml::Value::as_table);
        Ok((config, train.is_some_and(|train| train.contains_key("batch_size"))))
    }

    /// Parses and checks TOML; `name` stands for its file in messages.
    ///
    /// # Errors
    ///
    /// [`Error::Toml`] naming file, line and key when it is not a configuration; [`Error::Named`]
    /// around the error of [`Config::check`].
    pub fn parse(text: &str, name: &str) -> Result<Self> {
        if text.trim().is_empty() {
            let message = "the file is empty; write down what is to differ from the defaults, or \
                           leave it out";
            return Err(Error::Toml { file: name.into(), line: 1, message: message.into() });
        }
        let mut track = serde_path_to_error::Track::new();
        let config = toml::Deserializer::parse(text).and_then(|toml| {
            let toml = serde_path_to_error::Deserializer::new(toml, &mut track);
            Self::deserialize(toml)
        });
        let config = config.map_err(|e| {
            let line = e.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count());
            let mut message = worded(&key(&track.path()), e.message());
            if let Some(hint) = text.lines().nth(line - 1).and_then(text::typographic) {
                message = format!("{message}; {hint}");
            }
            Error::Toml { file: name.into(), line, message }
        })?;
        let named = |e| Error::Named { name: name.into(), error: Box::new(e) };
        config.check().map_err(named)?;
        Ok(config)
    }

    /// The configuration as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("a configuration can be written as TOML")
    }
}
