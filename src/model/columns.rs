//! A table on the adapter, and the batches that steps take from it.

use std::cell::Cell;
use std::ops::Range;

use super::Network;
use crate::data::{Binarize, Column, ImageShape, Images, Table};
use crate::error::{Error, Load, Result};
use crate::gpu::{Gpu, Recording, Tensor, padded};
use crate::nn::Shape;
use crate::ops::columns::{self, Order};
use crate::ops::gather::{self, Corruption, Drawn, Source};
use crate::ops::{Extent, State, Stream};

/// The columns of a table on the adapter and the order to take their rows in: all rows, in one or
/// several buffers, or a window of the rows that the next steps take. A column has memory there once a
/// step that takes it was recorded.
pub struct Columns {
    pub(super) rows: usize,
    /// Indices of the rows (rows): a permutation of its own for each epoch of training. With a window,
    /// a ring of positions in it.
    pub order: Tensor,
    /// Rows of the window; `None` where all rows are on the adapter.
    pub(super) window: Option<usize>,
    pub(super) columns: Vec<Stored>,
}

/// One column.
pub(super) struct Stored {
    pub name: String,
    pub(super) kind: Kind,
    /// Its rows, and where they lie: images four bytes to an element, the others one value to an
    /// element, rows without padding.
    pub parts: Vec<(Range<usize>, Tensor)>,
    /// Whether a step takes it.
    pub is_taken: Cell<bool>,
    /// What the host makes of its pixels before they are sent, by a seed.
    pub binarized: Cell<Option<(Binarize, u64)>>,
}

/// The kind and shape of a column's rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kind {
    Image(ImageShape),
    Floats(usize),
    Classes(usize),
    Counts(usize),
}

impl Kind {
    pub fn of(column: &Column) -> Self {
        match column {
            Column::Images(Images { shape, .. }) => Self::Image(*shape),
            Column::Packed(images) => Self::Image(images.shape()),
            Column::Floats { shape, .. } => Self::Floats(shape.iter().product()),
            Column::Classes { names, .. } => Self::Classes(names.len()),
            Column::Counts { shape, .. } => Self::Counts(shape.iter().product()),
        }
    }

    /// Shape of what holds `rows` of them, in 32-bit elements.
    fn stored(self, rows: usize) -> Vec<usize> {
        match self {
            Self::Image(shape) => vec![(rows * shape.pixels()).div_ceil(4)],
            Self::Floats(size) | Self::Counts(size) => vec![rows, size],
            Self::Classes(_) => vec![rows],
        }
    }

    /// Bytes of a row.
    pub fn row_bytes(self) -> usize {
        match self {
            Self::Image(shape) => shape.pixels(),
            Self::Floats(size) | Self::Counts(size) => 4 * size,
            Self::Classes(_) => 4,
        }
    }
}

impl Columns {
    /// A place for `rows` images.
    pub fn of_images(rows: usize, shape: ImageShape) -> Self {
        Self::new(rows, None, [(Table::IMAGE.to_string(), Kind::Image(shape), rows)])
    }

    /// A place for `rows` rows of what `network` takes: images, and the classes of its condition.
    pub fn of_network(rows: usize, network: &Network) -> Self {
        let image = (Table::IMAGE.to_string(), Kind::Image(network.shape()), rows);
        let condition = network.condition();
        let classes = condition.map(|c| (c.column.clone(), Kind::Classes(c.classes.len()), rows));
        Self::new(rows, None, [image].into_iter().chain(classes))
    }

