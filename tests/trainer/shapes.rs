//! Images of the longest sides that there may be.

use vae_gpu::{Error, ImageShape, Vae};

use super::*;

/// What is saved reads back, and what could not be read is not made.
#[test]
fn sides_are_limited_where_a_model_is_made() {
    let Some(gpu) = common::gpu() else { return };
    let layers =
        "[model]\nlatent = 2\nencoder = [{ linear = 2 }]\ndecoder = [{ linear = 'image' }]";
    let model = Config::parse(layers, "layers").unwrap().model;
    let folder = tempfile::tempdir().unwrap();
    for sides in [[65_535, 1], [1, 65_535]] {
        let shape = ImageShape::from([1, sides[0], sides[1]]);
        let path = folder.path().join("model.safetensors");
        Vae::new(&gpu, &model, shape, 1).unwrap().save(&path).unwrap();
        assert_eq!(Vae::load(&gpu, &path).unwrap().shape(), shape);
    }
    for sides in [[65_536, 1], [1, 70_000], [0, 3]] {
        let shape = ImageShape::from([1, sides[0], sides[1]]);
        match Vae::new(&gpu, &model, shape, 1) {
            Err(Error::Input(message)) => assert!(message.contains("1 to 65535"), "{message}"),
            other => panic!("{shape}: {:?}", other.map(|_| ())),
        }
    }
}
