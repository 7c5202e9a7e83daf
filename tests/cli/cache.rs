//! What is kept to save time must never be missed, nor do harm.

use super::*;

/// One step of training with $VAE_GPU_CACHE set, which must succeed in silence.
#[track_caller]
fn train(place: &Place, cache: &str) {
    let args =
        ["train", "--config", "tiny.toml", "--out", "run", "--overwrite", "--max-steps", "1"];
    let mut command = place.command(&args);
    let ran = Ran::from(command.env("VAE_GPU_CACHE", cache).output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{cache:?}");
}

/// The file of the pipelines that were kept; says that the test is skipped where the adapter keeps none.
fn pipelines(place: &Place) -> Option<String> {
    if adapter().as_ref().unwrap()["pipeline_cache"] == false {
        skip("the adapter keeps no pipelines");
        return None;
    }
    let file =
        names(place.path("cache")).into_iter().find(|n| n.to_str().unwrap().contains("pipe"));
    Some(format!("cache/{}", file.expect("a file of pipelines").to_str().unwrap()))
}

#[test]
fn pipelines_are_kept_and_damage_is_ignored() {
    let Some(place) = place_with_adapter() else { return };
    train(&place, "cache");
    let Some(file) = pipelines(&place) else { return };
    let whole = place.read(&file);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for damaged in [&[][..], &whole[..3], &whole[..whole.len() - 1], &flipped] {
        place.write(&file, damaged);
        train(&place, "cache");
        assert!(place.read(&file).len() >= whole.len(), "it is made anew");
    }
}

#[test]
fn no_cache_is_no_error() {
    let Some(place) = place_with_adapter() else { return };
    // A file is in the way of the folder.
    for cache in ["off", "", "tiny.toml", "tiny.toml/deeper"] {
        train(&place, cache);
    }
    assert_eq!(names(place.path("")), ["idx", "run", "tiny.toml"]);
}

/// A whole file of another adapter, of another program or of nothing, under the right name.
#[test]
fn pipelines_of_another_adapter_are_dropped() {
    let Some(place) = place_with_adapter() else { return };
    train(&place, "cache");
    let Some(file) = pipelines(&place) else { return };
    let whole = place.read(&file);
    let content = &whole[..whole.len() - 4];
    let mut others = vec![vec![], vec![0; 64], b"not at all what it should be".repeat(9)];
    // Each byte of wgpu's header and of the driver's behind it.
    others.extend((0..96.min(content.len())).step_by(7).map(|at| {
        let mut other = content.to_vec();
        other[at] ^= 0xff;
        other
    }));
    for other in others {
        let sum = crc32fast::hash(&other).to_le_bytes();
        place.write(&file, [&other[..], &sum].concat());
        train(&place, "cache");
    }
}
