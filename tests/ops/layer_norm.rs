use serde_json::json;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::moments::Normalized;
use vae_gpu::ops::{Extent, layer_norm};

use crate::check::{self, Guarded};
use crate::maps;
use crate::norms::{ACTIVATIONS, Case, number, rstd};

/// Batch, height, width and channels; features are maps of 1 × 1.
const SIZES: [[usize; 4]; 12] = [
    [1, 1, 1, 1],
    [3, 1, 1, 5],
    [63, 1, 1, 257],
    [1, 1, 1, 1757],
    [257, 1, 1, 3],
    [5, 3, 5, 1],
    [2, 7, 3, 3],
    [3, 5, 7, 5],
    [1, 57, 31, 3],
    // in fours
    [128, 1, 1, 400],
    [9, 4, 4, 64],
    [2, 32, 31, 32],
];

/// Each image is a set of its own, each of its values has its parameters.
fn case([batch, height, width, channels]: [usize; 4], offset: f32) -> Case {
    let rows = height * width;
    let place = move |row: usize, column| [row / rows, row % rows * channels + column];
    Case::new([batch * rows, channels], [batch, rows * channels], place, offset)
}

#[test]
fn oracle_is_the_gradient() {
    [[3, 1, 1, 5], [2, 2, 3, 3]].into_iter().for_each(|size| case(size, 0.0).assert_gradients());
}

fn extent([_, height, width, _]: [usize; 4]) -> Extent {
    Extent { height, width }
}

/// Shape of the parameters: features' are vectors.
fn parameters([_, height, width, channels]: [usize; 4]) -> Vec<usize> {
    if height * width > 1 { vec![height * width, channels] } else { vec![channels] }
}

/// Those of the images begin every row.
fn assert_moments(what: &str, case: &Case, got: &[f32]) {
    let rows: Vec<_> = got.chunks(got.len() / case.sets).collect();
    let column = |i: usize| rows.iter().map(|row| row[i]).collect::<Vec<_>>();
    let moments = case.moments();
    let means: Vec<_> = moments.iter().map(|m| m[0]).collect();
    let rstds: Vec<_> = moments.iter().map(|m| rstd(m[1])).collect();
    check::assert_each(&format!("{what}: means"), &column(0), &means, 2e-7, 1e-6);
    check::assert_each(&format!("{what}: 1 / deviations"), &column(1), &rstds, 1e-5, 0.0);
}

fn assert_forward(gpu: &Gpu, size: [usize; 4], case: &Case) {
    for activation in ACTIVATIONS {
        let what = format!("{size:?}, {activation:?}");
        let x = check::input(gpu, &case.shape, &case.x);
        let parameters = parameters(size);
        let [weight, bias] = [&case.weight, &case.bias].map(|p| check::input(gpu, &parameters, p));
        let [pre, y] = [(); 2].map(|()| Guarded::new(gpu, &case.shape));
        let mut recording = Recording::new(gpu.report());
        let (both, extent) = ([&weight, &bias], extent(size));
        let moments = layer_norm::forward(
            &mut recording,
            "test",
            extent,
            &x,
            both,
            activation,
            [&pre.tensor, &y.tensor],
        );
        recording.compile(gpu).run();
        assert_moments(&what, case, &moments.read(gpu).unwrap());
        let want = case.forward(&case.moments());
        want.assert(&format!("{what}: pre"), &pre.floats(gpu));
        want.activated(activation).assert(&format!("{what}: y"), &y.floats(gpu));
    }
}

#[test]
pub fn forward() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.into_iter().for_each(|size| assert_forward(gpu, size, &case(size, 0.0)));
}

