//! STUB
use crate::gpu::{Plan, Tensor};
/// .
pub fn forward(_plan: &mut Plan, _label: &str, _ab: [&Tensor; 2], _n: Option<&str>, _pre: &Tensor, _y: &Tensor) { todo!() }
/// .
pub fn backward(_plan: &mut Plan, _label: &str, _da: &Tensor, _dy: &Tensor, _n: Option<&str>, _pre: &Tensor, _dx: &Tensor) { todo!() }
