//! Which variant a product takes.

use vae_gpu::gpu::{Choices, Gpu};
use vae_gpu::ops::matmul::{PRODUCTS, Product, Variant};

use super::run;
use crate::check;

const SIZES: [usize; 3] = [5, 784, 20];

fn default(gpu: &Gpu, product: Product) -> Variant {
    product.variant(gpu.report(), &Choices::new(gpu.report()), SIZES)
}

#[test]
fn words_name_a_variant() {
    let words = ["lanes 8 1", "registers 32 4x2", "tiled 16x8 2x1 4 64"];
    for words in words {
        assert_eq!(words.parse::<Variant>().unwrap().to_string(), words);
    }
    let faulty = [
        "",
        "lanes",
        "lanes 8",
        "lanes 8 1 1",
        "lanes 8 3",
        "lanes 0 1",
        "registers 8 4x-2",
        "registers 65 1x1",
        "tiled 8x8 1x1 6 1",
        "tiled 8x8 1x1 16",
        "square 8 1x1",
    ];
    for words in faulty {
        assert!(words.parse::<Variant>().is_err(), "{words}");
    }
}

/// A choice of another adapter's, or of a file that was edited, is no reason to fail.
#[test]
fn a_choice_that_the_adapter_cannot_run_is_passed_over() {
    let Some(gpu) = check::gpu() else { return };
    // Of a subgroup that no adapter has, and of more workgroup memory.
    for words in ["lanes 3 1", "tiled 16x16 16x16 64 1", "tiled 64x64 1x1 4 1", "nonsense"] {
        for product in PRODUCTS {
            let mut choices = Choices::new(gpu.report());
            choices.set(product.problem(784, 20), words.into());
            assert_eq!(
                product.variant(gpu.report(), &choices, SIZES),
                default(gpu, product),
                "{words}"
            );
        }
    }
}

/// Of another adapter, or of another driver.
#[test]
fn choices_of_another_adapter_are_passed_over() {
    let Some(gpu) = check::gpu() else { return };
    let mut other = gpu.report().clone();
    other.driver += " of tomorrow";
    let mut choices = Choices::new(&other);
    assert!(!choices.are_for(gpu.report()));
    choices.set(Product::Forward.problem(784, 20), "registers 16 1x1".into());
    let default = default(gpu, Product::Forward);
    assert_eq!(Product::Forward.variant(gpu.report(), &choices, SIZES), default);
}

#[test]
fn a_choice_is_for_one_product_of_one_layer() {
    let Some(gpu) = check::gpu() else { return };
    for variant in run::variants(gpu) {
        for product in PRODUCTS {
            let mut choices = Choices::new(gpu.report());
            choices.set(product.problem(784, 20), variant.to_string());
            for other in PRODUCTS {
                let want = if other == product { variant } else { default(gpu, other) };
                assert_eq!(other.variant(gpu.report(), &choices, SIZES), want);
            }
            let other = [5, 20, 784];
            let want = product.variant(gpu.report(), &Choices::new(gpu.report()), other);
            assert_eq!(product.variant(gpu.report(), &choices, other), want);
        }
    }
}
