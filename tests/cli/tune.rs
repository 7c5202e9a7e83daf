//! Trying kernels: what is found is remembered, told, and kept by a run.

use super::*;

/// The tiny model's layers have three products each, but for the first, whose input has no gradient.
const PRODUCTS: usize = 3 * 4 - 1;

/// Runs the program with `cache` as its cache, which must succeed in silence.
#[track_caller]
fn ok(place: &Place, cache: &str, args: &[&str]) -> String {
    let ran = Ran::from(place.command(args).env("VAE_GPU_CACHE", cache).output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{args:?}");
    ran.stdout
}

#[track_caller]
fn train(place: &Place, cache: &str, out: &str, more: &[&str]) {
    let args = ["train", "--config", "tiny.toml", "--out", out];
    ok(place, cache, &[&args, more].concat());
}

/// Name of the file in `cache` that remembers what was found.
fn remembered(place: &Place, cache: &str) -> String {
    let names = names(place.path(cache));
    let name = names.iter().map(|n| n.to_str().unwrap()).find(|n| n.starts_with("tuning-"));
    format!("{cache}/{}", name.expect("a file of what was found"))
}

/// Content of such a file, and a file of other content: JSON and its checksum.
fn content(bytes: &[u8]) -> serde_json::Value {
    serde_json::from_slice(&bytes[..bytes.len() - 4]).unwrap()
}

fn with_checksum(content: &serde_json::Value) -> Vec<u8> {
    let json = serde_json::to_vec(content).unwrap();
    let sum = crc32fast::hash(&json).to_le_bytes();
    [&json[..], &sum].concat()
}

/// Makes `cache` say that `variant` is the fastest for every product of the tiny model.
fn forge(place: &Place, cache: &str, variant: &str) {
    ok(place, cache, &["tune", "--config", "tiny.toml", "--data", "idx", "--level", "quick"]);
    let file = remembered(place, cache);
    let mut found = content(&place.read(&file));
    for tuned in found.as_object_mut().unwrap().values_mut() {
        tuned["variant"] = variant.into();
    }
    place.write(&file, with_checksum(&found));
}

/// What the metadata of a file says of the kernels that trained it.
fn choices(place: &Place, file: &str) -> serde_json::Value {
    let bytes = place.read(file);
    let (_, metadata) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let config = &metadata.metadata().as_ref().unwrap()["config"];
    serde_json::from_str::<serde_json::Value>(config).unwrap()["choices"].clone()
}

#[test]
fn every_product_is_tried_once() {
    let Some(place) = place_with_adapter() else { return };
    let args = ["tune", "--config", "tiny.toml", "--data", "idx", "--level", "quick"];
    let printed = ok(&place, "cache", &args);
    let rows = printed.lines().filter(|line| line.contains(" to ")).count();
    assert_eq!(rows, PRODUCTS, "{printed}");
    assert!(printed.lines().all(|line| line.chars().count() <= 80), "{printed}");
    let file = remembered(&place, "cache");
    let before = place.read(&file);
    assert_eq!(content(&before).as_object().unwrap().len(), PRODUCTS);
    assert_eq!(ok(&place, "cache", &args), printed, "it is remembered");
    train(&place, "cache", "run", &["--tune", "quick"]);
    assert_eq!(place.read(&file), before, "training asks for nothing else");

    // A damaged memory is no memory.
    let mut flipped = before.clone();
    flipped[before.len() / 2] ^= 1;
    let other_json = with_checksum(&serde_json::json!([1, 2]));
    for damaged in [&[][..], &before[..before.len() / 2], &flipped, &other_json] {
        place.write(&file, damaged);
        ok(&place, "cache", &args);
        assert_eq!(content(&place.read(&file)).as_object().unwrap().len(), PRODUCTS);
    }
}

/// The run's last bits depend on its kernels, so it keeps them whatever is remembered later.
#[test]
fn a_resumed_run_keeps_its_kernels() {
    let Some(place) = place_with_adapter() else { return };
    forge(&place, "cache", "registers 16 1x1");
    train(&place, "cache", "whole", &["--tune", "quick", "--epochs", "4"]);
    train(&place, "cache", "parts", &["--tune", "quick", "--epochs", "2"]);
    let chosen = choices(&place, "parts/checkpoint.safetensors");
    let variants = chosen["variants"].as_object().unwrap();
    assert_eq!(variants.len(), PRODUCTS);
    assert!(variants.values().all(|v| v == "registers 16 1x1"), "{chosen}");

    let go_on = ["train", "--resume", "parts", "--epochs", "4", "--tune"];
    forge(&place, "other", "registers 8 2x2");
    ok(&place, "other", &[&go_on[..], &["quick"]].concat());
    for file in ["model.safetensors", "checkpoint.safetensors", "samples.png"] {
        let [whole, parts] = ["whole", "parts"].map(|run| place.read(&format!("{run}/{file}")));
        assert!(whole == parts, "{file} differs");
    }
    // Without tuning nothing is chosen.
    train(&place, "cache", "off", &["--tune", "off"]);
    assert_eq!(choices(&place, "off/model.safetensors")["variants"], serde_json::json!({}));
}

#[test]
fn wrong_levels_are_refused() {
    let place = Place::new();
    place.fails(&["tune", "--level", "most"], 2, &["--level", "off, quick, full"]);
    place.fails(&["tune", "--level", "off"], 2, &["--level off", "quick or full"]);
    place.fails(&["train", "--tune", "1"], 2, &["--tune", "off, quick, full"]);
}
