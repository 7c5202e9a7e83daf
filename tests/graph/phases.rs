//! Steps of several phases and terms, from a table of columns that are no images.

use vae_gpu::config::TrainConfig;
use vae_gpu::data::{Column, Dataset, Table};
use vae_gpu::gpu::Gpu;
use vae_gpu::model::{Model, Phase, Step, Term};
use vae_gpu::nn::{Chain, Modules, Parameters, Shape, ValueId, Weights};
use vae_gpu::ops::density::{PRODUCT, SQUARED_ERROR};
use vae_gpu::ops::optimizer::{Optimizer, Rule};
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
        step.graph.row_sums("b", &SQUARED_ERROR, &[], &[y.into(), labels.into()])
    }
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
        step.update(phase.train(&["a"]).optimizer(Optimizer::sgd(0.3)))?;
        let errors = self.errors(step, x, labels);
        let weighted = step.graph.map("b", &PRODUCT, &[], &[errors.into(), counts.into()]);
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
    let other = TrainConfig { seed: config.seed + 1, ..config.clone() };
    let options = TrainOptions::default();
    let model = Two::new(&gpu);
    let refused = Trainer::resume_model(&gpu, model, &other, &data(), options, &checkpoint);
    assert!(refused.err().unwrap().to_string().contains("belongs to another"));
}

/// A model with a fault.
struct Faulty<'a>(&'a Two, Fault);

#[derive(Clone, Copy, PartialEq)]
enum Fault {
    /// It asks for a column that is not there.
    Column,
    /// A sweep goes through what was updated since.
    Stale,
    /// Two phases have one name.
    Phase,
    /// It trains a module that is not there.
    Module,
    /// Two terms have one name.
    Name,
    /// A term has several values a row.
    Shape,
    /// There is nothing to train.
    Weight,
    /// The optimizer cannot be.
    Optimizer,
}

impl Model for Faulty<'_> {
    fn weights(&self) -> &Weights {
        &self.0.weights
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        let Self(two, fault) = *self;
        let (x, labels) = (step.column("x")?, step.column("label")?);
        if fault == Fault::Column {
            step.column("angle")?;
        }
        let mut errors = two.errors(step, x, labels);
        let first = Phase::new("first", [Term::new("error", errors)]);
        step.update(match fault {
            Fault::Module => first.train(&["a", "c"]),
            Fault::Optimizer => first.optimizer(Optimizer::adam(f64::NAN)),
            _ => first,
        })?;
        if fault != Fault::Stale {
            errors = two.errors(step, x, labels);
        }
        let name = if fault == Fault::Name { "error" } else { "again" };
        let term = Term::new(name, if fault == Fault::Shape { x } else { errors });
        let term = term.weighted(if fault == Fault::Weight { 0.0 } else { 1.0 });
        Ok(Phase::new(if fault == Fault::Phase { "first" } else { "second" }, [term]))
    }
}

fn train(gpu: &Gpu, fault: Fault) -> Result<()> {
    let (two, config) = (Two::new(gpu), TrainConfig { batch_size: 10, ..TrainConfig::default() });
    let model = Faulty(&two, fault);
    Trainer::with_model(gpu, model, &config, &data(), TrainOptions::default()).map(drop)
}

#[test]
fn faults_of_a_model_are_named() {
    let Some(gpu) = common::gpu() else { return };
    for (fault, message) in [
        (Fault::Column, "column angle: "),
        (Fault::Phase, "phase first: two phases of a step have this name"),
        (Fault::Module, "phase first: trains c, which is no module"),
        (Fault::Name, "phase second: two terms of a step are called error"),
        (Fault::Shape, "phase second: term again: wants one value for each row"),
        (Fault::Weight, "phase second: has no term with a weight"),
        (Fault::Optimizer, "learning_rate = NaN: must be a positive number"),
    ] {
        let got = train(&gpu, fault).unwrap_err().to_string();
        assert!(got.starts_with(message), "{got}");
        assert_eq!(got.lines().count(), 1, "{got}");
    }
}

/// A layer that no term of the phase depends on, though the phase may train it.
struct Unreached<'a>(&'a Two);

impl Model for Unreached<'_> {
    fn weights(&self) -> &Weights {
        &self.0.weights
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        let x = step.column("x")?;
        let h = self.0.a.apply(&mut step.graph, x);
        let size = step.graph.row_sums("h", &PRODUCT, &[], &[h.into(), h.into()]);
        let rule = Rule::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.5 };
        let optimizer = Optimizer { rule, ..Optimizer::adam(0.1) };
        Ok(Phase::new("all", [Term::new("size", size)]).optimizer(optimizer))
    }
}

/// Neither the decay of weights nor a stored gradient moves what has no gradient, as in PyTorch.
#[test]
fn parameters_that_no_term_depends_on_stay() {
    let Some(gpu) = common::gpu() else { return };
    for clip_norm in [None, Some(1.0)] {
        let config = TrainConfig { epochs: 2, batch_size: 10, clip_norm, ..Default::default() };
        let two = Two::new(&gpu);
        let before = two.weights.parameters.read(&gpu).unwrap();
        let options = TrainOptions::default();
        let trainer = Trainer::with_model(&gpu, Unreached(&two), &config, &data(), options);
        trainer.unwrap().epochs().for_each(|report| drop(report.unwrap()));
        let after = two.weights.parameters.read(&gpu).unwrap();
        assert_ne!(before[..2], after[..2], "{clip_norm:?}: layer a is trained");
        assert_eq!(before[2..], after[2..], "{clip_norm:?}: layer b keeps its bits");
    }
}

#[test]
fn a_model_of_another_adapter_is_refused() {
    let (Some(gpu), Some(other)) = (common::gpu(), common::gpu()) else { return };
    let config = TrainConfig { batch_size: 10, ..TrainConfig::default() };
    let model = Two::new(&other);
    let refused = Trainer::with_model(&gpu, model, &config, &data(), TrainOptions::default());
    assert!(refused.err().unwrap().to_string().contains("were never written on this adapter"));
}

#[test]
#[should_panic(expected = "was updated since it was applied")]
fn no_gradient_goes_through_what_was_updated() {
    let Some(gpu) = common::gpu() else { panic!("no adapter: was updated since it was applied") };
    let _ = train(&gpu, Fault::Stale);
}

#[test]
fn saved_weights_are_read_back() {
    let Some(gpu) = common::gpu() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    let two = Two::new(&gpu);
    let values = two.weights.parameters.read(&gpu).unwrap();
    two.weights.save(&gpu, &file).unwrap();
    two.weights.initialise(&gpu, 99);
    assert_ne!(two.weights.parameters.read(&gpu).unwrap(), values);
    two.weights.load(&gpu, &file).unwrap();
    assert_eq!(two.weights.parameters.read(&gpu).unwrap(), values);
    let message = vae_gpu::Vae::load(&gpu, &file).err().unwrap().to_string();
    assert!(message.contains("a model of another kind than a VAE"), "{message}");
}
