//! The dispatches of every preset's training step, recorded without an adapter, against those of the
//! version before steps were recorded through a graph (`before.txt`: a preset a line, and the labels of
//! its dispatches without the gathers of the batch, on a software adapter).

mod fitted;

use vae_gpu::Preset;
use vae_gpu::gpu::AdapterReport;
use vae_gpu::train::{StepKind, recorded};

/// A software adapter such as the one on which the lists were made.
fn software() -> AdapterReport {
    AdapterReport {
        kind: "software",
        subgroups: true,
        subgroup_sizes: [8, 8],
        max_workgroup_bytes: 32 << 10,
        ..AdapterReport::webgpu()
    }
}

#[test]
fn no_presets_step_has_more_dispatches_than_before() {
    let lists = include_str!("before.txt");
    assert_eq!(lists.lines().count(), 10);
    for line in lists.lines() {
        let (name, before) = line.split_once(' ').unwrap();
        let preset: Preset = name.parse().unwrap();
        let (config, choices) = (preset.config(), Default::default());
        let step = recorded(&config, preset.shape(), StepKind::Train, &software(), &choices);
        let step = step.unwrap();
        let now: Vec<_> = step.labels().filter(|label| !label.contains("gather.batch")).collect();
        let before: Vec<_> = before.split(' ').collect();
        assert!(now.len() <= before.len(), "{name}: {now:?}, before: {before:?}");
        // The same kernels, whatever the order and whoever is named for them.
        let kernels = |labels: &[&str]| {
            let kernel = |label: &&str| label.rsplit('.').take(2).collect::<Vec<_>>().join(".");
            let mut kernels: Vec<_> = labels.iter().map(kernel).collect();
            kernels.sort();
            kernels
        };
        assert_eq!(kernels(&now), kernels(&before), "{name}");
    }
}