    /// A place for `rows` rows of columns of these names and kinds, each in parts of at most so many
    /// rows; or for so many of them as `window` says.
    pub(super) fn new(
        rows: usize,
        window: Option<usize>,
        kinds: impl IntoIterator<Item = (String, Kind, usize)>,
    ) -> Self {
        let place = |(name, kind, most): (String, Kind, usize)| {
            let starts = (0..window.unwrap_or(rows)).step_by(most.max(1));
            let parts = starts.map(|first| {
                let part = first..window.unwrap_or(rows).min(first + most);
                // The name of the buffer in listings of memory.
                let name = if let Kind::Image(_) = kind { "images" } else { &name };
                (part.clone(), Tensor::zeros(name, &kind.stored(part.len())))
            });
            Stored {
                parts: parts.collect(),
                name: name.clone(),
                kind,
                is_taken: Cell::new(false),
                binarized: Cell::new(None),
            }
        };
        let columns = kinds.into_iter().map(place).collect();
        let positions = window.map_or(rows, usize::next_power_of_two);
        Self { rows, order: Tensor::zeros("order", &[positions]), window, columns }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The parts of the first column of images, which is then taken, in the order of the epoch at the
    /// row in `state`; `binarized` is what the host makes of them first, by a seed.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there is none, [`Error::Shape`] when they are not of `shape`.
    pub(super) fn images<'a>(
        &'a self,
        shape: ImageShape,
        binarized: Option<(Binarize, u64)>,
        state: &'a Tensor,
    ) -> Result<Vec<Source<'a>>> {
        let image = |column: &Stored| match column.kind {
            Kind::Image(given) => Some(given),
            _ => None,
        };
        let mut columns = self.columns.iter();
        let found = columns.find_map(|column| Some((column, image(column)?)));
        match found {
            Some((column, given)) if given == shape => {
                column.binarized.set(binarized);
                Ok(self.sources(column, shape, state))
            }
            Some((_, given)) => Err(Error::Shape { model: shape, given }),
            None => {
                let message = "a split has no column of images, which the model takes";
                Err(Error::Input(message.into()))
            }
        }
    }

    fn sources<'a>(
        &'a self,
        column: &'a Stored,
        shape: ImageShape,
        state: &'a Tensor,
    ) -> Vec<Source<'a>> {
        let extent = Extent { height: shape.height, width: shape.width };
        let parts = self.parts(column, state);
        let source = |(order, images)| Source { images, order, channels: shape.channels, extent };
        parts.map(source).collect()
    }

    /// The order of the rows in each part of `column`, which is then taken, and the part.
    fn parts<'a>(
        &'a self,
        column: &'a Stored,
        state: &'a Tensor,
    ) -> impl Iterator<Item = (Order<'a>, &'a Tensor)> {
        column.is_taken.set(true);
        column.parts.iter().map(move |(held, tensor)| {
            let is_ring = self.window.is_some();
            (Order { state, indices: &self.order, is_ring, held: held.clone() }, tensor)
        })
    }

    /// Records the next `rows` of the column called `name`, by the row in `state`: images as features
    /// in their own order, or as maps if `maps` says so, from 0 to 1; floats and counts as they are; a
    /// class as a row of zeros with a one in its place. Returns their shape and where they lie.
    ///
    /// # Errors
    ///
    /// [`Error::Column`] naming the columns that there are when there is none of that name.
    pub(super) fn batch(
        &self,
        recording: &mut Recording,
        (name, maps): (&str, bool),
        rows: usize,
        state: &Tensor,
    ) -> Result<(Shape, Tensor)> {
        let column = self.columns.iter().find(|column| column.name == name).ok_or_else(|| {
            let names: Vec<_> = self.columns.iter().map(|column| column.name.as_str()).collect();
            let message = format!("is not there, only {}", names.join(", "));
            Error::Column { column: name.into(), message }
        })?;
        let shape = match column.kind {
            Kind::Image(shape) if maps => Shape::map(shape.channels, shape.height, shape.width),
            Kind::Image(shape) => Shape::Features(shape.pixels()),
            Kind::Floats(size) | Kind::Classes(size) | Kind::Counts(size) => Shape::Features(size),
        };
        let x = shape.tensor(recording, rows);
        let op = match column.kind {
            Kind::Image(shape) => {
                let (parts, none) = (self.sources(column, shape, state), recording.vector(1));
                gather::batch(recording, name, &parts, &x, maps, &Drawn::default(), &none);
                None
            }
            Kind::Floats(_) => Some(columns::floats as fn(&mut _, &str, &Order, &Tensor, &Tensor)),
            Kind::Classes(_) => Some(columns::one_hot as _),
            Kind::Counts(_) => Some(columns::counts as _),
        };
        if let Some(op) = op {
            self.parts(column, state)
                .for_each(|(order, values)| op(recording, name, &order, values, &x));
        }
        Ok((shape, x))
    }
}

/// `images` as a denoising model is given them, by the same draws every time; as many at a time as the
/// adapter takes.
///
/// # Errors
///
/// [`Error::TooLarge`] when one of them does not fit the adapter, [`Error::Gpu`] when it fails.
pub fn corrupted(gpu: &Gpu, images: &Images, corruption: Corruption) -> Result<Images> {
    let shape = images.shape;
    let row_bytes = 4 * padded(shape.pixels());
    let most = (gpu.report().max_binding_bytes as usize / row_bytes).max(1);
    let corruption = Some((corruption, Stream::CorruptEvaluate));
    let drawn = Drawn { corruption, ..Drawn::default() };
    let mut pixels = Vec::with_capacity(images.pixels.len());
    for (block, part) in images.pixels.chunks(most * shape.pixels()).enumerate() {
        let part = Images { shape, pixels: part.to_vec() };
        let columns = Columns::of_images(part.len(), shape);
        let mut recording = Recording::new(gpu.report());
        let x = recording.matrix(&[part.len(), shape.pixels()]);
        let (none, state) = (recording.vector(1), State::tensor("state"));
        let parts = columns.images(shape, None, &state)?;
        gather::batch(&mut recording, "shown", &parts, &x, false, &drawn, &none);
        columns.check_fits(gpu.report())?;
        recording.check_fits(Load::Image)?;
        columns.upload(gpu, &Table::new().with(Table::IMAGE, part)?)?;
        // Each block has draws of its own.
        State { step: (block * most) as u32, ..State::default() }.write(gpu, &state);
        recording.compile(gpu).run();
        pixels.extend(Images::quantised(&x.read::<f32>(gpu)?));
    }
    Ok(Images { shape, pixels })
}
