//! Mishaps without end: kills, failing disks, two programs at once, damaged files.
//!
//! `scripts/soak` runs [`soak`]: every task of [`schedule`] once, and again until its time is over. A
//! small part of the same tasks is among the ordinary tests.

mod damage;
mod doubles;
mod fixture;
mod kills;
mod report;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::*;
use damage::Format;
use doubles::Double;
use fixture::Fixture;
pub use kills::can_trace;
use kills::{Operation, Save};
use report::{Report, Verdict};

/// Runs that are killed at random in a whole pass, and how often each.
const RUNS: u64 = 50;
const KILLS: u32 = 5;
/// Pairs of programs of each kind in a whole pass.
const PAIRS: u64 = 14;
/// Files of each format that are damaged in a whole pass.
const FILES: u64 = 500;

/// One thing to try. Numbers make tasks of one kind differ.
#[derive(Clone)]
enum Task {
    /// Kills a run at random times.
    Kills(u64),
    /// Kills a save at one of its operations on files.
    Killed(Save, Operation),
    /// Lets one of a save's operations on files fail.
    Failed(Save, Operation),
    /// Starts two programs at once.
    Double(Double, u64),
    /// Damages a file.
    Damage(Format, u64),
}

impl Task {
    /// The row of the report that it counts in.
    fn row(&self) -> String {
        match self {
            Self::Kills(_) => "random kills".into(),
            Self::Killed(save, _) => format!("kills at an operation, {save:?}"),
            Self::Failed(save, _) => format!("I/O errors, {save:?}"),
            Self::Double(double, _) => format!("two at once, {double:?}"),
            Self::Damage(format, _) => format!("damaged files, {format:?}"),
        }
    }

    /// The same task in another pass.
    fn again(&self, pass: u64) -> Self {
        let other = |number: u64| number + (pass << 32);
        match self.clone() {
            Self::Kills(number) => Self::Kills(other(number)),
            Self::Double(double, number) => Self::Double(double, other(number)),
            Self::Damage(format, number) => Self::Damage(format, other(number)),
            at_operation => at_operation,
        }
    }

    /// Tries it; how often that was, with what was wrong.
    fn run(&self, fixture: &Fixture) -> (u32, Verdict) {
        match self {
            Self::Kills(number) => kills::at_random(fixture, *number, KILLS),
            Self::Killed(save, operation) => kills::killed(fixture, *save, operation),
            Self::Failed(save, operation) => kills::failed(fixture, *save, operation),
            Self::Double(double, number) => (1, doubles::run(fixture, *double, *number)),
            Self::Damage(format, number) => (1, damage::run(fixture, *format, *number)),
        }
    }
}

/// All tasks of a pass, in an order that mixes them.
fn schedule(fixture: &Fixture) -> Vec<Task> {
    let mut tasks: Vec<Task> = (0..RUNS).map(Task::Kills).collect();
    for save in Save::ALL {
        for operation in kills::operations(fixture, save) {
            if operation.may_fail() {
                tasks.push(Task::Failed(save, operation.clone()));
            }
            tasks.push(Task::Killed(save, operation));
        }
    }
    for double in Double::ALL {
        tasks.extend((0..PAIRS).map(|number| Task::Double(double, number)));
    }
    for format in Format::all() {
        tasks.extend((0..FILES).map(|number| Task::Damage(format, number)));
    }
    tasks.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    tasks
}

/// Runs every one of `tasks`, and then again until `time` is over, as many at once as the machine has
/// cores.
fn run_all(fixture: &Fixture, tasks: &[Task], time: Duration) -> Report {
    let report = Mutex::new(Report::default());
    tasks.iter().for_each(|task| report.lock().unwrap().expect(task.row()));
    let (next, start) = (AtomicUsize::new(0), Instant::now());
    let told = Mutex::new(start);
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            if index >= tasks.len() && start.elapsed() >= time {
                break;
            }
            let task = tasks[index % tasks.len()].again((index / tasks.len()) as u64);
            let (tried, verdict) = task.run(fixture);
            if verdict != Verdict::Good {
                eprintln!("{}: {verdict:?}", task.row());
            }
            report.lock().unwrap().add(&task.row(), tried, verdict);
            let mut told = told.lock().unwrap();
            if told.elapsed() > Duration::from_secs(30) {
                *told = Instant::now();
                let seconds = start.elapsed().as_secs();
                eprintln!("{seconds} s: {index} tasks, {} in a pass", tasks.len());
            }
        }
    };
    std::thread::scope(|scope| {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        (0..cores).for_each(|_| drop(scope.spawn(work)));
    });
    report.into_inner().unwrap()
}

/// `scripts/soak` says how to run it.
#[test]
#[ignore = "takes many minutes"]
fn soak() {
    let seconds = std::env::var("VAE_GPU_SOAK_SECONDS").ok().and_then(|text| text.parse().ok());
    let time = Duration::from_secs(seconds.expect("VAE_GPU_SOAK_SECONDS is a number of seconds"));
    let adapter = adapter().as_ref().expect("an adapter: scripts/setup installs one");
    assert!(can_trace(), "strace is needed, and the right to trace");
    let fixture = Fixture::new();
    let tasks = schedule(&fixture);
    let start = Instant::now();
    let report = run_all(&fixture, &tasks, time);
    println!("{}, {}", adapter["name"], adapter["driver"]);
    println!("{} s, one pass being {} tasks\n\n{report}", start.elapsed().as_secs(), tasks.len());
    report.check();
}

#[test]
fn a_save_is_killed_and_fails_at_some_of_its_operations() {
    if adapter().is_none() || !can_trace() {
        return common::skip("no adapter, or no strace or no right to trace");
    }
    let fixture = Fixture::new();
    let operations = kills::operations(&fixture, Save::Overwriting);
    assert!(operations.len() > 50, "{operations:?}");
    let killed = operations.iter().step_by(9).cloned();
    let killed = killed.map(|operation| Task::Killed(Save::Overwriting, operation));
    let failed = operations.iter().filter(|operation| operation.may_fail()).step_by(13).cloned();
    let failed = failed.map(|operation| Task::Failed(Save::Overwriting, operation));
    let tasks: Vec<Task> = killed.chain(failed).collect();
    run_all(&fixture, &tasks, Duration::ZERO).check();
}

#[test]
fn damaged_files_are_refused_or_make_no_difference() {
    if adapter().is_none() {
        return common::skip("no adapter");
    }
    let fixture = Fixture::new();
    let numbers = |format| (0..3).map(move |number| Task::Damage(format, number));
    let tasks: Vec<Task> = Format::all().flat_map(numbers).collect();
    run_all(&fixture, &tasks, Duration::ZERO).check();
}
