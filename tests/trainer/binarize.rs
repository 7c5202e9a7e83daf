//! Pixels that are made black or white.

use vae_gpu::config::{Binarize, ModelConfig};
use vae_gpu::train::Placement;

use super::*;

/// The parameters after two epochs, and the losses on the test split.
fn train(
    gpu: &Gpu,
    how: Option<Binarize>,
    data: &Dataset,
    placement: Placement,
) -> (Vec<Vec<f32>>, Losses) {
    let mut config = config(2);
    config.model.binarize = how;
    // Two epochs of a window of less than the data, where they are streamed.
    let options =
        TrainOptions { placement, steps_per_submission: Some(2), ..TrainOptions::default() };
    let trainer = Trainer::new(gpu, &config, data, options).unwrap();
    let last = trainer.epochs().map(Result::unwrap).last().unwrap();
    (weights(gpu, &trainer), last.test.unwrap())
}

/// The dataset with pixels that are black and white already.
fn binarized(how: Binarize) -> Dataset {
    let split = |count| {
        let mut images = images(count);
        how.apply(1, 0..count, 64, &mut images.pixels);
        table(images)
    };
    Dataset::new("blobs", split(203), Some(split(37))).unwrap()
}

#[test]
fn what_the_host_binarises_is_as_data_that_are_black_and_white() {
    let Some(gpu) = common::gpu() else { return };
    let grey = train(&gpu, None, &data(), Placement::Auto);
    for how in [Binarize::Threshold, Binarize::Fixed] {
        let want = train(&gpu, None, &binarized(how), Placement::Auto);
        assert_ne!(want, grey, "{how:?}");
        for placement in [Placement::Auto, Placement::Streamed { window: 64 * 60 }] {
            let got = train(&gpu, Some(how), &data(), placement);
            assert!(got == want, "{how:?}, {placement:?}");
        }
    }
}

#[test]
fn draws_of_each_epoch_do_not_depend_on_where_data_lie() {
    let Some(gpu) = common::gpu() else { return };
    let resident = train(&gpu, Some(Binarize::Dynamic), &data(), Placement::Auto);
    let streamed = Placement::Streamed { window: 64 * 60 };
    assert!(resident == train(&gpu, Some(Binarize::Dynamic), &data(), streamed));
    assert!(resident != train(&gpu, Some(Binarize::Fixed), &data(), Placement::Auto));
}

/// As features for a dense encoder, as maps for a convolution; the target is of the other kind.
#[test]
fn the_target_is_what_the_encoder_was_given() {
    let Some(gpu) = common::gpu() else { return };
    let mut config = config(30);
    config.model.binarize = Some(Binarize::Dynamic);
    config.model.latent = 16;
    config.model.variational = false;
    let layers: ModelConfig = toml::from_str(
        "encoder = [{ conv2d = 12, kernel = 3, padding = 1 }, 'relu', 'flatten']\n\
         decoder = [{ linear = 64 }, 'relu', { linear = 'image' }]",
    )
    .unwrap();
    (config.model.encoder, config.model.decoder) = (layers.encoder, layers.decoder);
    let trainer = trainer(&gpu, &config, TrainOptions::default());
    let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
    // The entropy of the pixels' draws, which nobody could go below who does not see them.
    let entropy = |pixel: &u8| {
        let p = f64::from(*pixel) / 255.0;
        -[p, 1.0 - p].iter().filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>()
    };
    let images = images(203);
    let least = images.pixels.iter().map(entropy).sum::<f64>() / 203.0;
    let reached = reports[29].train.loss;
    assert!(reached < 0.9 * least, "{reached}, of {least} in what is drawn");
}
