//! The condition of a conditional model: a column of classes beside its images.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};

use super::{ModelConfig, require};
use crate::data::{Column, Table};
use crate::error::{Error, Result};
use crate::words::{listed, shortened};

/// A column of classes that encoder and decoder are given beside the image and z (Sohn et al. 2015). In
/// TOML the column's name, or a table.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a column's name in quotes, or a table")]
pub struct Condition {
    /// The column's name.
    pub column: String,
    /// Values that a class becomes by a trained linear layer; without it, as many as there are classes,
    /// of which one is 1 and the others 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<usize>,
    /// The classes' names in the order of those values; none until they are known from the data.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// Reads `"label"`, or `{ column = "label", embedding = 8 }`.
pub(super) fn condition<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Condition>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "must be \"label\", or { column = \"label\", embedding = 8 }")]
    enum Written {
        Name(String),
        Table(Condition),
    }
    Ok(Some(match Written::deserialize(deserializer)? {
        Written::Name(column) => Condition { column, ..Condition::default() },
        Written::Table(condition) => condition,
    }))
}

impl Condition {
    pub(super) fn check(&self) -> Result<()> {
        let is_named = !self.column.is_empty();
        require(is_named, "condition.column", "\"\"", "must name a column, as \"label\"")?;
        let size = self.embedding.unwrap_or(1);
        let message = "must be a number of values from 1 to 65535";
        require((1..=65_535).contains(&size), "condition.embedding", size, message)
    }

    /// The indices of the rows' classes in `table`, in the order of the model's own classes.
    ///
    /// # Errors
    ///
    /// [`Error::Column`] when the table has no such column of classes, or one that the model does not know.
    pub fn indices(&self, table: &Table) -> Result<Vec<u32>> {
        let (names, indices) = classes(table, &self.column)?;
        let place = |name: &String| {
            let found = self.classes.iter().position(|own| own == name);
            let unknown = || {
                let (name, own) = (shortened(name), listed(&self.classes));
                let message = format!("has the class {name}, and the model was trained with {own}");
                Error::Column { column: self.column.clone(), message }
            };
            found.map(|place| place as u32).ok_or_else(unknown)
        };
        let places = names.iter().map(place).collect::<Result<Vec<_>>>()?;
        Ok(indices.iter().map(|index| places[*index as usize]).collect())
    }

    /// `table` with the column's classes in the order of the model's own; itself where they are in it.
    ///
    /// # Errors
    ///
    /// The same as [`Condition::indices`].
    pub fn ordered<'a>(&self, table: &'a Table) -> Result<Cow<'a, Table>> {
        if classes(table, &self.column)?.0 == self.classes {
            return Ok(Cow::Borrowed(table));
        }
        let column = Column::classes(self.classes.clone(), self.indices(table)?);
        table.clone().replaced(&self.column, column).map(Cow::Owned)
    }
}

/// The names and the rows' indices of a column of classes.
fn classes<'a>(table: &'a Table, column: &str) -> Result<(&'a [String], &'a [u32])> {
    let fails = |message: String| Error::Column { column: column.into(), message };
    match table.column(column) {
        Some(Column::Classes { names, indices }) => Ok((names, indices)),
        Some(_) => Err(fails("holds no classes, which the model is conditioned on".into())),
        None => {
            let names: Vec<_> = table.columns().map(|(name, _)| name).collect();
            Err(fails(format!(
                "is not there, only {}, and the model is conditioned on it; classes are the names of folders \
                 of images, or the labels beside IDX files",
                names.join(", ")
            )))
        }
    }
}

impl ModelConfig {
    /// The same with the classes of `table`, if it is conditioned on some.
    ///
    /// # Errors
    ///
    /// [`Error::Column`] when the table lacks the column, or has other classes than are named already.
    pub fn with_classes(&self, table: &Table) -> Result<Self> {
        let mut model = self.clone();
        if let Some(condition) = &mut model.condition {
            let (names, _) = classes(table, &condition.column)?;
            if condition.classes.is_empty() {
                condition.classes = names.to_vec();
            } else if condition.classes != names {
                let (own, given) = (listed(&condition.classes), listed(names));
                let message = format!("has the classes {given}, and the model is for {own}");
                return Err(Error::Column { column: condition.column.clone(), message });
            }
        }
        Ok(model)
    }

    /// The same with ten classes where those of the data are not known yet: sizes and layers can then be
    /// told.
    pub fn with_some_classes(&self) -> Self {
        let mut model = self.clone();
        if let Some(condition) = model.condition.as_mut().filter(|c| c.classes.is_empty()) {
            condition.classes = (0..10).map(|class| class.to_string()).collect();
        }
        model
    }
}
