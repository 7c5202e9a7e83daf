//! Files of every format that the program reads, damaged.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use vae_gpu::Config;

use super::fixture::{self, Ended, Files, Fixture, difference, files};
use super::report::Verdict;
use super::*;

/// What is damaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Format {
    Idx,
    Gzip,
    Png,
    Jpeg,
    Model,
    Checkpoint,
    Config,
    Metrics,
    Pipelines,
    Tuning,
    Packed,
}

impl Format {
    const ALL: [Self; 11] = [
        Self::Idx,
        Self::Gzip,
        Self::Png,
        Self::Jpeg,
        Self::Model,
        Self::Checkpoint,
        Self::Config,
        Self::Metrics,
        Self::Pipelines,
        Self::Tuning,
        Self::Packed,
    ];

    /// All that there are with this adapter.
    pub fn all() -> impl Iterator<Item = Self> {
        let keeps_pipelines =
            adapter().as_ref().is_some_and(|adapter| adapter["pipeline_cache"] == true);
        if !keeps_pipelines {
            skip("the adapter keeps no pipelines to be damaged");
        }
        Self::ALL.into_iter().filter(move |format| *format != Self::Pipelines || keeps_pipelines)
    }
}

/// Damages one place of `bytes`.
fn damage(bytes: &mut Vec<u8>, random: &mut ChaCha8Rng) {
    if bytes.is_empty() {
        return bytes.push(random.random());
    }
    // Beginnings are headers, whose damage tells most.
    let range = if random.random_bool(0.3) { bytes.len().min(64) } else { bytes.len() };
    let at = random.random_range(0..range);
    let end = bytes.len().min(at + random.random_range(1..200));
    match random.random_range(0..9) {
        0..3 => bytes[at] ^= 1 << random.random_range(0..8),
        3 => bytes[at] = random.random(),
        4 => bytes.truncate(at),
        5 => drop(bytes.drain(at..end)),
        6 => {
            let new: Vec<u8> = (at..end).map(|_| random.random()).collect();
            drop(bytes.splice(at..at, new));
        }
        7 => bytes[at..end].fill([0, 255][random.random_range(0..2)]),
        _ => bytes.extend_from_within(at..end),
    }
}

/// Damages a file of `format`: it is refused with a message, or the result is what it is without damage.
pub fn run(fixture: &Fixture, format: Format, number: u64) -> Verdict {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    match format {
        Format::Idx => dataset(fixture, "idx", "begun", "whole", &mut random),
        Format::Gzip => dataset(fixture, "gz", "gz-begun", "gz-whole", &mut random),
        Format::Png => dataset(fixture, "png", "png-begun", "png-whole", &mut random),
        Format::Jpeg => dataset(fixture, "jpg", "jpg-begun", "jpg-whole", &mut random),
        Format::Model => model(fixture, &mut random),
        Format::Checkpoint => in_run(fixture, "checkpoint.safetensors", &mut random),
        Format::Config => in_run(fixture, "config.toml", &mut random),
        Format::Metrics => in_run(fixture, "metrics.jsonl", &mut random),
        Format::Pipelines => cache(fixture, "pipe", &mut random),
        Format::Tuning => cache(fixture, "tuning-", &mut random),
        Format::Packed => packed(fixture, &mut random),
    }
}

/// Damages the file `name` of `place`.
fn damage_file(place: &Place, name: &str, random: &mut ChaCha8Rng) {
    let whole = place.read(name);
    let mut bytes = whole.clone();
    while bytes == whole {
        damage(&mut bytes, random);
    }
    place.write(name, &bytes);
}

/// The verdict on a program whose result is `should` unless it fails.
fn same_or_refused(end: &Ended, should: &Files, place: &Place) -> Verdict {
    match (end.fault(), end.succeeded()) {
        (Some(fault), _) => fault,
        (None, false) => Verdict::Good,
        (None, true) => match difference(should, files(&place.path("the-run")).as_ref()) {
            None => Verdict::Good,
            Some(difference) => Verdict::Difference(difference),
        },
    }
}

/// Damages a file of a dataset. What is still read as one must not go on with a run.
fn dataset(
    fixture: &Fixture,
    data: &str,
    begun: &str,
    whole: &str,
    random: &mut ChaCha8Rng,
) -> Verdict {
    let place = fixture.folder(Some(begun));
    fixture.copy(data, &place, "data");
    let all = names(place.path("data"));
    let file = all[random.random_range(0..all.len())].to_str().unwrap();
    damage_file(&place, &format!("data/{file}"), random);
    let inspect = ["inspect", &fixture.path("tiny.toml"), "--data", "data"];
    let end = fixture::run(&place, &inspect);
    if end.fault().is_some() || !end.succeeded() {
        return end.fault().unwrap_or(Verdict::Good);
    }
    let resume = ["train", "--resume", "the-run", "--epochs", "2", "--data", "data"];
    let end = fixture::run(&place, &resume);
    let mut should = fixture.run(whole);
    // It names the folder of the data.
    should.insert("config.toml".into(), fs::read(place.path("the-run/config.toml")).unwrap());
    same_or_refused(&end, &should, &place)
}

