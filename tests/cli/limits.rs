//! What is too large for the adapter: exit code 1, the limit named, before a run folder is made. And
//! what only looks it.

use super::*;

/// A place, and the most bytes that the adapter binds; none where it would take too much to exceed.
fn place_and_limit() -> Option<(Place, u64)> {
    let place = place_with_adapter()?;
    let report = adapter().as_ref().unwrap();
    let limit = report["max_binding_bytes"].as_u64().unwrap();
    if limit > 1 << 30 {
        skip(format_args!("the adapter binds {} MiB", limit >> 20));
        return None;
    }
    Some((place, limit))
}

/// Gives the first layer of `chain` this width.
fn widen(place: &Place, chain: &str, width: u64) {
    let layer = |width: u64| format!("{chain} = [{{ linear = {width} }}");
    place.edit("tiny.toml", &layer(16), &layer(width));
}

/// Asserts that training fails because `what` is too large.
#[track_caller]
fn too_large(place: &Place, limit: u64, args: &[&str], what: &str, remedy: &str) {
    let name = adapter().as_ref().unwrap()["name"].as_str().unwrap();
    let limit = format!(
        " MiB in a tensor, where the adapter {name} (index 0) holds at most {}; {remedy}",
        limit >> 20
    );
    let train = ["train", "--config", "tiny.toml", "--out", "run"];
    place.fails(&[&train, args].concat(), 1, &[&format!("error: {what}: "), &limit]);
}

#[test]
fn a_dataset_larger_than_a_binding_is_trained_on() {
    let Some((place, limit)) = place_and_limit() else { return };
    let count = limit / 784 + 1;
    let mut bytes = idx_header(count as u32, 28, 28);
    bytes.resize(16 + 784 * count as usize, 0);
    bytes[16] = 255;
    place.write("large/train-images-idx3-ubyte.gz", gz(&bytes));
    drop(bytes);
    let printed = place.train("run", &["--data", "large", "--max-steps", "2"]);
    assert!(printed.contains(", on the adapter in 2 buffers\n"), "{printed}");
}

#[test]
fn a_model_too_large_fails() {
    let Some((place, limit)) = place_and_limit() else { return };
    let side = ((limit / 4) as f64).sqrt() as u64 + 1;
    let layers = format!("encoder = [{{ linear = {side} }}, {{ linear = {side} }}");
    place.edit("tiny.toml", "encoder = [{ linear = 16 }", &layers);
    too_large(&place, limit, &[], "all parameters of the model", "use smaller layers");
}

#[test]
fn a_batch_too_large_fails() {
    let Some((place, limit)) = place_and_limit() else { return };
    place.write("idx/train-images-idx3-ubyte", idx(20_000, 8, 8));
    widen(&place, "encoder", limit / 4 / 20_000 + 1);
    let args = ["--batch-size", "20000"];
    too_large(&place, limit, &args, "a training step", "use a smaller batch (--batch-size)");
}

#[test]
fn images_train_and_are_drawn_of_which_a_whole_grid_does_not_fit() {
    let Some((place, limit)) = place_and_limit() else { return };
    // One side of images of which a hundred, the pictures' count, exceed the limit; in fours.
    let side = (((limit / 4 / 100) as f64).sqrt() as u32 + 1).next_multiple_of(4);
    place.write("large/train-images-idx3-ubyte", idx(3, side, side));
    // Whole images are too long a sum for some adapters.
    let encoder = "encoder = [{ avg_pool2d = 4 }, \"flatten\", { linear = 16 }";
    place.edit("tiny.toml", "encoder = [{ linear = 16 }", encoder);
    let quarter = side / 4;
    let decoder = format!(
        "{{ linear = {} }}, {{ reshape = [1, {quarter}, {quarter}] }}, {{ upsample = 4 }}]",
        quarter * quarter
    );
    place.edit("tiny.toml", "{ linear = \"image\" }]", &decoder);
    let printed = place.train("run", &["--data", "large", "--batch-size", "2", "--max-steps", "1"]);
    // Of large images a picture has a few, which is said.
    let count = (1 << 23) / (side * side);
    assert!((10..100).contains(&count), "{count}");
    let length = |count: u32| count * (side + 2) + 2;
    assert_eq!(png_size(place.path("run/samples.png")), (length(10), length(count / 10)));
    let new = format!("{} new images from the prior, few as they are large", count / 10 * 10);
    assert!(printed.contains(&new), "{printed}");
}

/// What would come out wrong is refused.
#[test]
fn a_sum_too_long_for_a_software_adapter_fails() {
    let Some(place) = place_with_adapter() else { return };
    if adapter().as_ref().unwrap()["kind"] != "software" {
        skip("the adapter is no software one");
        return;
    }
    place.write("large/train-images-idx3-ubyte", idx(2, 520, 520));
    let train = ["train", "--config", "tiny.toml", "--out", "run", "--data", "large"];
    let args = [&train[..], &["--batch-size", "1"]].concat();
    let message =
        "encoder.0: sums of more than 260000 terms come out wrong on the software adapter";
    place.fails(&args, 1, &[message]);
    // 512 · 512 taps, in four channels as the adapter has them.
    let encoder = "encoder = [{ conv2d = 1, kernel = 512, stride = 8 }, \"flatten\"";
    place.edit("tiny.toml", "encoder = [{ linear = 16 }", encoder);
    place.fails(&args, 1, &[message]);
}
