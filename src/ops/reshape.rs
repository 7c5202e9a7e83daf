//! STUB
use crate::gpu::{Plan, Tensor};
use super::Extent;
/// .
pub fn flatten(_plan: &mut Plan, _label: &str, _e: Extent, _x: &Tensor, _n: Option<&str>, _pre: &Tensor, _y: &Tensor) { todo!() }
/// .
pub fn unflatten(_plan: &mut Plan, _label: &str, _e: Extent, _x: &Tensor, _n: Option<&str>, _pre: &Tensor, _y: &Tensor) { todo!() }
