//! Several samples of each row, and values side by side.

use super::*;

const SAMPLES: usize = 3;

/// The bound of several samples a row, which read the one row of what they are drawn around and of what
/// they are compared with.
#[test]
fn samples_of_a_row_meet_in_a_bound() {
    let Some(gpu) = common::gpu() else { return };
    let noise: Vec<f32> =
        (0..SAMPLES * ROWS * SIZE).map(|i| ((i * 37 + 11) % 97) as f32 / 97.0).collect();
    let on_noise = Tensor::matrix("noise", &[SAMPLES * ROWS, SIZE]);
    on_noise.write(&gpu, &noise);
    let tanh = layer(Some(Activation::Tanh));
    let weight = 1.0 / ROWS as f32;
    let model = |graph: &mut Graph, x: ValueId| {
        let h = tanh.apply(graph, "a", &[x]);
        let noise = graph.input(Shape::Features(SIZE), SAMPLES * ROWS, on_noise.clone());
        let z = graph.map("z", &PRODUCT, &[], &[h.into(), noise.into()]);
        let y = tanh.apply(graph, "b", &[z]);
        let nats = graph.row_sums("y", &SQUARED_ERROR, &[], &[y.into(), x.into()]);
        let weights = graph.allocate(Shape::Features(1), SAMPLES * ROWS);
        let bound = graph.log_mean_exp("bound", nats, SAMPLES, &weights);
        vec![(bound, weight)]
    };
    let noise = oracle::matrix(&noise, SIZE);
    let times = |rows: &Matrix| -> Matrix {
        rows.iter().flat_map(|row| std::iter::repeat_n(row.clone(), SAMPLES)).collect()
    };
    check(&gpu, "samples", &["a", "b"], model, |x, values| {
        let mut z = times(&oracle::linear(x, values, 0, f64::tanh));
        for (row, noise) in z.iter_mut().zip(&noise) {
            row.iter_mut().zip(noise).for_each(|(z, noise)| *z *= noise);
        }
        let y = oracle::linear(&z, values, 1, f64::tanh);
        let nats = oracle::squared_errors(&y, &times(x));
        let bound = |nats: &[f64]| {
            let sum: f64 = nats.iter().map(|nats| (-nats).exp()).sum();
            -(sum / SAMPLES as f64).ln()
        };
        f64::from(weight) * nats.chunks(SAMPLES).map(bound).sum::<f64>()
    });
}

/// Features beside features, and beside the channels of maps, where they go for all places.
#[test]
fn what_lies_side_by_side_gets_its_own_gradient() {
    let Some(gpu) = common::gpu() else { return };
    let tanh = layer(Some(Activation::Tanh));
    let model = |graph: &mut Graph, x: ValueId| {
        let h = tanh.apply(graph, "a", &[x]);
        let both = graph.concat("both", h, x);
        let product = [2..7, 1..6].map(|columns| Argument::Columns(both, columns));
        let product = graph.map("product", &PRODUCT, &[], &product);
        vec![(product, 0.5)]
    };
    check(&gpu, "features", &["a"], model, |x, values| {
        let h = oracle::linear(x, values, 0, f64::tanh);
        let both = h.iter().zip(x).map(|(h, x)| [&h[..], x].concat());
        let product =
            |both: Vec<f64>| both[2..7].iter().zip(&both[1..6]).map(|(a, b)| a * b).sum::<f64>();
        0.5 * both.map(product).sum::<f64>()
    });

    let wide = Linear { inputs: SIZE, outputs: 8, activation: None };
    let specs = wide.parameters().into_iter().map(|spec| spec.within("a"));
    let model = |graph: &mut Graph, x: ValueId| {
        let h = wide.apply(graph, "a", &[x]);
        // Two channels of four places, and the five values of x as five more.
        let map = reshape(graph, h, Shape::map(2, 2, 2));
        let both = graph.concat("both", map, x);
        let product = [1..6, 2..7].map(|channels| Argument::Columns(both, channels));
        vec![(graph.row_sums("product", &PRODUCT, &[], &product), 0.5)]
    };
    check_specs(&gpu, "maps", specs, model, |x, values| {
        let h = oracle::linear(x, values, 0, oracle::identity);
        let mut sum = 0.0;
        for (h, x) in h.iter().zip(x) {
            for place in 0..4 {
                let both = [&[h[place], h[4 + place]][..], x].concat();
                sum += (0..5).map(|i| both[1 + i] * both[2 + i]).sum::<f64>();
            }
        }
        0.5 * sum
    });
}

/// The factors reach what lies before, not what is beside.
#[test]
fn a_gradient_is_scaled_row_by_row() {
    let Some(gpu) = common::gpu() else { return };
    let tanh = layer(Some(Activation::Tanh));
    let factors: Vec<f32> = (0..ROWS).map(|row| row as f32 / 40.0 - 0.5).collect();
    let on_factors = Tensor::matrix("factors", &[ROWS, 1]);
    on_factors.write(&gpu, &factors);
    let model = |graph: &mut Graph, x: ValueId| {
        let h = tanh.apply(graph, "a", &[x]);
        let scaled = graph.scale_gradient("scaled", h, on_factors.clone());
        vec![(tanh.apply(graph, "b", &[scaled]), 1.0)]
    };
    let all = parameters(&gpu, &["a", "b"]);
    let values: Values =
        all.read(&gpu).unwrap().iter().map(|values| oracle::wide(values)).collect();
    let (gradient, _) = gradients(&gpu, &all, model);
    let x = oracle::matrix(&inputs(), SIZE);
    let h = oracle::linear(&x, &values, 0, f64::tanh);
    // Of b, the plain gradient; of a, that of the rows' sum with factors.
    let mut want =
        oracle::differences(&values, |values| total(&oracle::linear(&h, values, 1, f64::tanh)));
    let of_a = oracle::differences(&values[..2].to_vec(), |a| {
        let h = oracle::linear(&x, a, 0, f64::tanh);
        let y = oracle::linear(&h, &values[2..].to_vec(), 0, f64::tanh);
        let rows = y.iter().zip(&factors);
        rows.map(|(y, factor)| f64::from(*factor) * y.iter().sum::<f64>()).sum()
    });
    want.splice(..2, of_a);
    oracle::assert_close("scaled", &gradient, &want);
}
