//! Where a table's rows lie while steps take them, and how they come to the adapter.

use std::ops::Range;
use std::path::PathBuf;

use super::Columns;
use super::columns::{Kind, Stored};
use crate::data::{BLOCK, Column, Table};
use crate::error::{Load, Result};
use crate::gpu::{AdapterReport, Gpu};

/// Buffers that a column may take on the adapter: each costs the step a dispatch.
const MOST_PARTS: usize = 8;
/// Bytes of rows that are sent to the adapter at a time: a few milliseconds of copying.
const WINDOW: usize = 16 << 20;
/// Bytes from which on an adapter is asked for the memory before it is relied on.
const LARGE: u64 = 256 << 20;

/// Where the rows of a table lie while steps take them. The steps' results have the same bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// On the adapter where they fit, otherwise streamed.
    #[default]
    Auto,
    /// In the host's memory or their file, from where they are sent to the adapter as steps take them.
    Streamed {
        /// Bytes of rows that are sent at a time; at least a batch is.
        window: usize,
    },
}

impl Placement {
    /// Streamed as [`Placement::Auto`] does it where the rows do not fit.
    pub const STREAMED: Self = Self::Streamed { window: WINDOW };
}

/// Where the rows of a table lie while steps take them, as [`Placement`] had it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Residence {
    /// All on the adapter.
    Adapter {
        /// Buffers of the largest column that steps take.
        buffers: usize,
    },
    /// In the host's memory.
    Memory,
    /// In this file.
    File(PathBuf),
}

impl Columns {
    /// A place for the columns of `table` on `gpu`, for steps of at most `batch_size` rows.
    pub fn of(gpu: &Gpu, table: &Table, batch_size: usize, placement: Placement) -> Self {
        let report = gpu.report();
        let kinds: Vec<_> =
            table.columns().map(|(name, column)| (name.to_string(), Kind::of(column))).collect();
        // Images take whole elements.
        let limit = report.max_binding_bytes.min(report.max_buffer_bytes) as usize / 4 * 4;
        let place = |window: Option<usize>| {
            let kinds = kinds.iter().cloned();
            // A row that no binding holds is left to the check of the batch.
            let most = |kind: Kind| window.unwrap_or((limit / kind.row_bytes().max(1)).max(1));
            Self::new(table.len(), window, kinds.map(|(name, kind)| (name, kind, most(kind))))
        };
        let window = match placement {
            Placement::Streamed { window } => window,
            Placement::Auto => {
                let all = place(None);
                let few = all.columns.iter().all(|column| column.parts.len() <= MOST_PARTS);
                if few && has_memory(gpu, table) && all.is_reserved(gpu) {
                    return all;
                }
                WINDOW
            }
        };
        let row: usize = kinds.iter().map(|(_, kind)| kind.row_bytes()).sum();
        let window = window / row.max(1);
        let window = window.max(batch_size) / batch_size.max(1) * batch_size;
        place(Some(window.min(table.len().max(1))))
    }

    /// Makes the buffers of a large table, which an adapter may lack the memory for, and says whether it
    /// has them.
    fn is_reserved(&self, gpu: &Gpu) -> bool {
        let parts = || self.columns.iter().flat_map(|column| &column.parts).map(|(_, part)| part);
        let bytes: u64 = parts().map(|part| part.buffer().bytes()).sum();
        bytes < LARGE || gpu.reserve(parts())
    }

    /// Rows of which steps may be submitted at a time, if they are to be fed before each submission; all
    /// rows lie on the adapter otherwise.
    pub fn window(&self) -> Option<usize> {
        self.window
    }

    /// Where the rows of `table` lie, and their bytes in the columns that steps take.
    pub fn residence(&self, table: &Table) -> (Residence, u64) {
        let columns = || self.taken().map(|stored| of(table, stored));
        let bytes = columns().map(|column| table.len() as u64 * column.row_bytes() as u64).sum();
        let file = columns().find_map(|column| match column {
            Column::Packed(images) => Some(images.path().to_owned()),
            _ => None,
        });
        let residence = match (self.window, file) {
            (None, _) => {
                let buffers = self.taken().map(|column| column.parts.len()).max().unwrap_or(0);
                Residence::Adapter { buffers }
            }
            (Some(_), None) => Residence::Memory,
            (Some(_), Some(path)) => Residence::File(path),
        };
        (residence, bytes)
    }

    fn taken(&self) -> impl Iterator<Item = &Stored> {
        self.columns.iter().filter(|column| column.is_taken.get())
    }

