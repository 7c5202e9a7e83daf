//! Twenty steps under Vulkan's validation layer, which must have nothing to say.

mod common;

use std::sync::Mutex;

use vae_gpu::{Config, Dataset, TrainOptions, Trainer};

/// Everything logged, down to the level at which wgpu says that it finds no layer.
static MESSAGES: Mutex<Vec<(log::Level, String)>> = Mutex::new(Vec::new());

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }

    fn log(&self, record: &log::Record) {
        let message = format!("{}: {}", record.target(), record.args());
        MESSAGES.lock().unwrap().push((record.level(), message));
    }

    fn flush(&self) {}
}

#[test]
fn twenty_steps_leave_the_validation_layer_silent() {
    // The layer, and the extension through which wgpu hears what it says.
    for name in ["WGPU_VALIDATION", "WGPU_DEBUG"] {
        // SAFETY: the only test of this program, and nothing else runs yet.
        unsafe { std::env::set_var(name, "1") };
    }
    log::set_logger(&Collector).unwrap();
    log::set_max_level(log::LevelFilter::Debug);
    let Some(gpu) = common::gpu() else { return };
    let backend = gpu.report().backend;
    let said = |text| MESSAGES.lock().unwrap().iter().any(|(_, message)| message.contains(text));
    if said("unable to find layer") || backend != vae_gpu::gpu::Backend::Vulkan {
        common::skip("no Vulkan validation layer (Debian: vulkan-validationlayers)");
        return;
    }
    assert!(!said("Debug utils not enabled"), "nobody would hear the layer");

    // Two epochs of ten steps, the last of each with a smaller batch; then every other plan.
    let mut data = Dataset::digits();
    data.train = data.train.select(&(0..187).collect::<Vec<_>>());
    data.test = data.test.map(|test| test.select(&(0..41).collect::<Vec<_>>()));
    let mut config = Config::default();
    config.train.batch_size = 20;
    config.train.epochs = 2;
    let trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default()).unwrap();
    let last = trainer.epochs().map(Result::unwrap).last().unwrap();
    assert_eq!(last.step, 20);
    trainer.model().sample(3).unwrap();
    trainer.model().reconstruct(data.test.unwrap().images().unwrap()).unwrap();
    let messages = MESSAGES.lock().unwrap();
    let complaints: Vec<_> =
        messages.iter().filter(|(level, _)| *level <= log::Level::Warn).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}
