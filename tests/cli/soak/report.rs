//! What was tried, and what went wrong.

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result};

/// The outcome of one task.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is as it should be.
    Good,
    /// A run is neither the older one nor the new one, or cannot go on.
    Loss(String),
    /// The program panicked or was ended by a signal of its own.
    Panic(String),
    /// The program did not end.
    Hang(String),
    /// The program succeeded, and its result is another than it should be.
    Difference(String),
    /// The task could not do what it is for.
    Untried(String),
}

impl Verdict {
    /// What is wrong, in words.
    fn words(&self) -> &str {
        match self {
            Self::Good => "",
            Self::Loss(why)
            | Self::Panic(why)
            | Self::Hang(why)
            | Self::Difference(why)
            | Self::Untried(why) => why,
        }
    }
}

/// Counts of a kind of tasks.
#[derive(Clone, Copy, Default)]
struct Counts {
    tried: u32,
    losses: u32,
    panics: u32,
    hangs: u32,
    differences: u32,
    untried: u32,
}

/// Counts of all tasks, and the first of what was wrong.
#[derive(Default)]
pub struct Report {
    rows: BTreeMap<String, Counts>,
    wrong: Vec<String>,
}

impl Report {
    /// Says that tasks of the kind `row` are to come.
    pub fn expect(&mut self, row: String) {
        self.rows.entry(row).or_default();
    }

    /// Counts a task of the kind `row` that was tried `tried` times.
    pub fn add(&mut self, row: &str, tried: u32, verdict: Verdict) {
        let counts = self.rows.entry(row.into()).or_default();
        if !matches!(verdict, Verdict::Untried(_)) {
            counts.tried += tried;
        }
        let count = match &verdict {
            Verdict::Good => return,
            Verdict::Loss(_) => &mut counts.losses,
            Verdict::Panic(_) => &mut counts.panics,
            Verdict::Hang(_) => &mut counts.hangs,
            Verdict::Difference(_) => &mut counts.differences,
            Verdict::Untried(_) => &mut counts.untried,
        };
        *count += 1;
        self.wrong.push(format!("{row}: {}", verdict.words()));
    }

    /// Panics if anything was wrong, or something was to be tried and was not.
    #[track_caller]
    pub fn check(&self) {
        let idle: Vec<&String> =
            self.rows.iter().filter(|(_, counts)| counts.tried == 0).map(|(row, _)| row).collect();
        assert!(!self.rows.is_empty() && idle.is_empty(), "nothing was tried of {idle:?}");
        assert!(self.wrong.is_empty(), "\n{self}");
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(
            f,
            "{:<38} {:>6} {:>6} {:>6} {:>6} {:>6}",
            "", "tried", "lost", "panics", "hangs", "silent"
        )?;
        let mut all = Counts::default();
        for (row, counts) in &self.rows {
            let Counts { tried, losses, panics, hangs, differences, untried } = counts;
            write!(f, "{row:<38} {tried:>6} {losses:>6} {panics:>6} {hangs:>6} {differences:>6}")?;
            match untried {
                0 => writeln!(f)?,
                _ => writeln!(f, "  {untried} could not be tried")?,
            }
            all.tried += tried;
            all.losses += losses;
            all.panics += panics;
            all.hangs += hangs;
            all.differences += differences;
        }
        let Counts { tried, losses, panics, hangs, differences, .. } = all;
        let together = "together";
        writeln!(
            f,
            "{together:<38} {tried:>6} {losses:>6} {panics:>6} {hangs:>6} {differences:>6}"
        )?;
        self.wrong.iter().take(20).try_for_each(|wrong| writeln!(f, "{wrong}"))
    }
}

#[test]
fn what_is_wrong_or_was_not_tried_fails() {
    let passes = |report: &Report| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| report.check())).is_ok()
    };
    let mut report = Report::default();
    assert!(!passes(&report), "nothing was to be tried");
    report.expect("kills".into());
    assert!(!passes(&report), "and nothing was");
    report.add("kills", 5, Verdict::Good);
    assert!(passes(&report));
    let why = || "why".to_string();
    for wrong in [
        Verdict::Loss(why()),
        Verdict::Panic(why()),
        Verdict::Hang(why()),
        Verdict::Difference(why()),
        Verdict::Untried(why()),
    ] {
        let mut report = Report::default();
        report.add("kills", 5, wrong.clone());
        assert!(!passes(&report), "{wrong:?}");
    }
}
