//! The variant that a kernel takes for a problem, such as a matrix product of given sizes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AdapterReport;

/// Variants of kernels, chosen on one adapter, by the problems that they solve. Both are strings
/// that the ops write and parse. A problem that is not in it takes its op's default variant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choices {
    adapter: String,
    variants: BTreeMap<String, String>,
}

impl Choices {
    /// Empty choices for the adapter of `report`.
    pub fn new(report: &AdapterReport) -> Self {
        Self { adapter: name(report), variants: BTreeMap::new() }
    }

    /// Whether they were chosen on the adapter of `report`, with the same driver.
    pub fn are_for(&self, report: &AdapterReport) -> bool {
        self.adapter == name(report)
    }

    /// The variant chosen for `problem`.
    pub fn get(&self, problem: &str) -> Option<&str> {
        self.variants.get(problem).map(String::as_str)
    }

    /// Every problem and the variant chosen for it.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.variants.iter().map(|(problem, variant)| (problem.as_str(), variant.as_str()))
    }

    /// Chooses `variant` for `problem`.
    pub fn set(&mut self, problem: String, variant: String) {
        self.variants.insert(problem, variant);
    }
}

fn name(report: &AdapterReport) -> String {
    format!("{} ({}, {})", report.name, report.backend, report.driver)
}
