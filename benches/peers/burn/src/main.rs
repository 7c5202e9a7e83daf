//! The Burn peer: `vae-burn VARIANT MODEL DATA [ADAPTER]`, where MODEL is `mlp` or `conv`, DATA
//! holds an unpacked IDX file and ADAPTER is the name of the adapter to run on.
//!
//! Prints a line of JSON when it is ready; then trains as many epochs as each line of its input
//! says, and answers with their seconds and mean losses.

use std::error::Error;
use std::io::stdin;
use std::path::Path;
use std::time::Instant;

use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, DeviceType, Int, Tensor, TensorData};
use serde_json::json;

mod vae;

use vae::Vae;

const BATCH: usize = 128;
const LEARNING_RATE: f64 = 1e-3;

struct Trainer {
    vae: Vae,
    optimizer: ModuleOptimizer,
    images: Tensor<2>,
    random: u64,
}

impl Trainer {
    fn new(vae: Vae, images: Tensor<2>) -> Self {
        // Burn's own default is 1e-5.
        let optimizer = AdamConfig::new().with_epsilon(1e-8).init();
        Self { vae, optimizer, images, random: 1 }
    }

    /// One step; the loss of its batch, without its history.
    fn step(&mut self, indices: Tensor<1, Int>) -> Tensor<1> {
        let loss = self.vae.loss(self.images.clone().select(0, indices));
        let gradients = GradientsParams::from_grads(loss.backward(), &self.vae);
        self.vae = self.optimizer.step(LEARNING_RATE, self.vae.clone(), gradients);
        loss.inner()
    }

    /// The mean loss; reading it waits for the device.
    fn epoch(&mut self) -> f64 {
        let images = self.images.dims()[0];
        // Burn has no permutation on the device; this one goes there in one piece.
        let order = self.shuffled(images);
        let order = Tensor::<1, Int>::from_data(TensorData::from(&order[..]), &self.device());
        let mut total: Option<Tensor<1>> = None;
        for first in (0..images).step_by(BATCH) {
            let loss = self.step(order.clone().narrow(0, first, BATCH));
            total = Some(total.map_or(loss.clone(), |total| total + loss));
        }
        let total: f32 = total.expect("an epoch has a step").into_scalar();
        f64::from(total) / (images / BATCH) as f64
    }

    fn device(&self) -> Device {
        self.images.device()
    }

    fn shuffled(&mut self, length: usize) -> Vec<i32> {
        let mut order: Vec<i32> = (0..length as i32).collect();
        for i in (1..length).rev() {
            // Knuth's MMIX generator; its high bits are the good ones.
            let next = self.random.wrapping_mul(6364136223846793005);
            self.random = next.wrapping_add(1442695040888963407);
            order.swap(i, (self.random >> 33) as usize % (i + 1));
        }
        order
    }
}

/// The adapter of that name, or else the default one.
fn open(adapter: Option<&str>) -> (Device, String) {
    let name = |device: &Device| device.identity().map_or("unknown".into(), |id| id.name);
    let wanted = adapter.and_then(|adapter| {
        Device::enumerate(DeviceType::Wgpu).into_vec().into_iter().find(|d| name(d) == adapter)
    });
    let device = wanted.unwrap_or_else(|| Device::wgpu(Default::default()));
    let name = name(&device);
    (device.autodiff(), name)
}

fn read_images(folder: &str, device: &Device) -> Result<Tensor<2>, Box<dyn Error>> {
    let data = std::fs::read(Path::new(folder).join("train-images-idx3-ubyte"))?;
    let pixels: Vec<f32> = data[16..].iter().map(|&p| f32::from(p) / 255.0).collect();
    let shape = [pixels.len() / 784, 784];
    Ok(Tensor::from_data(TensorData::new(pixels, shape), device))
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, _, model, folder, adapter @ ..] = &arguments[..] else {
        return Err("usage: vae-burn VARIANT MODEL DATA [ADAPTER]".into());
    };
    let (device, name) = open(adapter.first().map(String::as_str));
    device.seed(1);
    let images = read_images(folder, &device)?;
    device.sync()?;
    let vae = Vae::new(model, &device).ok_or("MODEL is mlp or conv")?;

    // On a copy of the model, so that training begins from where the other peers' does.
    let first_batch = Tensor::<1, Int>::arange(0..BATCH as i64, &device);
    let begun = Instant::now();
    let mut trainer = Trainer::new(vae.clone(), images.clone());
    let _: f32 = trainer.step(first_batch).into_scalar();
    device.sync()?;
    let warm_up = begun.elapsed().as_secs_f64();
    // The fusion goes on to look for longer chains of operations.
    trainer.epoch();
    let compiler = if cfg!(feature = "spirv") { "SPIR-V" } else { "WGSL" };
    println!(
        "{}",
        json!({
            "device": "wgpu",
            "hardware": name,
            "version": format!("Burn 0.22.1, {compiler}"),
            "warm_up": warm_up,
            "warm_up_of": "its first step, autotuning included",
        })
    );

    trainer = Trainer::new(vae, images);
    for line in stdin().lines() {
        let (mut seconds, mut losses) = (vec![], vec![]);
        for _ in 0..line?.trim().parse()? {
            let begun = Instant::now();
            losses.push(trainer.epoch());
            seconds.push(begun.elapsed().as_secs_f64());
        }
        println!("{}", json!({ "seconds": seconds, "losses": losses }));
    }
    Ok(())
}
