//! STUB
use crate::gpu::{Plan, Tensor};
/// .
pub fn forward(_plan: &mut Plan, _label: &str, _state: &Tensor, _seed: u64, _number: u32, _p: f64, _x: &Tensor, _y: &Tensor) { todo!() }
/// .
pub fn backward(_plan: &mut Plan, _label: &str, _state: &Tensor, _seed: u64, _number: u32, _p: f64, _dy: &Tensor, _n: Option<&str>, _pre: &Tensor, _dx: &Tensor) { todo!() }
