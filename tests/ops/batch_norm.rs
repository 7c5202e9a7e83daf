use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::batch_norm;
use vae_gpu::ops::moments::Normalized;

use crate::check::{self, Guarded};
use crate::maps;
use crate::norms::{ACTIVATIONS, Case, number, rstd};

/// Rows and columns.
const SIZES: [[usize; 2]; 10] = [
    [1, 1],
    [1, 63],
    [2, 5],
    [3, 1757],
    [63, 257],
    [257, 3],
    [1757, 1],
    // in fours
    [128, 400],
    [6272, 32],
    [20_000, 4],
];

/// Each column is a set of its own.
fn case(shape: [usize; 2], offset: f32) -> Case {
    Case::new(shape, [shape[1]; 2], |_, column| [column; 2], offset)
}

#[test]
fn oracle_is_the_gradient() {
    [[7, 5], [2, 3]].into_iter().for_each(|shape| case(shape, 0.0).assert_gradients());
}

/// The running mean and variance before, of (columns).
fn running(columns: usize) -> [Vec<f32>; 2] {
    [check::random(6, columns, -1.0..1.0), check::random(7, columns, 0.5..2.0)]
}

/// And after, if the variances are kept where there is but one row.
fn assert_running(what: &str, case: &Case, got: [Vec<f32>; 2]) {
    let [rows, columns] = case.shape;
    let before = running(columns).map(|values| check::wide(&values));
    let moments = case.moments();
    let step = |before: f64, new: f64| 0.9 * before + 0.1 * new;
    let means: Vec<_> = before[0].iter().zip(&moments).map(|(b, m)| step(*b, m[0])).collect();
    let unbiased = |variance: f64| variance * rows as f64 / (rows as f64 - 1.0);
    let variances = before[1].iter().zip(&moments);
    let variances = variances.map(|(b, m)| if rows > 1 { step(*b, unbiased(m[1])) } else { *b });
    check::assert_each(&format!("{what}: running mean"), &got[0], &means, 1e-6, 1e-6);
    let tolerance = if rows > 1 { 1e-5 } else { 0.0 };
    let variances: Vec<_> = variances.collect();
    check::assert_each(&format!("{what}: running variance"), &got[1], &variances, tolerance, 0.0);
}

fn assert_moments(what: &str, case: &Case, got: &[f32]) {
    let columns = case.shape[1];
    let moments = case.moments();
    let means: Vec<_> = moments.iter().map(|m| m[0]).collect();
    let rstds: Vec<_> = moments.iter().map(|m| rstd(m[1])).collect();
    // By the deviation: an outlier has no more digits than it has.
    let tolerances = moments.iter().map(|m| 2e-7 * m[0].abs() + 1e-6 / rstd(m[1]));
    let tolerances: Vec<_> = tolerances.collect();
    check::assert_within(&format!("{what}: means"), &got[..columns], &means, &tolerances);
    let scales = &got[columns..2 * columns];
    check::assert_each(&format!("{what}: 1 / deviations"), scales, &rstds, 1e-5, 0.0);
}

fn assert_forward(gpu: &Gpu, case: &Case) {
    let columns = case.shape[1];
    for activation in ACTIVATIONS {
        let what = format!("{:?}, {activation:?}", case.shape);
        let x = check::input(gpu, &case.shape, &case.x);
        let [weight, bias] = [&case.weight, &case.bias].map(|p| check::input(gpu, &[columns], p));
        let kept = running(columns).map(|values| Guarded::new(gpu, &[columns]).fill(gpu, &values));
        let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &case.shape));
        let mut recording = Recording::new(gpu.report());
        let moments = batch_norm::forward(
            &mut recording,
            "test",
            &x,
            [&weight, &bias],
            [&kept[0].tensor, &kept[1].tensor],
            activation,
            [&pre.tensor, &y.tensor],
        );
        recording.compile(gpu).run();
        assert_moments(&what, case, &moments.read(gpu).unwrap());
        assert_running(&what, case, kept.map(|kept| kept.floats(gpu)));
        let want = case.forward(&case.moments());
        want.assert(&format!("{what}: pre"), &pre.floats(gpu));
        want.activated(activation).assert(&format!("{what}: y"), &y.floats(gpu));
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.into_iter().for_each(|shape| assert_forward(gpu, &case(shape, 0.0)));
}

