//! Two programs on one run folder at once.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fixture::{Fixture, difference, files, start, wait};
use super::report::Verdict;
use super::*;

/// What both programs do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Double {
    Fresh,
    Resumed,
    Overwriting,
}

impl Double {
    pub const ALL: [Self; 3] = [Self::Fresh, Self::Resumed, Self::Overwriting];
}

/// Starts both, the second up to a tenth of a second later: one of them does what it should, and the other
/// does it again or says why not.
pub fn run(fixture: &Fixture, double: Double, number: u64) -> Verdict {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let (before, args, should) = match double {
        Double::Fresh => (None, fixture.train("tiny.toml", &[]), &fixture.whole),
        Double::Resumed => {
            let args = ["train", "--resume", "the-run", "--epochs", "2"];
            (Some("begun"), args.map(String::from).to_vec(), &fixture.whole)
        }
        Double::Overwriting => {
            (Some("old"), fixture.train("plain.toml", &["--overwrite"]), &fixture.plain)
        }
    };
    let place = fixture.folder(before);
    let first = start(&place, &[], &args);
    std::thread::sleep(Duration::from_millis(random.random_range(0..100) / 4 * 4));
    let second = start(&place, &[], &args);
    let ends = [wait(first), wait(second)];
    if let Some(fault) = ends.iter().find_map(|end| end.fault()) {
        return fault;
    }
    let refusals = ["the-run: is in use by", "the-run: is there already"];
    let refused = |text: &str| refusals.iter().any(|refusal| text.contains(refusal));
    let told = |end: &fixture::Ended| end.succeeded() || refused(&end.ran.stderr);
    let stderr = || ends.iter().map(|end| end.ran.stderr.trim()).collect::<Vec<_>>().join(" | ");
    if !ends.iter().any(|end| end.succeeded()) || !ends.iter().all(told) {
        return Verdict::Loss(stderr());
    }
    match difference(should, files(&place.path("the-run")).as_ref()) {
        None => Verdict::Good,
        Some(difference) => Verdict::Loss(format!("{difference}: {}", stderr())),
    }
}
