//! Which variant a kernel takes for a problem.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Variants of kernels by the problems that they are to solve, both in words that the ops
/// understand. What is not in it takes its op's default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Choices(pub BTreeMap<String, String>);

impl Choices {
    /// The variant chosen for `problem`.
    pub fn get(&self, problem: &str) -> Option<&str> {
        self.0.get(problem).map(String::as_str)
    }
}