/// Images of more values than llvmpipe lets a loop go through, and enough of them for one chunk each.
#[test]
fn the_last_of_very_many_values_count() {
    let Some(gpu) = check::gpu() else { return };
    let (batch, rows, channels) = (17, 1089, 1024);
    let mut recording = Recording::new(gpu.report());
    let [x, pre, y] = [(); 3].map(|()| recording.matrix(&[batch * rows, channels]));
    let [weight, bias] = [(); 2].map(|()| Tensor::matrix("test", &[rows, channels]));
    let (extent, both) = (Extent { height: 33, width: 33 }, [&weight, &bias]);
    let moments = layer_norm::forward(&mut recording, "test", extent, &x, both, None, [&pre, &y]);
    let plan = recording.compile(gpu);
    // Zeros, but ones in the last pixel.
    let image = [vec![0.0f32; (rows - 1) * channels], vec![1.0; channels]].concat();
    x.write(gpu, &image.repeat(batch));
    weight.write(gpu, &vec![1.0f32; rows * channels]);
    plan.run();
    let share = 1.0 / rows as f64;
    let want = [share, rstd(share - share * share)];
    let moments = moments.read::<f32>(gpu).unwrap();
    let y = y.read::<f32>(gpu).unwrap();
    for (row, y) in moments.chunks(moments.len() / batch).zip(y.chunks(image.len())) {
        check::assert_each("mean and 1 / deviation", &row[..2], &want, 1e-5, 0.0);
        let last = [y[image.len() - channels], y[image.len() - 1]];
        check::assert_each("the last pixel", &last, &[(1.0 - want[0]) * want[1]; 2], 1e-5, 0.0);
    }
}

/// Of squares of 1e6 the variance, 4/3, would be but noise.
#[test]
fn a_mean_far_from_zero_costs_no_variance() {
    let Some(gpu) = check::gpu() else { return };
    for size in [[3, 1, 1, 257], [1, 57, 31, 3]] {
        let case = case(size, 1000.0);
        assert_forward(gpu, size, &case);
        assert_backward_input(gpu, size, &case);
    }
}

/// A recording of the forward step, x, weight, and what it leaves for the way back.
fn recorded(gpu: &Gpu, size: [usize; 4], case: &Case) -> (Recording, [Tensor; 3]) {
    let mut recording = Recording::new(gpu.report());
    let x = check::input(gpu, &case.shape, &case.x);
    let parameters = parameters(size);
    let [weight, bias] = [&case.weight, &case.bias].map(|p| check::input(gpu, &parameters, p));
    let unused = [(); 2].map(|()| recording.matrix(&case.shape));
    let (both, unused) = ([&weight, &bias], unused.each_ref());
    let moments = layer_norm::forward(&mut recording, "test", extent(size), &x, both, None, unused);
    (recording, [x, weight, moments])
}

fn assert_backward_input(gpu: &Gpu, size: [usize; 4], case: &Case) {
    for activation in ACTIVATIONS {
        let (mut recording, [x, weight, moments]) = recorded(gpu, size, case);
        let [dy, pre] = [&case.dy, &case.pre].map(|v| check::input(gpu, &case.shape, v));
        // Without an activation there is nothing before it but x.
        let pre = if activation.is_some() { &pre } else { &x };
        let dx = Guarded::new(gpu, &case.shape);
        let forward = Normalized { x: &x, weight: &weight, moments: &moments };
        layer_norm::backward_input(
            &mut recording,
            "test",
            extent(size),
            &dy,
            forward,
            &maps::origin(activation, pre),
            &dx.tensor,
        );
        recording.compile(gpu).run();
        let [want, ..] = case.backward(activation);
        want.assert(&format!("{size:?}, {activation:?}: dx"), &dx.floats(gpu));
    }
}

#[test]
pub fn backward_input() {
    let Some(gpu) = check::gpu() else { return };
    SIZES.into_iter().for_each(|size| assert_backward_input(gpu, size, &case(size, 0.0)));
}

#[test]
pub fn backward_weight() {
    let Some(gpu) = check::gpu() else { return };
    for size in SIZES {
        let case = case(size, 0.0);
        let (mut recording, [x, weight, moments]) = recorded(gpu, size, &case);
        let forward = Normalized { x: &x, weight: &weight, moments: &moments };
        let dy = check::input(gpu, &case.shape, &case.dy);
        let gradients = [(); 2].map(|()| Guarded::new(gpu, &parameters(size)));
        let [dweight, dbias] = gradients.each_ref().map(|guarded| &guarded.tensor);
        let extent = extent(size);
        layer_norm::backward_weight(&mut recording, "test", extent, &dy, forward, [dweight, dbias]);
        recording.compile(gpu).run();
        let [_, dweight, dbias] = case.backward(None);
        dweight.assert(&format!("{size:?}: dweight"), &gradients[0].floats(gpu));
        dbias.assert(&format!("{size:?}: dbias"), &gradients[1].floats(gpu));
    }
}

