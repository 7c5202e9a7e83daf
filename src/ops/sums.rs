//! Sums of what was computed in parts.

use serde::Serialize;

use super::optimizer::{Coefficients, Update};
use super::{can_bind, in_parts};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/sums.wgsl`.
pub const SHADER: Shader = Shader::new("sums");
/// `shaders/sums_step.wgsl`.
pub const STEP: Shader = Shader::new("sums_step");

/// Sums in a dispatch.
const TASKS: usize = 32;
/// As the shaders know it.
const CONSTANT: (&str, u32) = ("TASKS", TASKS as u32);

/// A result and its parts, a row each, of the recording's own memory. Rows begin with what is to be
/// added: as many elements as the result has, its padding included.
pub struct Sum {
    /// (parts, elements)
    pub parts: Tensor,
    /// Where in a row its elements begin, a multiple of 4.
    pub offset: usize,
    /// Only its place counts.
    pub result: Tensor,
}

/// As `Sum` in `shaders/shared/sums.wgsl`.
#[derive(Serialize)]
struct Task {
    first: usize,
    part: usize,
    step: usize,
    parts: usize,
    to: usize,
}

/// As `Sums` there.
#[derive(Serialize)]
struct Sums {
    count: usize,
    tasks: usize,
    list: Vec<Task>,
}

#[derive(Serialize)]
struct Params {
    sums: Sums,
}

#[derive(Serialize)]
struct StepParams {
    optimizer: Coefficients,
    sums: Sums,
}

/// Adds up the parts of each of `sums`, whose results lie in `results` as they say.
pub fn parts(recording: &mut Recording, label: &str, sums: &[Sum], results: &Tensor) {
    for sums in bound(recording, sums) {
        let all = Tensor::span(sums.iter().map(|sum| &sum.parts));
        let sums = tasks(&all, sums);
        let count = sums.count;
        let kernel = SHADER.kernel("parts", &[CONSTANT]);
        let tensors = [("addends", &all), ("result", results)];
        recording.record_elements(kernel, label, &Params { sums }, &tensors, count);
    }
}

/// The optimizer's step ([`super::optimizer::step`]) by gradients that are the sums, whose results are
/// the places of the parameters.
pub fn parts_step(recording: &mut Recording, label: &str, sums: &[Sum], update: &Update) {
    for sums in bound(recording, sums) {
        let all = Tensor::span(sums.iter().map(|sum| &sum.parts));
        let sums = tasks(&all, sums);
        let count = sums.count;
        let constants = [&[CONSTANT][..], &update.optimizer.constants()].concat();
        let kernel = STEP.kernel("parts", &constants);
        let params = StepParams { optimizer: update.optimizer.coefficients(), sums };
        recording.record_elements(
            kernel,
            label,
            &params,
            &update.bind(&[("addends", &all)]),
            count,
        );
    }
}

/// `sums` in as few parts as a dispatch and the adapter's bindings hold.
fn bound<'a>(recording: &Recording, sums: &'a [Sum]) -> Vec<&'a [Sum]> {
    let fits = |sums: &[Sum]| can_bind(recording, sums.iter().map(|sum| &sum.parts));
    in_parts(sums, TASKS, fits).collect()
}

fn tasks(all: &Tensor, sums: &[Sum]) -> Sums {
    let quads = |elements: usize| {
        assert!(elements.is_multiple_of(4), "matrices must be padded");
        elements / 4
    };
    let mut count = 0;
    let task = |Sum { parts, offset, result }: &Sum| {
        assert!(offset + result.extent() <= parts.stride(), "a result longer than its parts");
        let first = count;
        count += result.extent().div_ceil(4);
        Task {
            first,
            part: quads(parts.offset() - all.offset() + offset),
            step: quads(parts.stride()),
            parts: parts.rows(),
            to: quads(result.offset()),
        }
    };
    let list = sums.iter().map(task).collect();
    Sums { count, tasks: sums.len(), list }
}
