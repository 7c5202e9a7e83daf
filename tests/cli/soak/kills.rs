//! Programs that are killed, at random or at each operation on files, and operations that fail.

use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::fixture::{Files, Fixture, difference, files, run, start, wait};
use super::report::Verdict;
use super::*;

/// The signal that cannot be caught.
const SIGKILL: Option<i32> = Some(9);
/// The folder that new files are in until they are committed.
const UNFINISHED: &str = "the-run/.vae-gpu-unfinished";
/// What changes files, and what waits until it is on the disk. Not every machine has all of these.
const CALLS: &str = "?openat,?creat,?mkdir,?mkdirat,?rename,?renameat,?renameat2,?fsync,?fdatasync,?unlink,\
                     ?unlinkat,?rmdir,?flock,?write,?ftruncate,?link,?linkat";

/// A kind of save.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Save {
    Fresh,
    Resumed,
    Overwriting,
    /// Within an epoch.
    Stopped,
    /// The rest of one that was cut short.
    Finished,
}

impl Save {
    pub const ALL: [Self; 5] =
        [Self::Fresh, Self::Resumed, Self::Overwriting, Self::Stopped, Self::Finished];

    /// A folder with the run before it, and the command.
    fn prepare(self, fixture: &Fixture) -> (Place, Vec<String>) {
        let resume = |more: [&str; 2]| {
            let args = ["train", "--resume", "the-run"].into_iter().chain(more);
            args.map(String::from).collect()
        };
        match self {
            Self::Fresh => (fixture.folder(None), fixture.train("tiny.toml", &[])),
            Self::Resumed => (fixture.folder(Some("begun")), resume(["--epochs", "2"])),
            Self::Overwriting => {
                let args = fixture.train("plain.toml", &["--overwrite"]);
                (fixture.folder(Some("whole")), args)
            }
            Self::Stopped => (fixture.folder(Some("part")), resume(["--max-steps", "6"])),
            Self::Finished => {
                let place = fixture.folder(Some("whole"));
                fixture.copy("runs/plain", &place, "the-run/.vae-gpu-saved");
                place.write("the-run/.vae-gpu-saved/.removed", "samples.png");
                (place, resume(["--epochs", "2"]))
            }
        }
    }

    /// Asserts that the run is the older one or the new one, and goes on.
    fn judge(self, fixture: &Fixture, place: &Place) -> Verdict {
        let folder = place.path("the-run");
        let mut end = run(place, &["train", "--resume", "the-run", "--epochs", "2"]);
        let ways: &[&Files] = match self {
            // As long as there is no run, nothing is in the way of one.
            Self::Fresh if end.ran.stderr.contains("is no run folder") || !folder.exists() => {
                end = run(place, &fixture.train("tiny.toml", &[]));
                &[&fixture.whole]
            }
            Self::Overwriting => &[&fixture.whole, &fixture.plain],
            Self::Finished => &[&fixture.plain],
            Self::Fresh | Self::Resumed | Self::Stopped => &[&fixture.whole],
        };
        if let Some(fault) = end.fault() {
            return fault;
        }
        if !end.succeeded() {
            return Verdict::Loss(format!("does not go on: {}", end.ran.stderr.trim()));
        }
        let is = files(&folder);
        let differences = ways.iter().map(|should| difference(should, is.as_ref()));
        match differences.collect::<Option<Vec<String>>>() {
            Some(differences) => Verdict::Loss(differences.join(", or ")),
            None => Verdict::Good,
        }
    }
}

/// A call of the system on a file of a run: the `nth` of its name.
#[derive(Clone, Debug)]
pub struct Operation {
    call: String,
    nth: usize,
    text: String,
}

impl Operation {
    /// Whether a disk that fails would let this one fail, of those that change something.
    pub fn may_fail(&self) -> bool {
        self.call != "openat" || self.text.contains("O_CREAT")
    }
}

/// The command that runs another one and injects `injected` into it.
fn strace(log: &str, injected: Option<String>) -> Vec<String> {
    let mut words = vec!["strace".into(), "-y".into(), "-o".into(), log.into()];
    words.extend(["-e".into(), format!("trace={CALLS}")]);
    words.extend(injected.into_iter().flat_map(|text| ["-e".into(), format!("inject={text}")]));
    words
}

/// Whether programs can be traced here.
pub fn can_trace() -> bool {
    let traced = Command::new("strace").args(["-o", "/dev/null", "true"]).output();
    traced.is_ok_and(|output| output.status.success())
}

/// All operations on the run's files in a `save` that nothing happens to.
pub fn operations(fixture: &Fixture, save: Save) -> Vec<Operation> {
    let (place, args) = save.prepare(fixture);
    let log = place.path("calls.txt");
    let end = wait(start(&place, &strace(log.to_str().unwrap(), None), &args));
    assert!(end.succeeded(), "{}", end.ran.stderr);
    let mut counts = BTreeMap::new();
    let mut operations = Vec::new();
    for line in String::from_utf8_lossy(&fs::read(log).unwrap()).lines() {
        let Some((call, text)) = line.split_once('(') else { continue };
        let nth = counts.entry(call.to_string()).or_insert(0);
        *nth += 1;
        if text.contains("the-run") && !text.contains("1<pipe:") {
            operations.push(Operation { call: call.into(), nth: *nth, text: text.into() });
        }
    }
    operations
}

