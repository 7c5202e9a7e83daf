//! Files that the disk, the network or another program changed: told, or without consequence.

use super::*;
use crate::common::tensor_file::{Tensors, changed, written};
use vae_gpu::model::TensorFile;

/// A checkpoint within an epoch and the model as it was then, in a folder of their own.
struct Saved {
    folder: tempfile::TempDir,
    checkpoint: Vec<u8>,
    model: Vec<u8>,
}

impl Saved {
    fn new(gpu: &Gpu) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let tune = vae_gpu::Tune::Quick;
        let options = TrainOptions { max_steps: Some(15), tune, ..Default::default() };
        let part = trainer(gpu, &config(2), options);
        part.epochs().for_each(|report| drop(report.unwrap()));
        let path = |name| folder.path().join(name);
        part.save_checkpoint(path("checkpoint")).unwrap();
        part.model().save(path("model")).unwrap();
        let [checkpoint, model] = ["checkpoint", "model"].map(|n| std::fs::read(path(n)).unwrap());
        Self { folder, checkpoint, model }
    }

    /// What resuming from these bytes fails with.
    fn resumed(&self, gpu: &Gpu, bytes: &[u8]) -> Result<Trainer, String> {
        self.resumed_on(gpu, &data(), bytes)
    }

    fn resumed_on(&self, gpu: &Gpu, data: &Dataset, bytes: &[u8]) -> Result<Trainer, String> {
        let path = self.folder.path().join("changed checkpoint");
        std::fs::write(&path, bytes).unwrap();
        let resumed = Trainer::resume(gpu, &config(2), data, TrainOptions::default(), path);
        resumed.map_err(|e| e.to_string())
    }

    /// What loading a model of these bytes fails with.
    fn loaded(&self, gpu: &Gpu, bytes: &[u8]) -> Result<Vae, String> {
        let path = self.folder.path().join("changed model");
        std::fs::write(&path, bytes).unwrap();
        Vae::load(gpu, path).map_err(|e| e.to_string())
    }
}

/// Asserts that it failed with a message about a file of that name, which holds `part`.
#[track_caller]
fn refused<T>(outcome: Result<T, String>, name: &str, part: &str) {
    let message = outcome.err().unwrap_or_else(|| panic!("taken: {part}"));
    assert!(message.contains(name) && message.contains(part), "{part:?} is not in: {message}");
}

/// Every bit of the length and the header's first words, then bits all over, of all places in a byte.
#[test]
fn no_flipped_bit_is_taken_for_another_value() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    for (name, whole) in [("checkpoint", &saved.checkpoint), ("model", &saved.model)] {
        let path = saved.folder.path().join("flipped");
        let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
        let mut bits: Vec<usize> = (0..400).collect();
        bits.extend((400..8 * header).step_by(13));
        bits.extend((8 * header..8 * whole.len()).step_by(201));
        let (mut told, mut harmless) = (0, 0);
        for bit in bits {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, bytes).unwrap();
            match TensorFile::read(&path) {
                Err(error) => {
                    let message = error.to_string();
                    assert!(message.contains("flipped: "), "{name}, bit {bit}: {message}");
                    told += 1;
                }
                Ok(file) => {
                    file.write().unwrap();
                    let same = std::fs::read(&path).unwrap() == *whole;
                    assert!(same, "{name}: bit {bit} of a header of {header} bytes was taken");
                    harmless += 1;
                }
            }
        }
        assert!(told > 100 * harmless, "{name}: {told} told, {harmless} harmless");
    }
    // Wherever a file is read for.
    let flip = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 4;
        bytes
    };
    for part in [2, 3, 7] {
        let checkpoint = flip(&saved.checkpoint, saved.checkpoint.len() - part * 100);
        refused(saved.resumed(&gpu, &checkpoint), "changed checkpoint", "is damaged");
        let model = flip(&saved.model, saved.model.len() - part * 100);
        refused(saved.loaded(&gpu, &model), "changed model", "is damaged");
    }
}

#[test]
fn files_without_a_checksum_load_to_the_same_bits() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    let older = saved.resumed(&gpu, &changed(&saved.checkpoint, |_, _| ())).unwrap();
    let newer = saved.resumed(&gpu, &saved.checkpoint).unwrap();
    older
        .epochs()
        .zip(newer.epochs())
        .for_each(|(a, b)| assert_eq!(a.unwrap().train, b.unwrap().train));
    assert_eq!(weights(&gpu, &older), weights(&gpu, &newer));
    let [a, b] = [changed(&saved.model, |_, _| ()), saved.model.clone()]
        .map(|bytes| saved.loaded(&gpu, &bytes).unwrap().parameters().read(&gpu).unwrap());
    assert_eq!(a, b);
}

/// Python's json writes spaces, and other programs put keys of their own beside `config`.
#[test]
fn a_copy_by_another_program_still_fits_its_checksum() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    let (_, metadata) = SafeTensors::read_metadata(&saved.model).unwrap();
    let config = &metadata.metadata().as_ref().unwrap()["config"];
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    let copied = |scale: f32| {
        changed(&saved.model, |described, tensors| {
            *described = config.clone();
            let (_, _, bytes) = tensors.values_mut().next().unwrap();
            bytemuck::cast_slice_mut::<_, f32>(bytes).iter_mut().for_each(|v| *v *= scale);
        })
    };
    let spaced = |bytes: &[u8]| {
        let views = SafeTensors::deserialize(bytes).unwrap().tensors().into_iter();
        let own = views.map(|(n, v)| (n, (v.dtype(), v.shape().to_vec(), v.data().to_vec())));
        let config = serde_json::to_string_pretty(&config).unwrap();
        let metadata = [("config", config), ("format", "pt".into())];
        let tensors: Tensors = own.collect();
        written(&tensors, metadata.map(|(key, value)| (key.into(), value)).into())
    };
    saved.loaded(&gpu, &spaced(&copied(1.0))).unwrap();
    refused(
        saved.loaded(&gpu, &spaced(&copied(1.5))),
        "changed model",
        "or was changed by another",
    );
}

