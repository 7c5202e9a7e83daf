//! Objectives from their configuration to their gradients: see objectives.py beside this file.

use serde::Deserialize;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::model::{TermSpec, Totals};
use vae_gpu::ops::latent::{self, KlObjective, STATISTICS};
use vae_gpu::train::Losses;
use vae_gpu::{Config, ops::State};

use super::{File, common, relative_norm};

#[derive(Deserialize)]
struct Cases {
    steps_per_epoch: usize,
    /// A configuration as TOML, and the steps that are looked at.
    cases: Vec<(String, Vec<u32>)>,
}

impl Cases {
    /// The file, its configurations with its number of latent variables, and their steps.
    fn read() -> (File, usize, Vec<(Config, Vec<u32>)>) {
        let file = File::read("objectives.safetensors");
        let Cases { steps_per_epoch, cases } = file.config();
        let latent = file.floats("unit_kl").len();
        let parse = |(text, steps): (String, _)| {
            let mut config = Config::parse(&text, &text).unwrap();
            config.model.latent = latent;
            (config, steps)
        };
        (file, steps_per_epoch, cases.into_iter().map(parse).collect())
    }
}

/// The file's batch at a step, as an epoch's only one: the gradient by the head, and the statistics
/// of the latent variables.
fn run(gpu: &Gpu, file: &File, objective: &KlObjective, step: u32) -> [Vec<f32>; 2] {
    let matrix = |name: &str| {
        let tensor = Tensor::matrix(name, &file.shape(name));
        tensor.write(gpu, &file.singles(name));
        tensor
    };
    let [head, dz] = ["head", "dz"].map(matrix);
    let epsilon = Tensor::new(gpu, "epsilon", &[dz.len()], &file.singles("epsilon"));
    let [z, dhead] = [dz.shape(), head.shape()].map(|like| Tensor::matrix("like", like));
    let kl = Tensor::zeros("kl", &[dz.columns() + 1]);
    let units = Tensor::zeros("units", &[STATISTICS * dz.columns()]);
    let state = State::tensor("state");
    State { step, images: dz.rows() as u32, ..State::default() }.write(gpu, &state);
    let mut recording = Recording::new(gpu.report());
    latent::forward(&mut recording, "test", &state, 1, [&head, &epsilon, &z, &kl], &units);
    latent::backward(&mut recording, "test", &state, objective, &head, &epsilon, &kl, &dz, &dhead);
    recording.compile(gpu).run();
    [dhead, units].map(|tensor| tensor.read(gpu).unwrap())
}

#[test]
fn gradients_of_every_objective_are_pytorchs() {
    let Some(gpu) = common::gpu() else { return };
    let (file, steps_per_epoch, cases) = Cases::read();
    for (i, (config, steps)) in cases.iter().enumerate() {
        let objective = config.model.kl_objective(steps_per_epoch, config.train.epochs);
        for &step in steps {
            let [dhead, _] = run(&gpu, &file, &objective, step);
            let error = relative_norm(&dhead, &file.singles(&format!("{i}.{step}.dhead")));
            assert!(error < 1e-6, "{objective:?}, step {step}: off by {error:e}");
        }
    }
}

#[test]
fn reports_of_every_objective_are_pytorchs() {
    let Some(gpu) = common::gpu() else { return };
    let (file, _, cases) = Cases::read();
    let [_, units] = run(&gpu, &file, &KlObjective::weighted(1.0), 0);
    let [of_units, variances] = Totals { units, ..Totals::default() }.latent();
    let near = |what: &str, got: f64, want: f64| {
        assert!((got / want - 1.0).abs() < 1e-5, "{what}: {got}, not {want}");
    };
    let unit_kl = file.floats("unit_kl");
    for (i, (config, _)) in cases.iter().enumerate() {
        let kl = TermSpec::kl("kl", config.model.kl_objective(1, 1));
        let losses =
            Losses::new(&[TermSpec::new("recon"), kl], &[100.0, 0.0], &of_units, &variances);
        let what = format!("{:?}", config.model.kl_schedule);
        near(&what, losses.loss, 100.0 + file.floats(&format!("{i}.cost"))[0]);
        near(&what, losses.term("kl").unwrap(), unit_kl.iter().sum());
        losses.unit_kl.iter().zip(&unit_kl).for_each(|(got, want)| near(&what, *got, *want));
        assert_eq!(losses.active_units as f64, file.floats("active")[0], "{what}");
    }
}