/// Damages a model.
fn model(fixture: &Fixture, random: &mut ChaCha8Rng) -> Verdict {
    let place = fixture.folder(Some("whole"));
    damage_file(&place, "the-run/model.safetensors", random);
    let end = fixture::run(&place, &["inspect", "the-run"]);
    if end.fault().is_some() || !end.succeeded() && random.random_bool(0.9) {
        return end.fault().unwrap_or(Verdict::Good);
    }
    let end = fixture::run(&place, &["evaluate", "the-run", "--json"]);
    if end.fault().is_some() || !end.succeeded() {
        return end.fault().unwrap_or(Verdict::Good);
    }
    let should = &fixture.losses;
    match end.ran.stdout == *should {
        true => Verdict::Good,
        false => Verdict::Difference(format!("{} is not {should}", end.ran.stdout.trim())),
    }
}

/// Damages a file of a run that is to go on.
fn in_run(fixture: &Fixture, file: &str, random: &mut ChaCha8Rng) -> Verdict {
    let place = fixture.folder(Some("begun"));
    let name = format!("the-run/{file}");
    let whole = place.read(&name);
    damage_file(&place, &name, random);
    let damaged = place.read(&name);
    // What needs no adapter tells most of it.
    let inspected = if file == "config.toml" { "the-run" } else { &name };
    if file != "metrics.jsonl" {
        let end = fixture::run(&place, &["inspect", inspected]);
        if end.fault().is_some() || !end.succeeded() && random.random_bool(0.8) {
            return end.fault().unwrap_or(Verdict::Good);
        }
    }
    let end = fixture::run(&place, &["train", "--resume", "the-run", "--epochs", "2"]);
    let mut should = fixture.whole.clone();
    if file == "metrics.jsonl" {
        // The lines are the user's to read and to change, and the curve follows them.
        for name in ["metrics.jsonl", "loss.svg"] {
            should.remove(&OsString::from(name));
        }
        let is = files(&place.path("the-run"));
        if end.fault().is_some() || !end.succeeded() {
            return end.fault().unwrap_or(Verdict::Good);
        }
        let Some(mut is) = is else { return Verdict::Loss("metrics that cannot be read".into()) };
        is.retain(|name, _| name != "metrics.jsonl" && name != "loss.svg");
        return difference(&should, Some(&is)).map_or(Verdict::Good, Verdict::Difference);
    }
    if file == "config.toml" && end.succeeded() && edited(&whole, &damaged) {
        return Verdict::Good;
    }
    same_or_refused(&end, &should, &place)
}

/// Whether a configuration was changed to another valid one, as a user may.
fn edited(whole: &[u8], damaged: &[u8]) -> bool {
    let parse = |bytes: &[u8]| Config::parse(std::str::from_utf8(bytes).ok()?, "config.toml").ok();
    parse(damaged).is_some_and(|config| Some(config) != parse(whole))
}

/// Damages what is kept to save time: it is never missed, and never changes a result.
fn cache(fixture: &Fixture, kind: &str, random: &mut ChaCha8Rng) -> Verdict {
    let place = fixture.folder(None);
    fixture.copy("cache", &place, "cache");
    let file = names(place.path("cache")).into_iter().find(|n| n.to_str().unwrap().contains(kind));
    let Some(file) = file else { return Verdict::Untried(format!("no file of {kind} is kept")) };
    damage_file(&place, &format!("cache/{}", file.to_str().unwrap()), random);
    // With other kernels, the last bits are others: what was tuned is tuned again.
    let tune = if kind == "pipe" { "off" } else { "quick" };
    let args = fixture.train("tiny.toml", &["--tune", tune]);
    let end = fixture::wait(fixture::start_with_cache(&place, "cache", &[], &args));
    if end.fault().is_some() || !end.succeeded() {
        let why = end.ran.stderr.trim().to_string();
        return end.fault().unwrap_or(Verdict::Loss(why));
    }
    if kind != "pipe" {
        return Verdict::Good;
    }
    same_or_refused(&end, &fixture.whole, &place)
}

/// Damages the file of pixels that a run is streamed from: it is made again, and the run goes on to the
/// same bits.
fn packed(fixture: &Fixture, random: &mut ChaCha8Rng) -> Verdict {
    let place = fixture.folder(Some("gz-begun"));
    fixture.copy("packed/datasets", &place, "cache/datasets");
    let all = names(place.path("cache/datasets"));
    let file = &all[random.random_range(0..all.len())];
    damage_file(&place, &format!("cache/datasets/{}", file.to_str().unwrap()), random);
    // The file is named by the folder that it was made from.
    let data = fixture.path("gz");
    let resume =
        ["train", "--resume", "the-run", "--epochs", "2", "--data", &data, "--memory", "1KB"];
    let end =
        fixture::wait(fixture::start_with_cache(&place, "cache", &[], &resume.map(String::from)));
    if end.fault().is_some() || !end.succeeded() {
        let why = end.ran.stderr.trim().to_string();
        return end.fault().unwrap_or(Verdict::Loss(why));
    }
    let stored = "streamed from cache/datasets/";
    if !end.ran.stdout.contains(stored) {
        return Verdict::Untried(format!("it does not say {stored}: {}", end.ran.stdout));
    }
    let mut should = fixture.run("gz-whole");
    // It names the folder of the data.
    should.insert("config.toml".into(), fs::read(place.path("the-run/config.toml")).unwrap());
    same_or_refused(&end, &should, &place)
}