/// Kills a `save` at `operation`, and looks what is left.
pub fn killed(fixture: &Fixture, save: Save, operation: &Operation) -> (u32, Verdict) {
    let (place, args) = save.prepare(fixture);
    let injected = format!("{}:signal=SIGKILL:when={}", operation.call, operation.nth);
    let end = wait(start(&place, &strace("/dev/null", Some(injected)), &args));
    if end.signal != SIGKILL {
        let why = format!("was not killed at {operation:?}: {}", end.ran.stderr.trim());
        return (0, Verdict::Untried(why));
    }
    (1, at(operation, save.judge(fixture, &place)))
}

/// Lets `operation` fail in a `save`, and looks what is left.
pub fn failed(fixture: &Fixture, save: Save, operation: &Operation) -> (u32, Verdict) {
    let (place, args) = save.prepare(fixture);
    let injected = format!("{}:error=EIO:when={}", operation.call, operation.nth);
    let end = wait(start(&place, &strace("/dev/null", Some(injected)), &args));
    let verdict = end.fault().unwrap_or_else(|| save.judge(fixture, &place));
    (1, at(operation, verdict))
}

/// A verdict that names the operation.
fn at(operation: &Operation, verdict: Verdict) -> Verdict {
    let Operation { call, nth, text } = operation;
    let named = |why: String| format!("at {call} {nth} ({text}): {why}");
    match verdict {
        Verdict::Loss(why) => Verdict::Loss(named(why)),
        Verdict::Panic(why) => Verdict::Panic(named(why)),
        Verdict::Hang(why) => Verdict::Hang(named(why)),
        other => other,
    }
}

/// Trains a run of six epochs through `kills` kills at random times, by turns at any time and while it
/// saves; from nothing, or over an older run.
pub fn at_random(fixture: &Fixture, number: u64, kills: u32) -> (u32, Verdict) {
    let mut random = ChaCha8Rng::seed_from_u64(number);
    let overwriting = random.random_bool(0.3);
    let place = fixture.folder(overwriting.then_some("old"));
    let folder = place.path("the-run");
    let more: &[&str] = if overwriting { &["--overwrite"] } else { &[] };
    let begin = [
        fixture.train("tiny.toml", &["--epochs", "6"]),
        more.iter().map(|m| m.to_string()).collect(),
    ]
    .concat();
    let resume = ["train", "--resume", "the-run"].map(String::from).to_vec();
    let (mut killed, mut steps) = (0, 0);
    for _ in 0..20 * kills {
        if killed == kills {
            break;
        }
        // The older run as it was, or none, so that the new one has not begun.
        let is = files(&folder);
        let pending = folder.join(".vae-gpu-saved").exists();
        let old = overwriting && !pending && is.is_some_and(|is| is == fixture.run("old"));
        let none = !pending && !folder.join("config.toml").exists();
        steps += random.random_range(0..4);
        let steps = ["--max-steps".to_string(), (steps % 20 + 1).to_string()].to_vec();
        let args = [if old || none { begin.clone() } else { resume.clone() }, steps].concat();
        let mut child = start(&place, &[], &args);
        if random.random_bool(0.5) {
            std::thread::sleep(Duration::from_millis(random.random_range(0..600)));
        } else {
            let begun = Instant::now();
            let is_saving = || place.path(UNFINISHED).exists();
            while !is_saving() && begun.elapsed() < Duration::from_secs(5) {
                std::thread::sleep(Duration::from_micros(300));
                if child.try_wait().unwrap().is_some() {
                    break;
                }
            }
            std::thread::sleep(Duration::from_micros(random.random_range(0..30_000)));
        }
        let _ = child.kill();
        let end = wait(child);
        if end.signal == SIGKILL {
            killed += 1;
        } else if let Some(fault) = end.fault() {
            return (killed, fault);
        } else if !end.succeeded() && end.ran.code != Some(130) {
            return (killed, Verdict::Loss(format!("does not go on: {}", end.ran.stderr.trim())));
        }
    }
    let end = run(&place, &resume);
    if let Some(fault) = end.fault() {
        return (killed, fault);
    }
    let is = files(&folder);
    if overwriting && is.as_ref() == Some(&fixture.run("old")) {
        return (killed, Verdict::Good);
    }
    let end = match end.succeeded() {
        true => end,
        false if end.ran.stderr.contains("is no run folder") || !folder.exists() => {
            run(&place, &begin)
        }
        false => end,
    };
    let verdict = match difference(&fixture.long, files(&folder).as_ref()) {
        None if end.succeeded() => Verdict::Good,
        difference => Verdict::Loss(format!("{difference:?}: {}", end.ran.stderr.trim())),
    };
    (killed, verdict)
}
