//! Presets whose layers are fitted to the shape of the images.

use vae_gpu::model::Network;
use vae_gpu::train::{StepKind, recorded};
use vae_gpu::{ImageShape, Preset};

use super::software;

/// The images are restored to their size, whatever it is, and a training step can be recorded.
#[test]
fn presets_fit_images_of_any_shape() {
    let sides = [1, 2, 7, 8, 9, 17, 28, 32, 33, 64, 96, 128, 257];
    let shapes = sides.into_iter().flat_map(|height| {
        [height, 28, 57].map(|width| [1, 3].map(|channels| [channels, height, width].into()))
    });
    for preset in Preset::ALL.into_iter().filter(|preset| preset.is_fitted()) {
        for shape in shapes.clone().flatten() {
            let config = preset.config_for(shape);
            Network::new(&config.model, shape)
                .unwrap_or_else(|error| panic!("{} for {shape}: {error}", preset.name()));
            assert!(preset.toml_for(shape).contains(&format!("images of {shape}")));
        }
        let shape = ImageShape::from([3, 33, 28]);
        let (config, choices) = (preset.config_for(shape), Default::default());
        recorded(&config, shape, StepKind::Train, &software(), &choices).unwrap();
    }
}

#[test]
fn larger_images_are_halved_more_often_down_to_a_few_pixels() {
    for (side, latent, last) in [
        (28, 20, "64, 7, 7"),
        (32, 20, "64, 4, 4"),
        (64, 40, "128, 4, 4"),
        (96, 40, "128, 6, 6"),
        (128, 40, "128, 4, 4"),
        (256, 40, "256, 4, 4"),
    ] {
        let shape = ImageShape::from([1, side, side]);
        let conv: Preset = "conv".parse().unwrap();
        let text = conv.toml_for(shape);
        assert_eq!(conv.config_for(shape).model.latent, latent, "{side}");
        assert!(text.contains(&format!("{{ reshape = [{last}] }}")), "{side}: {text}");
        assert!(text.contains(&format!("images of {side}x{side}x1")), "{text}");
    }
    let colour = ImageShape::from([3, 64, 48]);
    let [conv, rgb] = ["conv", "conv-rgb"].map(|name| name.parse::<Preset>().unwrap());
    assert_eq!(conv.toml_for(colour), rgb.toml_for(colour));
    assert!(rgb.toml_for(colour).ends_with("[data]\nsize = [48, 64]\nchannels = 3\n"));
}
