//! Finding the fastest variant of each matrix product by timing candidates.

mod trial;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trial::Trial;
#[doc(hidden)]
pub use trial::record;

use super::activation::Activation;
use super::matmul::{PRODUCTS, Problem, Product, Variant, forms, shader};
use crate::cache;
use crate::error::{Error, Result};
use crate::gpu::{Choices, Gpu};

/// The number of variants to try before training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tune {
    /// No variants: every product takes the default for the adapter.
    #[default]
    Off,
    /// A few variants that are good on most adapters of a kind. Results are kept in the cache.
    Quick,
    /// All reasonable variants. Results are kept in the cache.
    Full,
}

/// The levels by their names.
const LEVELS: [(&str, Tune); 3] =
    [("off", Tune::Off), ("quick", Tune::Quick), ("full", Tune::Full)];

impl std::str::FromStr for Tune {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let level = LEVELS.iter().find(|(n, _)| *n == name).map(|(_, level)| *level);
        let known = LEVELS.map(|(name, _)| name).into();
        level.ok_or_else(|| Error::Unknown { kind: "level", name: name.into(), known })
    }
}

/// The fastest variant of a product of a problem.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tuned {
    /// The [`Variant`] as a string.
    pub variant: String,
    /// Seconds that the product takes in the variant.
    pub seconds: f64,
    /// Number of variants that were tried.
    pub tried: usize,
}

/// The fastest variants for training layers with `problems` on batches of `batch`, with the hidden
/// layers' `activation`; `found` is called with each. Results that were found before on the same
/// adapter, driver and kernels are taken from the cache.
///
/// # Errors
///
/// [`crate::Error::Gpu`] if the adapter fails.
pub fn tune(
    gpu: &Gpu,
    level: Tune,
    batch: usize,
    problems: &[Problem],
    activation: Option<Activation>,
    mut found: impl FnMut(&Problem, Product, &Tuned),
) -> Result<Choices> {
    let mut choices = Choices::new(gpu.report());
    if level == Tune::Off {
        return Ok(choices);
    }
    let candidates = candidates(gpu, level);
    let file = cache_name(gpu);
    let mut known = remembered(&file);
    let missing = |problem: &&Problem| is_missing(&known, problem, batch);
    if !gpu.report().is_software() {
        // Kernels differ by the kind of layer, not by its sizes.
        let mut kinds: Vec<_> = problems.iter().filter(missing).collect();
        kinds.dedup_by_key(|problem| std::mem::discriminant(*problem));
        compile(gpu, &kinds, activation, &candidates);
    }
    for (i, problem) in problems.iter().enumerate() {
        // Training does not need the gradient of the first layer's input.
        for product in PRODUCTS.into_iter().filter(|p| i > 0 || *p != Product::BackwardInput) {
            let name = problem.key(product);
            let key = format!("{name}, batch {batch}");
            let valid = |t: &&Tuned| {
                let variant = t.variant.parse::<Variant>();
                t.tried >= candidates.len() && variant.is_ok_and(|v| v.fits(gpu.report()))
            };
            let tuned = match known.get(&key).filter(valid) {
                Some(tuned) => tuned.clone(),
                None => {
                    let tuned = fastest(gpu, problem, product, batch, activation, &candidates)?;
                    known.insert(key, tuned.clone());
                    // At once: who stops the program keeps what was found.
                    let found = serde_json::to_vec(&known).expect("timings are JSON");
                    cache::write(&file, &found);
                    tuned
                }
            };
            found(problem, product, &tuned);
            choices.set(name, tuned.variant);
        }
    }
    Ok(choices)
}

/// Whether the cache has the results of all problems, so that [`tune`] returns at once.
pub(crate) fn is_known(gpu: &Gpu, level: Tune, batch: usize, problems: &[Problem]) -> bool {
    level == Tune::Off || {
        let known = remembered(&cache_name(gpu));
        !problems.iter().any(|problem| is_missing(&known, problem, batch))
    }
}

