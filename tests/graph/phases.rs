//! Steps of several phases and terms, from a table of columns that are no images.

use vae_gpu::config::TrainConfig;
use vae_gpu::data::{Column, Dataset, Table};
use vae_gpu::gpu::Gpu;
use vae_gpu::model::{Model, Phase, Step, Term};
use vae_gpu::nn::{Chain, Modules, Parameters, Shape, ValueId, Weights};
use vae_gpu::ops::density::{PRODUCT, SQUARED_ERROR};
use vae_gpu::ops::optimizer::{Optimizer, Rule};
use vae_gpu::ops::schedule::Schedule;
use vae_gpu::{Result, TrainOptions, Trainer};

use super::common;
use super::oracle::{self, Matrix, Values};

const ROWS: usize = 37;
const INPUTS: usize = 5;
const CLASSES: usize = 3;

fn inputs() -> Vec<f32> {
    (0..ROWS * INPUTS).map(|i| ((i * 31 + 7) % 64) as f32 / 64.0 - 0.5).collect()
}

fn labels() -> Vec<u32> {
    (0..ROWS as u32).map(|i| i * 7 % CLASSES as u32).collect()
}

fn counts() -> Vec<u32> {
    (0..ROWS as u32).map(|i| i % 4).collect()
}

fn data() -> Dataset {
    let names = ["a", "b", "c"];
    let table = Table::new()
        .with("x", Column::floats(&[INPUTS], inputs()))
        .and_then(|table| table.with("label", Column::classes(names, labels())))
        .and_then(|table| table.with("count", Column::counts(&[], counts())));
    Dataset::new("rows", table.unwrap(), None).unwrap()
}

/// y = b(tanh(a(x))) against labels, in two phases that train one layer each; the second weighs each row by
/// a count.
struct Two {
    a: Chain,
    b: Chain,
    weights: Weights,
}

impl Two {
    fn new(gpu: &Gpu) -> Self {
        let mut modules = Modules::new(Shape::Features(1));
        let a = modules.chain("a", "[{ linear = 4 }, \"tanh\"]", Shape::Features(INPUTS)).unwrap();
        let b = modules.chain("b", "[{ linear = 3 }]", Shape::Features(4)).unwrap();
        Self { a, b, weights: modules.weights(gpu, 3) }
    }

    fn errors(&self, step: &mut Step, x: ValueId, labels: ValueId) -> ValueId {
        let h = self.a.apply(&mut step.graph, x);
        let y = self.b.apply(&mut step.graph, h);
        step.graph.sums("b", &SQUARED_ERROR, &[], &[y.into(), labels.into()])
    }
}

fn descent(rate: f64) -> Optimizer {
    let rule = Rule::Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0 };
    Optimizer { rule, learning_rate: Schedule::constant(rate) }
}

impl Model for Two {
    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        let [x, labels, counts] = ["x", "label", "count"].map(|name| step.column(name));
        let (x, labels, counts) = (x?, labels?, counts?);
        let errors = self.errors(step, x, labels);
        let phase = Phase::new("first", [Term::new("plain", errors).weighted(0.5)]);
        step.update(phase.train(&["a"]).optimizer(descent(0.3)));
        let errors = self.errors(step, x, labels);
        let weighted = step.graph.each("b", &PRODUCT, &[], &[errors.into(), counts.into()]);
        let terms = [Term::new("weighted", weighted), Term::new("told", errors).weighted(0.0)];
        Ok(Phase::new("second", terms).train(&["b"]))
    }
}

/// The error of each row by `values`.
fn errors(values: &Values) -> Vec<f64> {
    let x: Matrix = oracle::matrix(&inputs(), INPUTS);
    let y = oracle::linear(&oracle::linear(&x, values, 0, f64::tanh), values, 1, oracle::identity);
    let one_hot = |label: &u32| (0..CLASSES).map(|c| f64::from(c == *label as usize)).collect();
    oracle::squared_errors(&y, &labels().iter().map(one_hot).collect())
}

fn weighted(values: &Values) -> f64 {
    let weighted: Vec<f64> = errors(values)
        .iter()
        .zip(counts())
        .map(|(error, count)| error * f64::from(count))
        .collect();
    oracle::mean(&weighted)
}