    /// Fails unless the columns that steps take fit the adapter.
    ///
    /// # Errors
    ///
    /// [`crate::Error::TooLarge`] naming the limit.
    pub fn check_fits(&self, adapter: &AdapterReport) -> Result<()> {
        let load = if self.window.is_some() { Load::Batch } else { Load::Dataset };
        let parts = self.taken().flat_map(|column| &column.parts);
        let largest = parts.map(|(_, part)| part.buffer().bytes()).max().unwrap_or(0);
        adapter.check_fits(load, largest, largest)
    }

    /// Uploads the columns of `table` that steps take, in their own order; nothing where they are to be
    /// fed.
    ///
    /// # Errors
    ///
    /// [`crate::Error::OutOfMemory`] when the adapter has not so much memory, [`crate::Error::Io`] when
    /// the file in which rows lie cannot be read.
    pub fn upload(&self, gpu: &Gpu, table: &Table) -> Result<()> {
        if self.window.is_some() {
            return gpu.check();
        }
        for stored in self.taken() {
            let column = of(table, stored);
            for (held, part) in &stored.parts {
                column.for_blocks(held.clone(), 4, |first, bytes| {
                    let at = (first - held.start) * column.row_bytes() / 4;
                    stored.binarize(first.., bytes);
                    part.write_bytes(gpu, at, bytes);
                    // The copy that was made of them is free again once they have arrived.
                    if held.len() * column.row_bytes() > BLOCK { gpu.flush() } else { Ok(()) }
                })?;
            }
        }
        let order: Vec<u32> = (0..self.rows as u32).collect();
        self.order.write(gpu, &order);
        gpu.check()
    }

    /// Sends the rows at the `positions` of an epoch, which are those that `order` says, for the steps
    /// that are submitted next; at most a window of them.
    ///
    /// # Errors
    ///
    /// As [`Columns::upload`].
    pub fn feed(
        &self,
        gpu: &Gpu,
        table: &Table,
        positions: Range<usize>,
        order: impl Fn(u32) -> u32,
    ) -> Result<()> {
        assert!(positions.len() <= self.window.unwrap_or(0), "more rows than the window has");
        let rows: Vec<usize> = positions.clone().map(|at| order(at as u32) as usize).collect();
        let mut bytes = Vec::new();
        for stored in self.taken() {
            bytes.clear();
            of(table, stored).append_rows(&rows, &mut bytes)?;
            stored.binarize(rows.iter().copied(), &mut bytes);
            stored.parts[0].1.write_bytes(gpu, 0, &bytes);
        }
        // Positions are taken modulo the ring's length.
        let (ring, first) = (self.order.len(), positions.start % self.order.len());
        let (head, tail) = rows.split_at(rows.len().min(ring - first));
        let places = |from: usize, count| (from as u32..).take(count).collect::<Vec<u32>>();
        for (at, from, count) in [(first, 0, head.len()), (0, head.len(), tail.len())] {
            if count > 0 {
                self.order.write_bytes(gpu, at, bytemuck::cast_slice(&places(from, count)));
            }
        }
        gpu.check()
    }

    /// A checksum of the columns of `table` that steps take.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Io`] when the file in which rows lie cannot be read.
    pub fn checksum(&self, table: &Table) -> Result<u32> {
        let mut hasher = crc32fast::Hasher::new();
        for stored in self.taken() {
            hasher.combine(&of(table, stored).checksum(table.len())?);
        }
        Ok(hasher.finalize())
    }
}

impl Stored {
    /// Makes black or white of the pixels of rows of these numbers, if that is wanted.
    fn binarize(&self, rows: impl IntoIterator<Item = usize>, bytes: &mut [u8]) {
        if let Some((binarize, seed)) = self.binarized.get() {
            binarize.apply(seed, rows, self.kind.row_bytes(), bytes);
        }
    }
}

/// Whether the host has the memory for `table` on a software adapter, whose memory is the host's.
fn has_memory(gpu: &Gpu, table: &Table) -> bool {
    let is_packed = |column: &Column| matches!(column, Column::Packed(_));
    let bytes = |column: &Column| table.len() as u64 * column.row_bytes() as u64;
    let bytes: u64 = table.columns().map(|(_, column)| bytes(column)).sum();
    !gpu.report().is_software()
        || !table.columns().any(|(_, column)| is_packed(column))
            && (bytes < LARGE || bytes < crate::data::available_memory() / 2)
}

fn of<'a>(table: &'a Table, stored: &Stored) -> &'a Column {
    table.column(&stored.name).expect("the table has the columns it is a place for")
}
