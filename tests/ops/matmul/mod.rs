//! The matrix products: every form in every variant.

mod activations;
pub mod arena;
mod forms;
mod naive;
pub mod oracle;
pub mod run;
mod variants;
mod weights;
mod wraps;

use forms::Case;
use vae_gpu::gpu::Gpu;
use vae_gpu::ops::matmul::Variant;

pub use naive::naive;
pub use weights::{backward_weight, backward_weight_step};

use crate::check;

/// Batch, inputs and outputs.
const SIZES: [[usize; 3]; 16] = [
    [1, 1, 1],
    [2, 3, 5],
    [63, 257, 1757],
    [257, 1757, 1],
    [1757, 1, 63],
    [1, 63, 257],
    [1, 1757, 63],
    [63, 63, 2],
    [17, 4, 1757],
    [5, 257, 64],
    // in fours
    [1, 4, 4],
    [63, 256, 20],
    [257, 1756, 4],
    [128, 784, 64],
    [1, 260, 36],
    [33, 20, 784],
];

/// For the wrapper in each variant: where tiles end, and where they do not.
const FEW: [[usize; 3]; 3] = [[3, 5, 2], [64, 20, 128], [70, 129, 35]];

/// Every size by the wrapper in the adapter's own variant and by the kernel alone in each.
fn assert_form(entry: &str) {
    let Some(gpu) = check::gpu() else { return };
    for sizes in SIZES {
        let case = Case::new(entry, sizes);
        let got = run::by_wrapper(gpu, &case, None);
        run::assert_right("default", &case, &got, &case.oracle());
    }
    assert_variants(gpu, entry, &run::variants(gpu));
}

fn assert_variants(gpu: &Gpu, entry: &str, variants: &[Variant]) {
    for sizes in SIZES {
        let case = Case::new(entry, sizes);
        let want = case.oracle();
        for &variant in variants {
            let got = run::by_kernel(gpu, &case, variant);
            run::assert_right(&variant.to_string(), &case, &got, &want);
        }
    }
    for sizes in FEW {
        let case = Case::new(entry, sizes);
        let want = case.oracle();
        for &variant in variants {
            let got = run::by_wrapper(gpu, &case, Some(variant));
            run::assert_right(&format!("wrapper, {variant}"), &case, &got, &want);
        }
    }
}

#[test]
pub fn forward() {
    assert_form("forward");
}

#[test]
pub fn backward_input() {
    assert_form("backward_input");
}
