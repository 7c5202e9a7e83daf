//! The programs of `examples/`, run as they are, and what they leave behind.

#[path = "common/mod.rs"]
mod common;
#[path = "../examples/custom.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod custom;
#[path = "../examples/latent.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod latent;
#[path = "../examples/train.rs"]
#[allow(dead_code, reason = "its main is not called")]
mod train;

use std::path::Path;

/// Runs an example and returns width and height of each of the pictures that it is to leave.
fn pictures(run: fn(&Path) -> vae_gpu::Result<()>, names: &[&str]) -> Option<Vec<[u32; 2]>> {
    common::gpu()?;
    let folder = tempfile::tempdir().unwrap();
    run(folder.path()).unwrap();
    let picture = |name: &&str| {
        let image = image::open(folder.path().join(name)).unwrap().into_luma8();
        let extremes = image.pixels().filter(|pixel| [0, 255].contains(&pixel.0[0])).count();
        assert!((extremes as u32) < image.width() * image.height(), "{name}: shows shades");
        [image.width(), image.height()]
    };
    Some(names.iter().map(picture).collect())
}

#[test]
fn train() {
    let Some(sizes) = pictures(train::run, &["samples.png"]) else { return };
    assert_eq!(sizes, [[242, 242]]);
}

#[test]
fn latent() {
    let Some(sizes) = pictures(latent::run, &["walk.png", "unlikely.png"]) else { return };
    assert_eq!(sizes, [[302, 152]; 2]);
}

#[test]
fn custom() {
    let Some(sizes) = pictures(custom::run, &["made.png"]) else { return };
    assert_eq!(sizes, [[242, 242]]);
}
