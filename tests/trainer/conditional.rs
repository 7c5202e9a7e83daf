//! Models that are told the class.

use vae_gpu::config::{Condition, ModelConfig};
use vae_gpu::model::{Classes, Input, Samples};
use vae_gpu::{Column, Error};

use super::*;

/// How the error begins where there are no classes.
const MISSING: &str =
    "column label: is not there, only image, and the model is conditioned on it; classes are";

/// Blobs in the class of their left or their right half.
fn labelled(count: usize) -> Table {
    let images = images(count);
    let side = |image: &[u8]| {
        let half = |right: bool| -> u32 {
            let pixel =
                |(i, value): (usize, &u8)| ((i % 8 >= 4) == right).then_some(u32::from(*value));
            image.iter().enumerate().filter_map(pixel).sum()
        };
        u32::from(half(true) > half(false))
    };
    let classes: Vec<u32> = images.pixels.chunks(64).map(side).collect();
    let classes = Column::classes(["left", "right"], classes);
    table(images).with(Table::LABEL, classes).unwrap()
}

fn data() -> Dataset {
    Dataset::new("halves", labelled(203), Some(labelled(37))).unwrap()
}

fn conditional(embedding: Option<usize>) -> Config {
    let mut config = config(40);
    let column = Table::LABEL.to_string();
    config.model.condition = Some(Condition { column, embedding, ..Condition::default() });
    config
}

/// The share of an image's light in its right half.
fn right(image: &[u8]) -> f64 {
    let sum = |right: bool| -> f64 {
        image
            .iter()
            .enumerate()
            .filter(|(i, _)| !right || i % 8 >= 4)
            .map(|(_, v)| f64::from(*v))
            .sum()
    };
    sum(true) / sum(false)
}

#[test]
fn images_are_of_the_class_that_is_asked_for() {
    let Some(gpu) = common::gpu() else { return };
    for embedding in [None, Some(3)] {
        let config = conditional(embedding);
        let trainer = Trainer::new(&gpu, &config, &data(), TrainOptions::default()).unwrap();
        let reports: Vec<_> = trainer.epochs().map(Result::unwrap).collect();
        let vae = trainer.model();
        // The classes are the data's, and are kept with the model.
        let condition = vae.config().condition.as_ref().unwrap();
        assert_eq!(condition.classes, ["left", "right"]);
        let mean = |class: u32| {
            let samples = Samples { classes: Classes::One(class), ..Samples::new(200, 5) };
            let made = vae.sample_as(samples).unwrap();
            (0..200).map(|i| right(made.image(i))).sum::<f64>() / 200.0
        };
        let [left, right] = [mean(0), mean(1)];
        assert!(right > left + 0.4, "{embedding:?}: {left} of the light on the right, and {right}");
        // By turns they are the same images.
        let both = vae.sample_seeded(6, 5).unwrap();
        let one =
            vae.sample_as(Samples { classes: Classes::One(1), ..Samples::new(6, 5) }).unwrap();
        assert_eq!(both.image(3), one.image(3));
        assert_ne!(both.image(2), one.image(2));

        // Those that z says are the same as decoded from the prior's draws.
        let z = vae.prior(6, 5).unwrap();
        assert_eq!(vae.decode_of(&z, Classes::Each(&[0, 1, 0, 1, 0, 1])).unwrap(), both);

        // What the class is told need not be told by z: the bound is better than without.
        let mut plain = config.clone();
        plain.model.condition = None;
        let plain = Trainer::new(&gpu, &plain, &data(), TrainOptions::default()).unwrap();
        let plain: Vec<_> = plain.epochs().map(Result::unwrap).collect();
        let last = |reports: &[EpochReport]| reports[39].test.as_ref().unwrap().loss;
        assert!(last(&reports) < last(&plain), "{} and {}", last(&reports), last(&plain));
    }
}

