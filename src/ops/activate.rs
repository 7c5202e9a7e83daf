//! STUB
use crate::gpu::{Plan, Tensor};
/// .
pub fn forward(_plan: &mut Plan, _label: &str, _x: &Tensor, _name: Option<&str>, _y: &Tensor) { todo!() }
/// .
pub fn backward(_plan: &mut Plan, _label: &str, _dy: &Tensor, _name: Option<&str>, _pre: &Tensor, _dx: &Tensor) { todo!() }