#[test]
fn each_phase_trains_its_own_by_its_own_optimizer() {
    let Some(gpu) = common::gpu() else { return };
    let config =
        TrainConfig { epochs: 1, batch_size: ROWS, learning_rate: 1e-2, ..Default::default() };
    let trainer =
        Trainer::with_model(&gpu, Two::new(&gpu), &config, &data(), TrainOptions::default())
            .unwrap();
    let read = |parameters: &Parameters| parameters.read(&gpu).unwrap();
    let before: Values = read(&trainer.model().weights.parameters)
        .iter()
        .map(|values| oracle::wide(values))
        .collect();
    let report = trainer.epochs().next().unwrap().unwrap();

    // The first phase moves layer a by plain descent, the second, which sees that, layer b by Adam, whose
    // first step goes by the signs.
    let plain = |values: &Values| 0.5 * oracle::mean(&errors(values));
    let gradient = oracle::differences(&before, plain);
    let mut between = before.clone();
    for i in 0..2 {
        between[i].iter_mut().zip(&gradient[i]).for_each(|(v, g)| *v -= 0.3 * g);
    }
    let gradient = oracle::differences(&between, weighted);
    let mut after = between.clone();
    for i in 2..4 {
        let step = |g: &f64| 1e-2 * g / (g.abs() + 1e-8);
        after[i].iter_mut().zip(&gradient[i]).for_each(|(v, g)| *v -= step(g));
    }
    oracle::assert_close("after a step", &read(&trainer.model().weights.parameters), &after);

    let near = |name: &str, want: f64| {
        let got = report.train.term(name).unwrap();
        assert!((got / want - 1.0).abs() < 1e-5, "{name}: {got}, not {want}");
    };
    near("plain", oracle::mean(&errors(&before)));
    near("weighted", weighted(&between));
    near("told", oracle::mean(&errors(&between)));
    let loss = plain(&before) + weighted(&between);
    assert!((report.train.loss / loss - 1.0).abs() < 1e-5, "{report:?}, not {loss}");
}

#[test]
fn a_resumed_run_of_two_phases_has_the_bits_of_an_uninterrupted_one() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let checkpoint = folder.path().join("checkpoint.safetensors");
    let config = TrainConfig { epochs: 3, batch_size: 10, ..TrainConfig::default() };
    let trainer = |max_steps| {
        let options = TrainOptions { max_steps, ..TrainOptions::default() };
        Trainer::with_model(&gpu, Two::new(&gpu), &config, &data(), options).unwrap()
    };
    let finish = |trainer: Trainer<Two>| {
        let reports: Vec<_> = trainer.epochs().map(|report| report.unwrap().train).collect();
        (reports, trainer.model().weights.parameters.read(&gpu).unwrap())
    };
    let whole = finish(trainer(None));
    // At the end of an epoch and within one.
    for stop in [4, 7] {
        let part = trainer(Some(stop));
        part.epochs().for_each(|report| drop(report.unwrap()));
        part.save_checkpoint(&checkpoint).unwrap();
        let options = TrainOptions::default();
        let rest =
            Trainer::resume_model(&gpu, Two::new(&gpu), &config, &data(), options, &checkpoint);
        let rest = finish(rest.unwrap());
        assert_eq!(rest.1, whole.1, "stopped after step {stop}");
        assert_eq!(rest.0.last(), whole.0.last(), "stopped after step {stop}");
    }
    let other = TrainConfig { learning_rate: 0.5, ..config.clone() };
    let options = TrainOptions::default();
    let model = Two::new(&gpu);
    let refused = Trainer::resume_model(&gpu, model, &other, &data(), options, &checkpoint);
    assert!(refused.err().unwrap().to_string().contains("belongs to another"));
}

/// A model that asks for a column that is not there, or updates what it goes back through.
struct Faulty<'a>(&'a Two, bool);

impl Model for Faulty<'_> {
    fn weights(&self) -> &Weights {
        &self.0.weights
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        let (x, labels) = (step.column("x")?, step.column("label")?);
        if self.1 {
            step.column("angle")?;
        }
        let errors = self.0.errors(step, x, labels);
        step.update(Phase::new("first", [Term::new("error", errors)]));
        Ok(Phase::new("second", [Term::new("error", errors)]))
    }
}

fn train(gpu: &Gpu, lacks_column: bool) -> Result<()> {
    let (two, config) = (Two::new(gpu), TrainConfig { batch_size: 10, ..TrainConfig::default() });
    let model = Faulty(&two, lacks_column);
    Trainer::with_model(gpu, model, &config, &data(), TrainOptions::default()).map(drop)
}

#[test]
fn a_column_that_is_not_there_is_named() {
    let Some(gpu) = common::gpu() else { return };
    let message = train(&gpu, true).unwrap_err().to_string();
    assert_eq!(message, "column angle: is not there, only x, label, count");
}

#[test]
#[should_panic(expected = "was updated since it was applied")]
fn no_gradient_goes_through_what_was_updated() {
    let Some(gpu) = common::gpu() else { panic!("no adapter: was updated since it was applied") };
    let _ = train(&gpu, false);
}
