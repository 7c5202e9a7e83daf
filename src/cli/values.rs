//! Values of flags, and what each must be in the words of its errors.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use bytesize::ByteSize;
use clap::builder::{PathBufValueParser, TypedValueParser};
use vae_gpu::config::at_home;
use vae_gpu::{Background, Error};

/// A parser of whole numbers in `range`.
pub fn whole<T>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static
where
    T: FromStr + PartialOrd + Display + Clone + Send + Sync + 'static,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        number.ok_or_else(|| format!("must be a whole number from {first} to {last}"))
    }
}

/// A learning rate, whose size the configuration checks.
pub fn rate(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "must be a positive number, as in 1e-3".into())
}

/// A fraction, whose size is checked where images are held out.
pub fn fraction(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "must lie between 0 and 1, as in 0.2".into())
}

/// A number of channels.
pub fn channels(text: &str) -> Result<usize, String> {
    let channels = text.parse().ok().filter(|channels| matches!(channels, 1 | 3));
    channels.ok_or_else(|| "must be 1 or 3".into())
}

/// A number of bytes.
pub fn bytes(text: &str) -> Result<ByteSize, String> {
    text.parse().map_err(|_| "must be a number of bytes, as in 4GB or 512MiB".into())
}

/// A colour behind transparent pixels.
pub fn colour(text: &str) -> Result<Background, String> {
    text.parse().map_err(|e| match e {
        // Its key and value are in clap's own words.
        Error::Config { message, .. } => message,
        other => other.to_string(),
    })
}

/// `WxH` as (width, height).
pub fn size(text: &str) -> Result<(usize, usize), String> {
    let sides = text.split_once(['x', 'X', '×']).map(|(w, h)| (w.parse(), h.parse()));
    match sides {
        Some((Ok(width), Ok(height))) => Ok((width, height)),
        _ => Err("must be WIDTHxHEIGHT, as in 28x28".into()),
    }
}

/// A parser of paths, with `~` for the home folder where the shell left it, as in `--out=~/runs`.
pub fn path() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().map(|path| at_home(&path))
}