/// How other adapters cut the work, with workgroups to spare and poison behind the last row.
#[test]
pub fn in_chunks() {
    let Some(gpu) = check::gpu() else { return };
    for (invocations, across, chunk_rows) in
        [(8, 8, 20), (8, 1, 24), (64, 2, 32), (64, 8, 100), (256, 4, 64), (256, 8, 32)]
    {
        for size in [[3, 1, 83, 13], [2, 97, 1, 44], [5, 1, 1, 3]] {
            assert_cut(gpu, size, invocations, across, chunk_rows);
        }
    }
}

fn assert_cut(gpu: &Gpu, size: [usize; 4], invocations: u32, across: usize, chunk_rows: usize) {
    let activation = Some(Activation::Sigmoid);
    let what = format!("{size:?} by {invocations} invocations, {across} across, {chunk_rows} rows");
    let (case, [batch, height, width, columns]) = (case(size, 0.0), size);
    let rows = height * width;
    let (quads, chunks) = (columns.div_ceil(4), rows.div_ceil(chunk_rows));
    let params = json!({
        "rows": rows, "columns": columns, "quads": quads, "across": across,
        "chunks": chunks, "chunk_rows": chunk_rows, "units": batch,
    });
    let matrix = |values: &Vec<f32>| check::roomy_input(gpu, &case.shape, values);
    let [x, dy, pre_of_x] = [&case.x, &case.dy, &case.pre].map(matrix);
    let parameters = parameters(size);
    let [weight, bias] =
        [&case.weight, &case.bias].map(|p| check::roomy_input(gpu, &parameters, p));
    let moments = Guarded::roomy(gpu, &[batch, 4 + 4 * chunks]);
    let [pre, y, dx] = [(); 3].map(|()| Guarded::roomy(gpu, &case.shape));
    let [dweight, dbias] = [(); 2].map(|()| Guarded::roomy(gpu, &parameters));
    let constants = [("INVOCATIONS", invocations), ("ACTIVATION", number(activation))];
    let everything = [
        ("x", &x),
        ("dy", &dy),
        ("weight", &weight),
        ("bias", &bias),
        ("moments", &moments.tensor),
        ("y", &y.tensor),
        ("dx", &dx.tensor),
        ("dweight", &dweight.tensor),
        ("dbias", &dbias.tensor),
    ];
    let mut recording = Recording::new(gpu.report());
    let mut record = |entry: &str, names: &[&str], pre: &[(&'static str, _)], groups| {
        let named = everything.iter().filter(|(name, _)| names.contains(name)).copied();
        let tensors: Vec<_> = named.chain(pre.iter().copied()).collect();
        let kernel = layer_norm::SHADER.kernel(entry, &constants);
        recording.record_flat(kernel, "test", &params, &tensors, groups + 3);
    };
    let groups = batch * chunks;
    record("statistics", &["x", "moments"], &[], groups);
    let names = ["x", "weight", "bias", "moments", "y"];
    record("forward", &names, &[("pre", &pre.tensor)], groups);
    record("backward_sums", &["x", "weight", "moments", "dy"], &[], groups);
    let names = ["x", "weight", "moments", "dy", "dx"];
    record("backward_input", &names, &[("pre", &pre_of_x)], groups);
    let names = ["x", "moments", "dy", "dweight", "dbias"];
    record("backward_weight", &names, &[], (rows * quads).div_ceil(across));
    recording.compile(gpu).run();

    assert_moments(&what, &case, &moments.floats(gpu));
    let want = case.forward(&case.moments());
    want.assert(&format!("{what}: pre"), &pre.floats(gpu));
    want.activated(activation).assert(&format!("{what}: y"), &y.floats(gpu));
    let results = [("dx", dx), ("dweight", dweight), ("dbias", dbias)];
    for (want, (name, got)) in case.backward(activation).iter().zip(results) {
        want.assert(&format!("{what}: {name}"), &got.floats(gpu));
    }
}
