//! STUB
use crate::gpu::{Plan, Tensor};
/// .
pub struct Mask {
 /// .
 pub probability: f64, 
 /// .
 pub seed: u64, 
 /// .
 pub layer: u32 }
/// .
pub fn forward(_plan: &mut Plan, _label: &str, _m: &Mask, _state: &Tensor, _x: &Tensor, _y: &Tensor) { todo!() }
/// .
pub fn backward(_plan: &mut Plan, _label: &str, _m: &Mask, _state: &Tensor, _dy: &Tensor, _n: Option<&str>, _pre: &Tensor, _dx: &Tensor) { todo!() }