/// Files without a checksum, whose counters are all that tells of the damage.
#[test]
fn counters_that_disagree_are_damage() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    // 11 steps an epoch, of 20 images but for the last one of 3: 15 steps are an epoch and 80 images.
    let with = |state: [u32; 4]| {
        changed(&saved.checkpoint, |_, tensors| {
            let (_, _, bytes) = tensors.get_mut("state").unwrap();
            bytes.copy_from_slice(bytemuck::cast_slice(&state));
        })
    };
    saved.resumed(&gpu, &with([15, 1, 80, 203])).unwrap();
    saved.resumed(&gpu, &with([11, 1, 0, 203])).unwrap();
    for state in [
        [15 | 1 << 30, 1, 80, 203],
        [14, 1, 80, 203],
        [15, 0, 80, 203],
        [33, 3, 0, 203],
        [15, 1, 100, 203],
        [15, 1, 87, 203],
        [22, 1, 220, 203],
        [15, 1, u32::MAX - 15, 203],
    ] {
        refused(saved.resumed(&gpu, &with(state)), "changed checkpoint", "is damaged: ");
    }
    refused(saved.resumed(&gpu, &with([15, 1, 80, 204])), "changed checkpoint", "another model");
}

/// A run that goes on with fewer epochs than are done, is saved, and goes on again.
#[test]
fn fewer_epochs_than_are_done_are_no_damage() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let trained = trainer(&gpu, &config(3), TrainOptions::default());
    trained.epochs().for_each(|report| drop(report.unwrap()));
    trained.save_checkpoint(&path).unwrap();
    for epochs in [1, 4] {
        let options = TrainOptions::default();
        let resumed = Trainer::resume(&gpu, &config(epochs), &data(), options, &path).unwrap();
        assert_eq!(resumed.epochs().count(), epochs.saturating_sub(3) as usize);
        assert_eq!(resumed.state().epoch, epochs.max(3));
        resumed.save_checkpoint(&path).unwrap();
    }
}

#[test]
fn a_kernel_that_is_not_known_is_not_ignored() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    let with = |bytes: &[u8], change: fn(&mut serde_json::Map<String, serde_json::Value>)| {
        changed(bytes, |config, _| change(config["choices"]["variants"].as_object_mut().unwrap()))
    };
    type Change = fn(&mut serde_json::Map<String, serde_json::Value>);
    let cases: [(Change, &str); 4] = [
        (|of| drop(of.insert("forward 64 to 24".into(), "lances 8 1".into())), "that is not known"),
        (|of| drop(of.insert("forward 64 to 24".into(), "".into())), "that is not known"),
        (|of| drop(of.insert("forward 63 to 24".into(), "lanes 8 1".into())), "does not compute"),
        (|of| drop(of.insert("forward 64 to 24".into(), "lanes 63 1".into())), "cannot run"),
    ];
    for (change, part) in cases {
        let checkpoint = with(&saved.checkpoint, change);
        refused(saved.resumed(&gpu, &checkpoint), "changed checkpoint", part);
        refused(saved.loaded(&gpu, &with(&saved.model, change)), "changed model", part);
    }
    saved.resumed(&gpu, &with(&saved.checkpoint, |_| ())).unwrap();
}

#[test]
fn what_is_no_number_is_damage() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    let with = |bytes: &[u8], name: &str, value: f32| {
        changed(bytes, |_, tensors| {
            let (_, _, bytes) = tensors.get_mut(name).unwrap();
            bytes[4..8].copy_from_slice(&value.to_le_bytes());
        })
    };
    for value in [f32::NAN, f32::INFINITY] {
        let model = with(&saved.model, "latent.weight", value);
        let part = "is damaged: latent.weight holds what is no finite number";
        refused(saved.loaded(&gpu, &model), "changed model", part);
        let checkpoint = with(&saved.checkpoint, "parameter.latent.bias", value);
        let part = "is damaged: parameter.latent.bias holds";
        refused(saved.resumed(&gpu, &checkpoint), "changed checkpoint", part);
    }
    let checkpoint = with(&saved.checkpoint, "first_moment.latent.bias", f32::NAN);
    refused(saved.resumed(&gpu, &checkpoint), "changed checkpoint", "first_moment.latent.bias");
}

#[test]
fn another_test_split_is_another_dataset() {
    let Some(gpu) = common::gpu() else { return };
    let saved = Saved::new(&gpu);
    let mut other = images(37);
    other.pixels[100] ^= 1;
    let older = changed(&saved.checkpoint, |_, tensors| {
        let (_, shape, bytes) = tensors.get_mut("checksum").unwrap();
        *shape = vec![1];
        bytes.truncate(4);
    });
    for test in [Some(table(other)), None] {
        let data = Dataset { test, ..data() };
        let part = "belongs to another test split";
        refused(saved.resumed_on(&gpu, &data, &saved.checkpoint), "changed checkpoint", part);
        saved.resumed_on(&gpu, &data, &older).unwrap();
    }
}
