//! Folders of images.
//!
//! Two passes: the first reads headers only, to settle the shape and complain early; the second
//! decodes a block of images at a time, so that only one full-size image a thread is in memory.

mod bad;
mod decode;
mod find;
mod header;
mod jpeg;
mod look;
mod names;
mod parallel;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::bad::{Bad, catching};
use self::decode::Look;
use self::find::{Found, relative};
use self::look::File;
use super::pack::{self, Place};
use super::{Column, ImageShape, Note, ReadOptions, Splits, Table, available_memory};
use crate::error::{Error, Result};
use crate::words::counted;

pub(super) use self::names::is_image;

/// The longest side that a JPEG can have; larger sizes are rejected as mistakes.
const MAX_SIDE: usize = 65_535;

/// The images of a folder, of which headers have been read.
pub struct Headers {
    folder: PathBuf,
    found: Found,
    pub train: Vec<File>,
    pub test: Option<Vec<File>>,
    pub shape: ImageShape,
    options: ReadOptions,
    /// Files that are left out.
    bad: Vec<Bad>,
}

/// The images of a split.
struct Decoded {
    images: Column,
    /// The files they come from, without those that were left out.
    files: Vec<PathBuf>,
    /// Whether some of their pixels were transparent.
    is_transparent: bool,
}

impl Headers {
    /// Reads the headers of the images under `folder`, in the order of their paths; those in folders that
    /// are splits by their names, if there are any.
    pub fn read(folder: &Path, options: &ReadOptions) -> Result<Self> {
        check_options(options)?;
        let mut found = find::find(folder)?;
        let mut bad = std::mem::take(&mut found.bad);
        let mut headers = |files: Vec<PathBuf>| {
            let read = |at: usize| catching(&files[at], || header::read(&files[at]));
            let headers = parallel::map(files.len(), read);
            let mut good = Vec::new();
            for (path, header) in files.into_iter().zip(headers) {
                match header {
                    Ok(header) => good.push((path, header)),
                    Err(error) => bad.push(error),
                }
            }
            good
        };
        let train = headers(std::mem::take(&mut found.train));
        let test = found.test.take().map(headers);
        let all: Vec<&File> = train.iter().chain(test.iter().flatten()).collect();
        let is_lacking = train.is_empty() || test.as_ref().is_some_and(Vec::is_empty);
        if !bad.is_empty() && (!options.skip_bad || is_lacking) {
            // All that is wrong is told at once.
            let decode = |at: usize| decode::upright(&all[at].0, &all[at].1).err();
            let count = all.len() + bad.len();
            bad.extend(parallel::map(all.len(), decode).into_iter().flatten());
            return Err(bad::error(folder, bad, count));
        }
        let size = match options.size {
            Some(size) => size,
            None => common_size(&all)?,
        };
        let is_coloured = all.iter().any(|(_, header)| {
            let behind = options.background.filter(|_| header.has_alpha);
            header.is_coloured || behind.is_some_and(|background| !background.is_grey())
        });
        let channels = options.channels.unwrap_or(if is_coloured { 3 } else { 1 });
        let shape = ImageShape { width: size.0, height: size.1, channels };
        check_sides(&all, shape)?;
        check_memory(&all, shape)?;
        Ok(Self { folder: folder.into(), found, train, test, shape, options: options.clone(), bad })
    }

    /// Decodes the images, with remarks on what was left aside and chosen. If all images of a split lie in
    /// folders of it, these are its classes.
    pub fn decode(mut self) -> Result<(Splits, Vec<Note>)> {
        let mut notes = std::mem::take(&mut self.found.notes);
        let all: Vec<&File> = self.train.iter().chain(self.test.iter().flatten()).collect();
        let count = all.len() + self.bad.len();
        let (look, chosen) = look::settle(&all, &self.options);
        let bytes = all.len() as u128 * self.shape.pixels() as u128;
        let in_memory = pack::fit_memory(&self.options, bytes);
        let mut bad = std::mem::take(&mut self.bad);
        let mut split = |files: &[File]| self.decode_all(files, in_memory, &look, &mut bad);
        let train = split(&self.train)?;
        let test = self.test.as_deref().map(&mut split).transpose()?;
        let splits = || [Some(&train), test.as_ref()].into_iter().flatten();
        let is_lacking = splits().any(|split| split.files.is_empty());
        if !bad.is_empty() && (!self.options.skip_bad || is_lacking) {
            return Err(bad::error(&self.folder, bad, count));
        }
        if let Some(first) = bad.first() {
            let text = format!(
                "{} of {} left out: cannot be read, such as {} ({})",
                bad.len(),
                counted(count, "image"),
                relative(&first.path, &self.folder).display(),
                first.reason
            );
            notes.push(Note::new(text));
        }
        notes.extend(chosen);
        if splits().any(|split| split.is_transparent) && self.options.background.is_none() {
            let text = format!("transparent pixels are blended with {}", look.background);
            notes.push(Note::on("background", text));
        }
        Ok((self.tables(train, test)?, notes))
    }

