//! Sums of results that were computed in parts.

use serde::Serialize;

use super::optimizer::{Coefficients, Update};
use super::{by_dispatch, can_bind};
use crate::gpu::{Recording, Shader, Tensor};

/// `shaders/sums.wgsl`.
pub const SHADER: Shader = Shader::new("sums");
/// `shaders/sums_step.wgsl`.
pub const STEP: Shader = Shader::new("sums_step");

/// Largest number of sums in a dispatch.
const TASKS: usize = 32;
/// The shaders' constant of that number.
const CONSTANT: (&str, u32) = ("TASKS", TASKS as u32);

/// A result and its parts, which lie in the recording's workspace. Each row of the parts holds,
/// from `offset` on, as many elements as the result has, its padding included.
#[derive(Clone)]
pub struct Sum {
    /// The parts (parts, elements), one a row.
    pub parts: Tensor,
    /// Elements of a row before those to be added, a multiple of 4.
    pub offset: usize,
    /// The result, whose offset and shape say where the sum goes; its values are not read.
    pub result: Tensor,
}

/// Mirrors the shader struct `Sum` of `shaders/shared/sums.wgsl`.
#[derive(Serialize)]
struct Task {
    first: usize,
    part: usize,
    step: usize,
    parts: usize,
    to: usize,
}

/// Mirrors the shader struct `Sums` of `shaders/shared/sums.wgsl`.
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

/// Adds up the parts of each of `sums` and stores the sums in `results`, at their results' offsets.
pub fn parts(recording: &mut Recording, label: &str, sums: &[Sum], results: &Tensor) {
    for sums in bound(recording, sums) {
        let all = Tensor::span(sums.iter().map(|sum| &sum.parts));
        let sums = tasks(&all, &sums);
        let count = sums.count;
        let kernel = SHADER.kernel("parts", &[CONSTANT]);
        let tensors = [("addends", &all), ("result", results)];
        recording.record_elements(kernel, label, &Params { sums }, &tensors, count);
    }
}

/// Takes the optimizer's step ([`super::optimizer::step`]) with the sums as gradients of the
/// parameters at their results' offsets, without storing the gradients.
pub fn parts_step(recording: &mut Recording, label: &str, sums: &[Sum], update: &Update) {
    for sums in bound(recording, sums) {
        let all = Tensor::span(sums.iter().map(|sum| &sum.parts));
        let sums = tasks(&all, &sums);
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

/// Groups `sums` by dispatch: in one their parts share a buffer, and fit the adapter's bindings.
fn bound(recording: &Recording, sums: &[Sum]) -> Vec<Vec<Sum>> {
    let is_alike = |a: &Sum, b: &Sum| a.parts.shares_buffer(&b.parts);
    let fits = |sums: &[Sum]| can_bind(recording, sums.iter().map(|sum| &sum.parts));
    by_dispatch(sums, TASKS, is_alike, fits)
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
