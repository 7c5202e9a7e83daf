//! Datasets that do not fit: they stay in memory or in a file, and the runs have the same bits.

use super::*;

/// Trains `tiny.toml` with these flags into `out`; returns what it printed of where the data lie, and the
/// bytes of the model.
#[track_caller]
fn train(place: &Place, flags: &[&str], out: &str) -> (String, Vec<u8>) {
    let words = ["train", "--config", "tiny.toml", "--out", out, "--overwrite"];
    let output = Command::output(
        place.command(&[&words, flags].concat()).env("VAE_GPU_CACHE", place.path("cache")),
    )
    .unwrap();
    let ran = Ran::from(output);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{flags:?}");
    let stored = ran.stdout.lines().find_map(|line| line.strip_prefix("stored   "));
    let stored = stored.unwrap_or_else(|| panic!("{flags:?}: {}", ran.stdout));
    (stored.to_string(), place.read(&format!("{out}/model.safetensors")))
}

/// Files in the folder of the cache for datasets.
fn packed(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(place.path("cache/datasets")) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// A folder `photos` of 48 images and some held-out ones.
fn photos(place: &Place) {
    for i in 0..48 {
        place.write(&format!("photos/{i:02}.png"), png(8, 8, i * 5));
    }
}

#[test]
fn idx_files_are_streamed_from_where_they_lie() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    let (stored, model) = train(&place, &[], "resident");
    assert_eq!(stored, "4.0 KiB, on the adapter");
    let (stored, streamed) = train(&place, &["--stream"], "streamed");
    assert_eq!(stored, "4.0 KiB, streamed from memory");
    assert!(streamed == model, "streamed from memory");
    let (stored, streamed) = train(&place, &["--memory", "1KB"], "file");
    assert!(stored.starts_with("4.0 KiB, streamed from "), "{stored}");
    assert!(stored.ends_with("train-images-idx3-ubyte"), "{stored}");
    assert!(streamed == model, "streamed from the file");
    assert_eq!(packed(&place), [] as [PathBuf; 0], "the file needs no copy");

    // Whatever else reads images does so from the file, too.
    for command in [["evaluate", "resident"], ["reconstruct", "resident"]] {
        let whole = place.ok(&command);
        let picture =
            place.path("reconstructions.png").exists().then(|| place.read("reconstructions.png"));
        let _ = fs::remove_file(place.path("reconstructions.png"));
        assert_eq!(place.ok(&[&command[..], &["--memory", "1KB"]].concat()), whole);
        if let Some(picture) = picture {
            assert!(place.read("reconstructions.png") == picture, "the picture");
        }
    }
}

#[test]
fn a_streamed_run_is_resumed_to_the_same_bits() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    let (_, model) = train(&place, &[], "whole");
    train(&place, &["--memory", "1KB", "--max-steps", "3"], "parts");
    place.ok(&["train", "--resume", "parts"]);
    assert!(place.read("parts/model.safetensors") == model, "streamed, then resident");
    train(&place, &["--max-steps", "3"], "others");
    place.ok(&["train", "--resume", "others", "--memory", "1KB"]);
    assert!(place.read("others/model.safetensors") == model, "resident, then streamed");
}

#[test]
fn packed_files_and_folders_are_unpacked_once() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    let plain = place.read("idx/train-images-idx3-ubyte");
    place.write("gz/train-images-idx3-ubyte.gz", gz(&plain));
    photos(&place);
    for (data, mib) in [("gz", "4.0 KiB"), ("photos", "3.0 KiB")] {
        let (_, model) = train(&place, &["--data", data, "--validation", "0.25"], "whole");
        assert_eq!(packed(&place), [] as [PathBuf; 0], "what fits is not written");
        let flags = ["--data", data, "--validation", "0.25", "--memory", "1KB"];
        let (stored, streamed) = train(&place, &flags, "streamed");
        assert!(!stored.starts_with(mib), "some are held out: {stored}");
        assert!(streamed == model, "{data}");
        let [file] = &packed(&place)[..] else { panic!("{:?}", packed(&place)) };
        assert!(stored.ends_with(&format!("streamed from {}", file.display())), "{stored}");

        // It is found again, though the bound is another.
        let made = fs::metadata(file).unwrap().created().ok();
        train(&place, &["--data", data, "--validation", "0.25", "--memory", "2KB"], "again");
        assert_eq!(fs::metadata(file).unwrap().created().ok(), made, "{data}");

        // A damaged one is made again; so is one whose source has changed, and what a killed process left
        // goes away with that.
        let mut bytes = fs::read(file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        fs::write(file, &bytes).unwrap();
        // Nobody holds it open.
        let left = place.path("cache/datasets/unfinished-12345");
        fs::write(&left, "litter").unwrap();
        let (_, damaged) = train(&place, &flags, "damaged");
        assert!(damaged == model, "{data}");
        bytes[last] ^= 1;
        assert!(fs::read(file).unwrap() == bytes, "it was made again");
        assert_eq!(packed(&place), std::slice::from_ref(file), "the litter is gone");
        fs::remove_dir_all(place.path("cache")).unwrap();
    }
}

