//! Variants of the matrix product, which divide the work differently.

use std::fmt::{Display, Formatter};
use std::str::FromStr;

use crate::gpu::AdapterReport;

/// A kernel and the shape of its tiles. As a string, it is written like `lanes 8 1` or
/// `tiled 8x8 2x2 16 4`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// `shaders/product/lanes.wgsl`: the invocations of a subgroup exchange blocks by shuffles.
    Lanes {
        /// Invocations in a subgroup, and in a workgroup.
        lanes: u32,
        /// 4×4 blocks of the left matrix that each invocation holds, 1 or 2.
        rows: u32,
    },
    /// `shaders/product/registers.wgsl`: each invocation computes a tile of its own.
    Registers {
        /// Invocations in a workgroup.
        lanes: u32,
        /// 4×4 blocks down an invocation's tile.
        rows: u32,
        /// 4×4 blocks across it.
        columns: u32,
    },
    /// `shaders/product/tiled.wgsl`: the invocations share tiles in workgroup memory.
    Tiled {
        /// Invocations down a tile.
        down: u32,
        /// Invocations across it.
        across: u32,
        /// 4×4 blocks down an invocation's part of the tile.
        rows: u32,
        /// 4×4 blocks across it.
        columns: u32,
        /// Depth of the tiles in memory, a multiple of 4.
        depth: u32,
        /// Groups of invocations among which the depth is divided.
        slices: u32,
    },
}

use Variant::{Lanes, Registers, Tiled};

impl Variant {
    /// The variant's file in `shaders/product`, and its constants.
    pub(super) fn shader(self) -> (&'static str, Vec<(&'static str, u32)>) {
        let block = |rows, columns| [("ROWS", rows), ("COLS", columns)];
        match self {
            Lanes { lanes, rows } => ("lanes", vec![("LANES", lanes), ("ROWS", rows)]),
            Registers { lanes, rows, columns } => {
                ("registers", [&[("LANES", lanes)], &block(rows, columns)[..]].concat())
            }
            Tiled { down, across, rows, columns, depth, slices } => (
                "tiled",
                [
                    &[("DOWN", down), ("ACROSS", across), ("DEPTH", depth), ("SLICES", slices)],
                    &block(rows, columns)[..],
                ]
                .concat(),
            ),
        }
    }

    /// Rows and columns of a tile, and number of tiles in a workgroup.
    fn tile(self) -> [usize; 3] {
        let [height, width, tiles] = match self {
            Lanes { lanes, rows } => [4 * lanes * rows, 4 * lanes, 1],
            Registers { lanes, rows, columns } => [4 * rows, 4 * columns, lanes],
            Tiled { down, across, rows, columns, .. } => [4 * rows * down, 4 * columns * across, 1],
        };
        [height, width, tiles].map(|n| n as usize)
    }

    /// Number of workgroups for a result of `height` by `width`.
    pub(in crate::ops) fn groups(self, height: usize, width: usize) -> usize {
        let [tall, wide, tiles] = self.tile();
        (height.div_ceil(tall) * width.div_ceil(wide)).div_ceil(tiles)
    }

    /// Number of tiles in a workgroup.
    pub(in crate::ops) fn tiles(self) -> usize {
        self.tile()[2]
    }

    /// Whether the adapter can run it.
    pub fn fits(self, report: &AdapterReport) -> bool {
        match self {
            // In a subgroup of any other size, the shuffles would exchange the wrong blocks.
            Lanes { lanes, .. } => {
                let staged = 64 * lanes * lanes;
                report.subgroups
                    && report.subgroup_sizes == [lanes; 2]
                    && staged <= report.max_workgroup_bytes
            }
            Registers { lanes, rows, .. } => {
                let staged = 64 * rows * lanes;
                lanes <= report.max_workgroup_invocations && staged <= report.max_workgroup_bytes
            }
            Tiled { down, across, rows, columns, depth, slices } => {
                let invocations = down * across * slices;
                let quads = depth * (rows * down + columns * across) * slices
                    + (slices - 1) * (columns * down * across + rows * down)
                    + 3;
                invocations <= report.max_workgroup_invocations
                    && 16 * quads <= report.max_workgroup_bytes
            }
        }
    }

    /// The variant for a result of `height` by `width` on an adapter without tuning.
    pub fn default_for(report: &AdapterReport, height: usize, width: usize) -> Self {
        let [small, large] = report.subgroup_sizes;
        if report.is_software() {
            // Many rows of a few columns would leave most of a lanes' tile empty.
            if width <= 8 && height >= 1024 {
                return Registers { lanes: 8, rows: 4, columns: 1 };
            }
            let lanes = Lanes { lanes: small, rows: 1 };
            // A wide subgroup's tile would not fit its registers.
            return match small == large && (4..=8).contains(&small) && lanes.fits(report) {
                true => lanes,
                false => Registers { lanes: 8, rows: 4, columns: 2 },
            };
        }
        // Few large tiles leave most of a GPU idle.
        let slices = if height * width < 256 * 1024 { 4 } else { 1 };
        let thin = Tiled { down: 8, across: 8, rows: 1, columns: 1, depth: 16, slices };
        let large = Tiled { down: 16, across: 16, rows: 2, columns: 2, depth: 8, slices: 1 };
        let wanted = if height * width >= 4 << 20 { large } else { thin };
        let small = Tiled { down: 8, across: 8, rows: 1, columns: 1, depth: 16, slices: 1 };
        if wanted.fits(report) { wanted } else { small }
    }
}

impl Display for Variant {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Lanes { lanes, rows } => write!(f, "lanes {lanes} {rows}"),
            Registers { lanes, rows, columns } => write!(f, "registers {lanes} {rows}x{columns}"),
            Tiled { down, across, rows, columns, depth, slices } => {
                write!(f, "tiled {down}x{across} {rows}x{columns} {depth} {slices}")
            }
        }
    }
}

impl FromStr for Variant {
    type Err = ();

    fn from_str(words: &str) -> Result<Self, ()> {
        let (kernel, shape) = words.split_once(' ').ok_or(())?;
        let numbers = shape.split([' ', 'x']).map(|n| n.parse().map_err(|_| ()));
        let numbers = numbers.collect::<Result<Vec<u32>, ()>>()?;
        // Larger tiles would not fit in registers, and the products of these numbers could
        // overflow.
        if !numbers.iter().all(|n| (1..=64).contains(n)) {
            return Err(());
        }
        match (kernel, &numbers[..]) {
            ("lanes", &[lanes, rows @ 1..=2]) => Ok(Lanes { lanes, rows }),
            ("registers", &[lanes, rows, columns]) => Ok(Registers { lanes, rows, columns }),
            ("tiled", &[down, across, rows, columns, depth, slices]) if depth.is_multiple_of(4) => {
                Ok(Tiled { down, across, rows, columns, depth, slices })
            }
            _ => Err(()),
        }
    }
}