/// Results from the cache, by product and batch.
fn remembered(name: &str) -> BTreeMap<String, Tuned> {
    let bytes = cache::read(name);
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

fn is_missing(known: &BTreeMap<String, Tuned>, problem: &Problem, batch: usize) -> bool {
    !known.contains_key(&format!("{}, batch {batch}", problem.key(Product::Forward)))
}

/// The cache's file name, one for each adapter, driver and text of the kernels.
fn cache_name(gpu: &Gpu) -> String {
    let report = gpu.report();
    let mut key = format!("{} {} {}", report.name, report.driver, report.backend);
    let some = |lanes| [Variant::Lanes { lanes, rows: 1 }, REGISTERS[0], SMALL];
    for (form, variant) in forms().flat_map(|form| some(1).map(|variant| (form, variant))) {
        key += &shader(form, variant).0.text(&[]);
    }
    format!("tuning-{:08x}.json", crc32fast::hash(key.as_bytes()))
}

const REGISTERS: [Variant; 2] = [
    Variant::Registers { lanes: 8, rows: 2, columns: 2 },
    Variant::Registers { lanes: 8, rows: 4, columns: 2 },
];

const SMALL: Variant =
    Variant::Tiled { down: 8, across: 8, rows: 1, columns: 1, depth: 16, slices: 1 };

/// The variants to try on an adapter.
fn candidates(gpu: &Gpu, level: Tune) -> Vec<Variant> {
    let report = gpu.report();
    let lanes = report.subgroup_sizes[0];
    let lanes = |rows| Variant::Lanes { lanes, rows };
    let mut all = match (report.is_software(), level) {
        (true, Tune::Full) => vec![lanes(1), lanes(2), REGISTERS[0], REGISTERS[1], SMALL],
        // Compiling is most of a software adapter's time.
        (true, _) if lanes(1).fits(report) => vec![lanes(1), lanes(2)],
        (true, _) => REGISTERS.to_vec(),
        (false, Tune::Full) => sweep().collect(),
        (false, _) => TILED.map(tiled).to_vec(),
    };
    all.retain(|variant| variant.fits(report));
    all
}

/// Shapes of [`Variant::Tiled`] for [`Tune::Quick`]: invocations down and across a tile, 4×4 blocks
/// of each down and across, depth, slices.
const TILED: [[u32; 6]; 8] = [
    [8, 8, 1, 1, 16, 1],
    [8, 8, 1, 1, 16, 4],
    [8, 8, 1, 1, 16, 8],
    [16, 16, 1, 1, 16, 1],
    [8, 16, 1, 1, 16, 2],
    [8, 8, 2, 2, 16, 1],
    [16, 16, 2, 1, 16, 1],
    [16, 16, 2, 2, 8, 1],
];

fn tiled([down, across, rows, columns, depth, slices]: [u32; 6]) -> Variant {
    Variant::Tiled { down, across, rows, columns, depth, slices }
}

/// The shapes of tiles for [`Tune::Full`].
fn sweep() -> impl Iterator<Item = Variant> {
    let threads = [[4, 8], [8, 8], [8, 16], [16, 8], [16, 16]];
    let blocks = [[1, 1], [1, 2], [2, 1], [2, 2]];
    threads.into_iter().flat_map(move |[down, across]| {
        blocks.into_iter().flat_map(move |[rows, columns]| {
            [8, 16, 32].into_iter().flat_map(move |depth| {
                let shape = move |slices| [down, across, rows, columns, depth, slices];
                [1, 2, 4, 8].into_iter().map(move |slices| tiled(shape(slices)))
            })
        })
    })
}

/// Compiles the candidates in parallel: drivers of GPUs compile when a pipeline is created, not at
/// its first use.
fn compile(
    gpu: &Gpu,
    problems: &[&Problem],
    activation: Option<Activation>,
    candidates: &[Variant],
) {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
    std::thread::scope(|scope| {
        for part in candidates.chunks(candidates.len().div_ceil(threads).max(1)) {
            scope.spawn(move || {
                let products = || problems.iter().flat_map(|r| PRODUCTS.map(|p| (*r, p)));
                for (&variant, (problem, product)) in
                    part.iter().flat_map(|variant| products().map(move |p| (variant, p)))
                {
                    record(gpu, problem, product, 1, activation, variant);
                }
            });
        }
    });
}

/// Number of candidates that are timed in turns, so that changes of the adapter's speed affect all.
const GROUP: usize = 4;
/// Number of times that each candidate of a group is timed.
const ROUNDS: usize = 4;
/// Candidates slower than the best by more than this factor are not timed again.
const HOPELESS: f64 = 3.0;

fn fastest(
    gpu: &Gpu,
    problem: &Problem,
    product: Product,
    batch: usize,
    activation: Option<Activation>,
    candidates: &[Variant],
) -> Result<Tuned> {
    let default = problem.variant(gpu.report(), &Choices::new(gpu.report()), product, batch);
    let mut candidates = candidates.to_vec();
    if !candidates.contains(&default) {
        candidates.push(default);
    }
    // The best of a group stays on for the next.
    let mut group: Vec<(f64, Variant, Trial)> = Vec::new();
    for part in candidates.chunks(GROUP) {
        for &variant in part {
            let trial = Trial::new(gpu, problem, product, batch, activation, variant)?;
            group.push((f64::INFINITY, variant, trial));
        }
        for _ in 0..ROUNDS {
            for (seconds, _, trial) in &mut group {
                *seconds = seconds.min(trial.seconds()?);
            }
            let least = group.iter().map(|g| g.0).fold(f64::INFINITY, f64::min);
            group.retain(|g| g.0 <= HOPELESS * least);
        }
        group.sort_by(|a, b| a.0.total_cmp(&b.0));
        group.truncate(1);
    }
    let (seconds, variant, _) = group.pop().expect("every adapter can run some variant");
    Ok(Tuned { variant: variant.to_string(), seconds, tried: candidates.len() })
}