#[test]
fn a_changed_folder_is_packed_anew() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    photos(&place);
    let flags = ["--data", "photos", "--memory", "1KB"];
    let (_, old) = train(&place, &flags, "old");
    place.write("photos/07.png", png(8, 8, 250));
    let (_, new) = train(&place, &flags, "new");
    assert!(old != new, "the changed image was not seen");
    assert!(train(&place, &["--data", "photos"], "whole").1 == new);
}

/// By their length and the time of their contents these are the same files, as those from an archive may be.
#[cfg(unix)]
#[test]
fn a_folder_is_packed_anew_though_its_times_were_set() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    let write = |value: u8| {
        for i in 0..48u8 {
            let name = format!("photos/{i:02}.pgm");
            place.write(&name, [&b"P5 8 8 255\n"[..], &[i * value; 64]].concat());
            let file = fs::File::options().write(true).open(place.path(&name)).unwrap();
            file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
        }
    };
    write(5);
    let flags = ["--data", "photos", "--memory", "1KB"];
    let (_, old) = train(&place, &flags, "old");
    write(4);
    let (_, new) = train(&place, &flags, "new");
    assert!(old != new, "the changed images were not seen");
    assert!(train(&place, &["--data", "photos"], "whole").1 == new);
}

/// No checksum covers the shape that a kept file states.
#[test]
fn a_kept_file_of_another_shape_is_made_again() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    place.write("gz/train-images-idx3-ubyte.gz", gz(&place.read("idx/train-images-idx3-ubyte")));
    let flags = ["--data", "gz", "--memory", "1KB"];
    let (_, model) = train(&place, &flags, "new");
    let [file] = &packed(&place)[..] else { panic!("{:?}", packed(&place)) };
    let whole = fs::read(file).unwrap();
    let width = whole.windows(9).position(|bytes| bytes == b"\"width\":8").unwrap();
    let mut bytes = whole.clone();
    bytes[width + 8] = b'4';
    fs::write(file, bytes).unwrap();
    assert!(train(&place, &flags, "again").1 == model);
    assert!(fs::read(file).unwrap() == whole, "it was made again");
}

#[test]
fn what_is_found_again_is_remarked_on_again() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    fs::create_dir(place.path("photos")).unwrap();
    for i in 0..16 {
        let pixel = |x: u32, y: u32| image::LumaA([0u8, if x == y { 5 } else { 0 }]);
        let drawing = image::ImageBuffer::from_fn(8, 8, |x, y| pixel(x + i % 4, y));
        drawing.save(place.path(format!("photos/{i:02}.png"))).unwrap();
    }
    let words =
        ["train", "--config", "tiny.toml", "--data", "photos", "--overwrite", "--out", "run"];
    let remarks = |memory: &[&str]| {
        let mut command = place.command(&[&words, memory].concat());
        let ran = Ran::from(command.env("VAE_GPU_CACHE", place.path("cache")).output().unwrap());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        ran.stderr
    };
    let whole = remarks(&[]);
    let parts =
        ["blended with white (--background)\n", "between 250 and 255 of 255", "(--white)\n"];
    parts.iter().for_each(|part| assert!(whole.contains(part), "{whole}"));
    for _ in 0..2 {
        assert_eq!(remarks(&["--memory", "1KB"]), whole);
    }
}

#[test]
fn a_size_of_memory_that_is_none_is_refused() {
    let place = Place::new();
    let train = |memory| ["train", "--config", "tiny.toml", "--out", "run", "--memory", memory];
    for memory in ["much", "-1", ""] {
        place.fails(&train(memory), 2, &["--memory"]);
    }
}

/// An epoch that takes long is saved in its midst, and a run that was killed there goes on to the bits of
/// one that nobody stopped.
#[test]
fn a_run_is_saved_within_an_epoch() {
    let Some(_) = common::gpu() else { return };
    let place = Place::new();
    place.write("idx/train-images-idx3-ubyte", idx(4000, 8, 8));
    let (_, whole) = train(&place, &[], "whole");
    let rows = |run: &str| place.text(&format!("{run}/metrics.jsonl")).lines().count();
    let (_, saved) = train(&place, &["--memory", "1KB", "--save-every", "0"], "saved");
    assert!(saved == whole, "a save changes nothing");
    assert_eq!(rows("saved"), 2, "a part of an epoch is no epoch");

    let args = ["train", "--config", "tiny.toml", "--out", "killed", "--memory", "1KB"];
    let mut child =
        place.command(&args).args(["--save-every", "0"]).stdout(Stdio::null()).spawn().unwrap();
    let checkpoint = place.path("killed/checkpoint.safetensors");
    let untrained = loop {
        match fs::read(&checkpoint) {
            Ok(bytes) => break bytes,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
        }
    };
    while fs::read(&checkpoint).is_ok_and(|bytes| bytes == untrained)
        && child.try_wait().unwrap().is_none()
    {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = place.run(&["train", "--resume", "killed"]);
    assert_eq!(resumed.code, Some(0), "{}", resumed.stderr);
    assert!(place.read("killed/model.safetensors") == whole, "{}", resumed.stdout);
}
