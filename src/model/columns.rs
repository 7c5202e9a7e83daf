//! A table on the adapter, and the batches that steps take from it.

use std::cell::Cell;

use crate::data::{Column, ImageShape, Images, Table};
use crate::error::{Error, Load, Result};
use crate::gpu::{AdapterReport, Gpu, Recording, Tensor};
use crate::nn::Shape;
use crate::ops::columns::{self, Order};
use crate::ops::gather::{self, Corruption, Source};
use crate::ops::{Extent, State, Stream};

/// The columns of a table on the adapter and the order to take their rows in. A column has memory
/// there once a step that takes it was recorded.
pub struct Columns {
    rows: usize,
    /// Indices of the rows (rows): a permutation of its own for each epoch of training.
    pub order: Tensor,
    columns: Vec<Stored>,
}

/// One column.
struct Stored {
    name: String,
    kind: Kind,
    /// Images four bytes to an element, the others one value to an element, rows without padding.
    data: Tensor,
    /// Whether a step takes it.
    is_taken: Cell<bool>,
}

/// The kind and shape of a column's rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Image(ImageShape),
    Floats(usize),
    Classes(usize),
    Counts(usize),
}

impl Kind {
    fn of(column: &Column) -> Self {
        match column {
            Column::Images(images) => Self::Image(images.shape),
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
}

impl Columns {
    /// A place for the columns of `table`.
    pub fn of(table: &Table) -> Self {
        let kinds = table.columns().map(|(name, column)| (name, Kind::of(column)));
        Self::new(table.len(), kinds)
    }

    /// A place for `rows` images.
    pub fn of_images(rows: usize, shape: ImageShape) -> Self {
        Self::new(rows, [(Table::IMAGE, Kind::Image(shape))])
    }

    fn new<'a>(rows: usize, kinds: impl IntoIterator<Item = (&'a str, Kind)>) -> Self {
        let place = |(name, kind): (&str, Kind)| Stored {
            // The name of the buffer in listings of memory.
            data: Tensor::zeros(
                if let Kind::Image(_) = kind { "images" } else { name },
                &kind.stored(rows),
            ),
            name: name.into(),
            kind,
            is_taken: Cell::new(false),
        };
        let columns = kinds.into_iter().map(place).collect();
        Self { rows, order: Tensor::zeros("order", &[rows]), columns }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Fails unless the columns that steps take fit the adapter.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`] naming the limit.
    pub fn check_fits(&self, adapter: &AdapterReport) -> Result<()> {
        let taken = self.columns.iter().filter(|column| column.is_taken.get());
        let bytes = taken.map(|column| column.data.buffer().bytes());
        let (all, largest) =
            bytes.fold((0, 0), |(all, most), bytes| (all + bytes, most.max(bytes)));
        adapter.check_fits(Load::Dataset, all, largest)
    }

    /// Uploads the columns of `table` that steps take, in their own order.
    ///
    /// # Errors
    ///
    /// [`Error::Gpu`] when the adapter has not so much memory.
    pub fn upload(&self, gpu: &Gpu, table: &Table) -> Result<()> {
        for column in self.columns.iter().filter(|column| column.is_taken.get()) {
            match table.column(&column.name).expect("the table has the columns it is a place for") {
                Column::Images(images) => column.data.write(gpu, &packed(images)),
                Column::Floats { values, .. } => column.data.write(gpu, values),
                Column::Classes { indices: values, .. } | Column::Counts { values, .. } => {
                    column.data.write(gpu, values);
                }
            }
        }
        let order: Vec<u32> = (0..self.rows as u32).collect();
        self.order.write(gpu, &order);
        gpu.check()
    }

    /// A checksum of the columns of `table` that steps take.
    pub fn checksum(&self, table: &Table) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        for stored in self.columns.iter().filter(|column| column.is_taken.get()) {
            hasher.update(match table.column(&stored.name) {
                Some(Column::Images(images)) => &images.pixels,
                Some(Column::Floats { values, .. }) => bytemuck::cast_slice(values),
                Some(Column::Classes { indices: values, .. } | Column::Counts { values, .. }) => {
                    bytemuck::cast_slice(values)
                }
                None => &[],
            });
        }
        hasher.finalize()
    }

    /// The first column of images, which is then taken.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when there is none, [`Error::Shape`] when they are not of `shape`.
    pub(super) fn images(&self, shape: ImageShape) -> Result<Source<'_>> {
        let image = |column: &Stored| match column.kind {
            Kind::Image(given) => Some(given),
            _ => None,
        };
        let mut columns = self.columns.iter();
        let found = columns.find_map(|column| Some((column, image(column)?)));
        match found {
            Some((column, given)) if given == shape => Ok(self.source(column)),
            Some((_, given)) => Err(Error::Shape { model: shape, given }),
            None => {
                let message = "a split has no column of images, which the model takes";
                Err(Error::Input(message.into()))
            }
        }
    }

    fn source<'a>(&'a self, column: &'a Stored) -> Source<'a> {
        let Kind::Image(shape) = column.kind else { panic!("{}: holds no images", column.name) };
        column.is_taken.set(true);
        let extent = Extent { height: shape.height, width: shape.width };
        Source { images: &column.data, order: &self.order, channels: shape.channels, extent }
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
        column.is_taken.set(true);
        let shape = match column.kind {
            Kind::Image(shape) if maps => Shape::map(shape.channels, shape.height, shape.width),
            Kind::Image(shape) => Shape::Features(shape.pixels()),
            Kind::Floats(size) | Kind::Classes(size) | Kind::Counts(size) => Shape::Features(size),
        };
        let x = shape.tensor(recording, rows);
        let order = Order { state, indices: &self.order };
        match column.kind {
            Kind::Image(_) => {
                let (source, none) = (self.source(column), recording.vector(1));
                gather::batch(recording, name, state, &source, &x, maps, None, None, &none);
            }
            Kind::Floats(_) => columns::floats(recording, name, &order, &column.data, &x),
            Kind::Classes(_) => columns::one_hot(recording, name, &order, &column.data, &x),
            Kind::Counts(_) => columns::counts(recording, name, &order, &column.data, &x),
        }
        Ok((shape, x))
    }
}

/// Pixels four to a word.
fn packed(images: &Images) -> Vec<u32> {
    let mut words = vec![0u32; images.pixels.len().div_ceil(4)];
    bytemuck::cast_slice_mut(&mut words)[..images.pixels.len()].copy_from_slice(&images.pixels);
    words
}

/// `images` as a denoising model is given them, by the same draws every time.
///
/// # Errors
///
/// [`Error::Gpu`] when they do not fit the adapter, or it fails.
pub fn corrupted(gpu: &Gpu, images: &Images, corruption: Corruption) -> Result<Images> {
    let columns = Columns::of_images(images.len(), images.shape);
    let mut recording = Recording::new(gpu.report());
    let x = recording.matrix(&[images.len(), images.shape.pixels()]);
    let (none, state) = (recording.vector(1), State::tensor("state"));
    let corruption = Some((corruption, (0, Stream::CorruptEvaluate)));
    let source = columns.images(images.shape)?;
    gather::batch(&mut recording, "shown", &state, &source, &x, false, corruption, None, &none);
    columns.check_fits(gpu.report())?;
    columns.upload(gpu, &Table::new().with(Table::IMAGE, images.clone())?)?;
    recording.compile(gpu).run();
    Ok(Images { shape: images.shape, pixels: Images::quantised(&x.read::<f32>(gpu)?) })
}
