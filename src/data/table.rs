//! Rows of named columns.

use std::sync::Arc;

use super::{Column, ImageShape, Images};
use crate::error::{Error, Result};

/// One split of a dataset: a row for each example, and of each row the same named columns.
///
/// ```
/// use vae_gpu::{Column, Table};
///
/// # fn main() -> vae_gpu::Result<()> {
/// let pixels = vec![0u8; 3 * 28 * 28]; // (rows, channels, height, width)
/// let angles = [0.1f32, -0.2, 0.0];
/// let table = Table::new()
///     .with("image", Column::images([1, 28, 28], &pixels))?
///     .with("angle", Column::floats(&[], &angles))?
///     .with("label", Column::classes(["cat", "dog"], &[0, 1, 1]))?;
/// assert_eq!(table.len(), 3);
/// assert_eq!(table.images()?.image(2), &pixels[2 * 28 * 28..]);
/// if let Some(Column::Classes { names, indices }) = table.column("label") {
///     assert_eq!(names[indices[0] as usize], "cat");
/// }
///
/// // Columns must be of one length.
/// let error = table.with("size", Column::floats(&[2], &[1.0, 2.0])).unwrap_err();
/// assert_eq!(error.to_string(), "column size: has length 1, but column image has length 3");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    rows: usize,
    columns: Vec<(String, Arc<Column>)>,
}

impl Table {
    /// The name of the readers' column of images.
    pub const IMAGE: &str = "image";
    /// The name of the readers' column of classes.
    pub const LABEL: &str = "label";

    /// A table without columns; the first one decides how many rows there are.
    pub fn new() -> Self {
        Self::default()
    }

    /// This table with one more column.
    ///
    /// # Errors
    ///
    /// [`Error::Column`] naming the column when there is one of that name already, when it has more
    /// or fewer rows than the others, when its values are not those of a whole number of rows, when
    /// its shape is invalid, when a row's class is none of the names, or when two classes have one
    /// name.
    pub fn with(mut self, name: impl Into<String>, column: impl Into<Column>) -> Result<Self> {
        let (name, column) = (name.into(), column.into());
        let fails = |message: String| Error::Column { column: name.clone(), message };
        let rows = column.rows().map_err(fails)?;
        if self.column(&name).is_some() {
            return Err(fails("there is one already".into()));
        }
        if let Some((first, _)) = self.columns.first()
            && rows != self.rows
        {
            let message = format!("has length {rows}, but column {first} has length {}", self.rows);
            return Err(fails(message));
        }
        self.rows = rows;
        self.columns.push((name, Arc::new(column)));
        Ok(self)
    }

    /// This table with `column` in the place of the one that is called `name`.
    ///
    /// # Errors
    ///
    /// As [`Table::with`].
    pub(crate) fn replaced(mut self, name: &str, column: Column) -> Result<Self> {
        self.columns.retain(|(other, _)| other != name);
        self.with(name, column)
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// All columns with their names, in the order in which they were added.
    pub fn columns(&self) -> impl Iterator<Item = (&str, &Column)> {
        self.columns.iter().map(|(name, column)| (name.as_str(), &**column))
    }

    /// The column of that name, if there is one.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns().find(|(other, _)| *other == name).map(|(_, column)| column)
    }

    /// Shape of the images in the first column of them, on which an image model is trained.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] naming the columns that there are when none holds images.
    pub fn shape(&self) -> Result<ImageShape> {
        let mut shapes = self.columns().filter_map(|(_, column)| column.image_shape());
        shapes.next().ok_or_else(|| self.without_images())
    }

    /// The images at `rows`, in that order, of the first column of images, wherever they lie. Panics if
    /// one is past the end.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] naming the columns that there are when none holds images, [`Error::Io`] when
    /// the file in which they lie cannot be read.
    pub fn read_images(&self, rows: &[usize]) -> Result<Images> {
        let shape = self.shape()?;
        let (_, column) = self
            .columns()
            .find(|(_, column)| column.image_shape().is_some())
            .expect("they have one");
        let mut pixels = Vec::with_capacity(rows.len() * shape.pixels());
        column.append_rows(rows, &mut pixels)?;
        Ok(Images { shape, pixels })
    }

    /// The first column of images in memory, whatever its name.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] naming the columns that there are when none holds images, or they lie in a
    /// file: [`Table::read_images`] reads them wherever they lie.
    pub fn images(&self) -> Result<&Images> {
        self.columns()
            .find_map(|(_, column)| match column {
                Column::Images(images) => Some(images),
                _ => None,
            })
            .ok_or_else(|| self.without_images())
    }

    /// The first column of images, like [`Table::images`], moved out of the table without a copy.
    ///
    /// # Errors
    ///
    /// The same as [`Table::images`].
    pub fn into_images(self) -> Result<Images> {
        let error = self.without_images();
        self.columns
            .into_iter()
            .find_map(|(_, column)| match Arc::unwrap_or_clone(column) {
                Column::Images(images) => Some(images),
                _ => None,
            })
            .ok_or(error)
    }

    fn without_images(&self) -> Error {
        if let Some((name, Column::Packed(images))) =
            self.columns().find(|(_, column)| column.image_shape().is_some())
        {
            let path = images.path().display();
            return Error::Input(format!(
                "column {name}: its images lie in {path}; read them first"
            ));
        }
        let columns: Vec<_> =
            self.columns().map(|(name, column)| format!("{name}: {column}")).collect();
        let columns = if columns.is_empty() { "none".into() } else { columns.join(", ") };
        Error::Input(format!("no column holds images; the columns are {columns}"))
    }

    /// The rows at `rows`, in that order, of every column. Panics if one is past the end.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self.columns.iter();
        let columns = columns.map(|(name, column)| (name.clone(), Arc::new(column.select(rows))));
        let columns = columns.collect();
        Self { rows: rows.len(), columns }
    }
}