/// Of squares of 1e6 the variance, 4/3, would be but noise.
#[test]
fn a_mean_far_from_zero_costs_no_variance() {
    let Some(gpu) = check::gpu() else { return };
    for shape in [[63, 5], [6272, 32]] {
        let case = case(shape, 1000.0);
        assert_forward(gpu, &case);
        assert_backward(gpu, &case);
    }
}

/// A column whose first value is the odd one out, and one of equal values.
#[test]
fn outliers_and_constants() {
    let Some(gpu) = check::gpu() else { return };
    let mut case = case([1757, 2], 0.0);
    case.x[0] = 1e4;
    case.x.iter_mut().skip(1).step_by(2).for_each(|x| *x = 0.3);
    assert_forward(gpu, &case);
}

#[test]
pub fn evaluate() {
    let Some(gpu) = check::gpu() else { return };
    for (shape, activation) in SIZES.into_iter().flat_map(|s| ACTIVATIONS.map(|a| (s, a))) {
        let (case, columns) = (case(shape, 0.0), shape[1]);
        let what = format!("{shape:?}, {activation:?}");
        let x = check::input(gpu, &shape, &case.x);
        let vector = |values: &Vec<f32>| check::input(gpu, &[columns], values);
        let [weight, bias] = [&case.weight, &case.bias].map(vector);
        let running = running(columns);
        let [mean, variance] = running.each_ref().map(vector);
        let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &shape));
        check::run(gpu, |recording| {
            let (parameters, running) = ([&weight, &bias], [&mean, &variance]);
            let both = [&pre.tensor, &y.tensor];
            batch_norm::evaluate(recording, "test", &x, parameters, running, activation, both);
        });
        let moments = running[0].iter().zip(&running[1]).map(|(&m, &v)| [m.into(), v.into()]);
        let want = case.forward(&moments.collect::<Vec<_>>());
        want.assert(&format!("{what}: pre"), &pre.floats(gpu));
        want.activated(activation).assert(&format!("{what}: y"), &y.floats(gpu));
    }
}

fn assert_backward(gpu: &Gpu, case: &Case) {
    let columns = case.shape[1];
    for activation in ACTIVATIONS {
        let what = format!("{:?}, {activation:?}", case.shape);
        let mut recording = Recording::new(gpu.report());
        let matrix = |values: &Vec<f32>| check::input(gpu, &case.shape, values);
        let [x, dy, pre] = [&case.x, &case.dy, &case.pre].map(matrix);
        // Without an activation there is nothing before it but x.
        let pre = if activation.is_some() { &pre } else { &x };
        let [weight, bias] = [&case.weight, &case.bias].map(|p| check::input(gpu, &[columns], p));
        let [mean, variance] =
            running(columns).map(|values| check::input(gpu, &[columns], &values));
        let unused = [(); 2].map(|()| recording.matrix(&case.shape));
        let dx = Guarded::new(gpu, &case.shape);
        let [dweight, dbias] = [(); 2].map(|()| Guarded::new(gpu, &[columns]));
        let parameters = [&weight, &bias];
        let (running, unused) = ([&mean, &variance], unused.each_ref());
        let moments =
            batch_norm::forward(&mut recording, "test", &x, parameters, running, None, unused);
        let forward = Normalized { x: &x, weight: &weight, moments: &moments };
        batch_norm::backward(
            &mut recording,
            "test",
            &dy,
            forward,
            &maps::origin(activation, pre),
            [&dweight.tensor, &dbias.tensor],
            &dx.tensor,
        );
        recording.compile(gpu).run();
        let want = case.backward(activation);
        for (want, (name, got)) in
            want.iter().zip([("dx", dx), ("dweight", dweight), ("dbias", dbias)])
        {
            want.assert(&format!("{what}: {name}"), &got.floats(gpu));
        }
    }
}

