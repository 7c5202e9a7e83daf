//! Twenty steps under Vulkan's validation layer, which must have nothing to say.

mod common;

use std::sync::Mutex;

use vae_gpu::{Config, Dataset, TrainOptions, Trainer};

/// Everything logged as a warning or worse.
static MESSAGES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Collector;

impl log::Log for Collector {
    fn enabled(&self, metadata: &log::Metadata) -> bool {
        metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record) {
        if self.enabled(record.metadata()) {
            MESSAGES.lock().unwrap().push(format!("{}: {}", record.target(), record.args()));
        }
    }

    fn flush(&self) {}
}

#[test]
fn twenty_steps_leave_the_validation_layer_silent() {
    // SAFETY: the only test of this program, and nothing else runs yet.
    unsafe { std::env::set_var("WGPU_VALIDATION", "1") };
    log::set_logger(&Collector).unwrap();
    log::set_max_level(log::LevelFilter::Warn);
    let Some(gpu) = common::gpu() else { return };
    let backend = gpu.report().backend;
    let absent = MESSAGES.lock().unwrap().iter().any(|m| m.contains("unable to find layer"));
    if absent || backend != vae_gpu::gpu::Backend::Vulkan {
        common::skip("no Vulkan validation layer (Debian: vulkan-validationlayers)");
        return;
    }

    // Two epochs of ten steps, the last of each with a smaller batch; then every other plan.
    let mut data = Dataset::digits();
    data.train = data.train.select(&(0..187).collect::<Vec<_>>());
    data.test = data.test.map(|test| test.select(&(0..41).collect::<Vec<_>>()));
    let mut config = Config::default();
    config.train.batch_size = 20;
    config.train.epochs = 2;
    let mut trainer = Trainer::new(&gpu, &config, &data, TrainOptions::default()).unwrap();
    let last = trainer.epochs().map(Result::unwrap).last().unwrap();
    assert_eq!(last.step, 20);
    trainer.model().sample(3).unwrap();
    trainer.model().reconstruct(&data.test.unwrap()).unwrap();
    let messages = MESSAGES.lock().unwrap();
    assert!(messages.is_empty(), "{}", messages.join("\n"));
}