#[test]
fn classes_are_known_by_their_names() {
    let Some(gpu) = common::gpu() else { return };
    let config = conditional(None);
    let trainer = Trainer::new(&gpu, &config, &data(), TrainOptions::default()).unwrap();
    trainer.epoch(|_| ControlFlow::Continue(())).unwrap();
    let vae = trainer.model();
    let test = labelled(37);
    let Some(Column::Classes { indices, .. }) = test.column(Table::LABEL) else { panic!() };
    // The same classes in another order, by other numbers.
    let others: Vec<u32> = indices.iter().map(|index| 1 - index).collect();
    let other = table(images(37)).with(Table::LABEL, Column::classes(["right", "left"], &others));
    let other = other.unwrap();
    assert_eq!(vae.encode(&test).unwrap(), vae.encode(&other).unwrap());
    let (same, indices) = (images(37), indices.as_slice());
    let labelled = Input::Labelled(&same, indices);
    assert_eq!(vae.encode(labelled).unwrap(), vae.encode(&test).unwrap());
    let evaluate = |table| Evaluator::new(vae, table, 20, Noise::Seeded(1)).unwrap().run().unwrap();
    assert_eq!(evaluate(&test), evaluate(&other));

    let unknown = table(images(3)).with(Table::LABEL, Column::classes(["up"], &[0, 0, 0])).unwrap();
    let error = vae.encode(&unknown).unwrap_err();
    let message = "column label: has the class up, and the model was trained with left, right";
    assert_eq!(error.to_string(), message);
    let error = vae.encode(&images(3)).unwrap_err();
    assert!(matches!(error, Error::Input(_)), "{error}");
    let error = vae.encode(&table(images(3))).unwrap_err();
    assert!(error.to_string().starts_with(MISSING), "{error}");
    let class = Samples { classes: Classes::One(2), ..Samples::new(1, 0) };
    let error = vae.sample_as(class).unwrap_err();
    let message = "there is no class number 2; the model has 2, numbered from 0";
    assert_eq!(error.to_string(), message);
    let error = vae.decode(&[0.0; 3]).unwrap_err();
    assert!(error.to_string().contains("conditioned on label"), "{error}");
}

/// Without labels nothing is trained, and a model without a condition takes no classes.
#[test]
fn what_does_not_go_together_is_told() {
    let Some(gpu) = common::gpu() else { return };
    let error = Trainer::new(&gpu, &conditional(None), &super::data(), TrainOptions::default());
    let error = error.err().unwrap();
    assert!(error.to_string().starts_with(MISSING), "{error}");
    let mut named = conditional(None);
    named.model.condition.as_mut().unwrap().classes = vec!["cat".into(), "dog".into()];
    let error = Trainer::new(&gpu, &named, &data(), TrainOptions::default());
    let message = "column label: has the classes left, right, and the model is for cat, dog";
    assert_eq!(error.err().unwrap().to_string(), message);
    // A model that is there already is trained on the classes that it knows, by its numbers.
    let known = conditional(None).model.with_classes(&labelled(5)).unwrap();
    let vae = Vae::new(&gpu, &known, images(1).shape, 1).unwrap();
    let swapped = Column::classes(["right", "left"], &[0; 20]);
    let swapped = table(images(20)).with(Table::LABEL, swapped).unwrap();
    let swapped = Dataset::new("swapped", swapped, None).unwrap();
    let train = TrainConfig { batch_size: 5, ..config(1).train };
    let error = Trainer::with_model(&gpu, vae, &train, &swapped, TrainOptions::default());
    let message = "column label: has the classes right, left, and the model is for left, right";
    assert_eq!(error.err().unwrap().to_string(), message);
    let plain = Vae::new(&gpu, &config(1).model, images(1).shape, 1).unwrap();
    let class = Samples { classes: Classes::One(0), ..Samples::new(1, 0) };
    assert!(matches!(plain.sample_as(class), Err(Error::Input(_))));
    let unresolved = conditional(None).model;
    let error = Vae::new(&gpu, &unresolved, images(1).shape, 1).err().unwrap();
    assert!(matches!(error, Error::Config { .. }), "{error}");
    let known = unresolved.with_classes(&labelled(5)).unwrap();
    assert!(Vae::new(&gpu, &known, images(1).shape, 1).is_ok());
}

#[test]
fn a_condition_is_a_name_or_a_table() {
    let model = |toml: &str| toml::from_str::<ModelConfig>(toml).unwrap().condition.unwrap();
    let named = |column: &str| Condition { column: column.into(), ..Condition::default() };
    assert_eq!(model("condition = 'label'"), named("label"));
    let table = model("condition = { column = 'kind', embedding = 8 }");
    assert_eq!(table, Condition { embedding: Some(8), ..named("kind") });
    // Of very many classes a message has the first.
    let classes = (0..1000).map(|class| class.to_string()).collect();
    let error = Condition { classes, ..named("label") }.indices(&labelled(3)).unwrap_err();
    assert!(error.to_string().ends_with(", 18, 19 and 980 more"), "{error}");
    let config = conditional(Some(2));
    assert_eq!(toml::from_str::<Config>(&config.to_toml()).unwrap(), config);
}