#[test]
pub fn backward() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.into_iter().for_each(|shape| assert_backward(gpu, &case(shape, 0.0)));
}

/// How other adapters cut the work, with workgroups to spare and poison behind the last row.
#[test]
pub fn in_chunks() {
    let Some(gpu) = check::gpu() else { return };
    for (invocations, across, chunk_rows) in
        [(8, 8, 20), (8, 1, 24), (64, 2, 32), (64, 8, 100), (256, 4, 64), (256, 8, 32)]
    {
        for shape in [[83, 13], [97, 44], [1, 3]] {
            assert_cut(gpu, shape, invocations, across, chunk_rows);
        }
    }
}

fn assert_cut(gpu: &Gpu, shape: [usize; 2], invocations: u32, across: usize, chunk_rows: usize) {
    let activation = Some(Activation::Sigmoid);
    let what =
        format!("{shape:?} by {invocations} invocations, {across} across, {chunk_rows} rows");
    let (case, [rows, columns]) = (case(shape, 0.0), shape);
    let (quads, chunks) = (columns.div_ceil(4), rows.div_ceil(chunk_rows));
    let units = quads.div_ceil(across);
    let params = json!({
        "rows": rows, "columns": columns, "quads": quads, "across": across,
        "chunks": chunks, "chunk_rows": chunk_rows, "units": units,
    });
    let matrix = |values: &Vec<f32>| check::roomy_input(gpu, &shape, values);
    let [x, dy, pre_of_x] = [&case.x, &case.dy, &case.pre].map(matrix);
    let [weight, bias] = [&case.weight, &case.bias].map(|p| check::roomy_input(gpu, &[columns], p));
    let kept = running(columns).map(|values| Guarded::roomy(gpu, &[columns]).fill(gpu, &values));
    let moments = Guarded::roomy(gpu, &[2 + 2 * chunks, columns]);
    let [pre, y, dx] = [(); 3].map(|()| Guarded::roomy(gpu, &shape));
    let [dweight, dbias] = [(); 2].map(|()| Guarded::roomy(gpu, &[columns]));
    let constants = [("INVOCATIONS", invocations), ("ACTIVATION", number(activation))];
    let groups = units * chunks + 3;
    let everything = [
        ("x", &x),
        ("dy", &dy),
        ("weight", &weight),
        ("bias", &bias),
        ("moments", &moments.tensor),
        ("running_mean", &kept[0].tensor),
        ("running_var", &kept[1].tensor),
        ("y", &y.tensor),
        ("dx", &dx.tensor),
        ("dweight", &dweight.tensor),
        ("dbias", &dbias.tensor),
    ];
    let mut recording = Recording::new(gpu.report());
    let mut record = |entry: &str, names: &[&str], pre: &[(&'static str, _)]| {
        let named = everything.iter().filter(|(name, _)| names.contains(name)).copied();
        let tensors: Vec<_> = named.chain(pre.iter().copied()).collect();
        let kernel = batch_norm::SHADER.kernel(entry, &constants);
        recording.record_flat(kernel, "test", &params, &tensors, groups);
    };
    record("statistics", &["x", "moments"], &[]);
    let names = ["x", "weight", "bias", "moments", "running_mean", "running_var", "y"];
    record("forward", &names, &[("pre", &pre.tensor)]);
    record("backward_sums", &["x", "moments", "dy"], &[]);
    let names = ["x", "weight", "moments", "dy", "dx", "dweight", "dbias"];
    record("backward", &names, &[("pre", &pre_of_x)]);
    recording.compile(gpu).run();

    assert_moments(&what, &case, &moments.floats(gpu));
    assert_running(&what, &case, kept.map(|kept| kept.floats(gpu)));
    let want = case.forward(&case.moments());
    want.assert(&format!("{what}: pre"), &pre.floats(gpu));
    want.activated(activation).assert(&format!("{what}: y"), &y.floats(gpu));
    let results = [("dx", dx), ("dweight", dweight), ("dbias", dbias)];
    for (want, (name, got)) in case.backward(activation).iter().zip(results) {
        want.assert(&format!("{what}: {name}"), &got.floats(gpu));
    }
}