    fn tables(&self, train: Decoded, test: Option<Decoded>) -> Result<Splits> {
        let files = |split: &Decoded| split.files.clone();
        let files = [Some(files(&train)), test.as_ref().map(files)];
        let labels = files.each_ref().map(|files| {
            let files: Vec<&Path> = files.as_ref()?.iter().map(PathBuf::as_path).collect();
            self.found.classes(&self.folder, &files)
        });
        let classes: BTreeSet<&str> = labels.iter().flatten().flatten().copied().collect();
        let classes: Vec<&str> = classes.into_iter().collect();
        let table = |split: Decoded, labels: &Option<Vec<&str>>| {
            let table = Table::new().with(Table::IMAGE, split.images)?;
            let Some(labels) = labels else { return Ok(table) };
            let index = |label: &&str| classes.partition_point(|class| class < label) as u32;
            let indices: Vec<u32> = labels.iter().map(index).collect();
            table.with(Table::LABEL, Column::classes(classes.iter().copied(), indices))
        };
        let [of_train, of_test] = &labels;
        Ok((table(train, of_train)?, test.map(|test| table(test, of_test)).transpose()?))
    }

    /// Decodes `files`, and adds those that cannot be decoded to `bad`.
    fn decode_all(
        &self,
        files: &[File],
        in_memory: bool,
        look: &Look,
        bad: &mut Vec<Bad>,
    ) -> Result<Decoded> {
        let (folder, shape) = (&*self.folder, self.shape);
        let source = || {
            let paths = files.iter().map(|(path, _)| &**path);
            let source = pack::source(folder, paths, &self.options)?;
            Ok(format!("{source}; as {shape}, {look:?}"))
        };
        let source = (!in_memory).then(source).transpose()?;
        let mut sink = match Place::of(folder, shape, files.len(), source)? {
            Place::Found(images, is_transparent) => {
                let files = files.iter().map(|(path, _)| path.clone()).collect();
                return Ok(Decoded { images, files, is_transparent });
            }
            Place::New(sink) => sink,
        };
        let mut kept = Vec::with_capacity(files.len());
        let mut is_transparent = false;
        let mut left = files;
        while !left.is_empty() {
            let block;
            (block, left) = left.split_at(sink.block(left.len()));
            sink.fill(block.len(), |pixels| {
                let before = kept.len();
                let mut places = pixels.chunks_exact_mut(shape.pixels());
                let decode = |at: usize| {
                    let (path, header) = &block[at];
                    decode::image(path, header, shape, look)
                };
                for ((path, _), decoded) in block.iter().zip(parallel::map(block.len(), decode)) {
                    match decoded {
                        Ok(decoded) => {
                            let place = places.next().expect("there is one for each image");
                            place.copy_from_slice(&decoded.pixels);
                            kept.push(path.clone());
                            is_transparent |= decoded.is_transparent;
                        }
                        Err(error) => bad.push(error),
                    }
                }
                Ok(kept.len() - before)
            })?;
        }
        // Pixels that will not be used are not kept in the cache.
        let is_used = bad.is_empty() || self.options.skip_bad;
        let images =
            if is_used { sink.finish(is_transparent)? } else { Column::images(shape, Vec::new()) };
        Ok(Decoded { images, files: kept, is_transparent })
    }
}

fn check_options(options: &ReadOptions) -> Result<()> {
    if let Some(channels) = options.channels
        && !matches!(channels, 1 | 3)
    {
        return Err(Error::config("channels", channels, "must be 1 or 3"));
    }
    if options.white == Some(0) {
        return Err(Error::config("white", 0, "must lie between 1 and 65535"));
    }
    if let Some((width, height)) = options.size
        && ![width, height].iter().all(|side| (1..=MAX_SIDE).contains(side))
    {
        let message = format!("both sides must lie between 1 and {MAX_SIDE}");
        return Err(Error::config("size", format!("{width}x{height}"), message));
    }
    Ok(())
}

/// Fails if images of `shape`, which is theirs or the size that was asked for, have too long a side.
fn check_sides(files: &[&File], shape: ImageShape) -> Result<()> {
    let ImageShape { width, height, .. } = shape;
    if width.max(height) <= MAX_SIDE {
        return Ok(());
    }
    let message = format!(
        "is {width}x{height}, and a side has at most {MAX_SIDE} pixels; resize all images to a smaller size"
    );
    Err(Error::data(&files[0].0, message))
}

/// Fails if resizing one image to `shape` takes more memory than there is.
fn check_memory(files: &[&File], shape: ImageShape) -> Result<()> {
    let ImageShape { width, height, .. } = shape;
    let is_resized = |(_, header): &&&File| header.size != (width, height);
    let widest = files.iter().filter(is_resized).map(|(_, header)| header.size.0).max();
    let Some(widest) = widest else { return Ok(()) };
    // Rows are resized before columns, in floats of four channels; then there is the image in each order.
    let bytes = 16 * widest as u64 * height as u64 + 8 * width as u64 * height as u64;
    let available = available_memory();
    if bytes <= available {
        return Ok(());
    }
    let message = format!(
        "resizing an image to it takes {} MiB of memory, where {} are free; choose a smaller size",
        bytes >> 20,
        available >> 20
    );
    Err(Error::config("size", format!("{width}x{height}"), message))
}

fn common_size(files: &[&File]) -> Result<(usize, usize)> {
    let (first, header) = files[0];
    let (width, height) = header.size;
    match files.iter().find(|(_, header)| header.size != (width, height)) {
        None => Ok((width, height)),
        Some((path, other)) => Err(Error::MixedSizes {
            path: path.clone(),
            size: other.size,
            first: first.clone(),
            first_size: (width, height),
        }),
    }
}
