use vae_gpu::gpu::Gpu;
use vae_gpu::ops::likelihood::{
    Likelihood::{self, *},
    Scale::Learnt,
};
use vae_gpu::ops::{State, Stream, loss};

use super::{ALL, SIZES, oracle, upload_scale};
use crate::check::{self, Guarded};
use crate::noise::{SEED, normals};
use crate::threefry::threefry;

fn run(
    gpu: &Gpu,
    (likelihood, log_scale): (Likelihood, f64),
    (seed, step): (u64, u32),
    shape: [usize; 2],
    outputs: &[f32],
) -> Vec<f32> {
    let state = State::tensor("state");
    State { step, epoch: 77, row: 88, ..State::default() }.write(gpu, &state);
    let output = check::input(gpu, &shape, outputs);
    let log_scale = upload_scale(gpu, likelihood, log_scale);
    let drawn = Guarded::new(gpu, &shape);
    check::run(gpu, |recording| {
        let scale = log_scale.as_ref();
        loss::draw(recording, "test", likelihood, seed, &state, &output, scale, &drawn.tensor);
    });
    drawn.floats(gpu)
}

/// The four random words of every quad of a padded matrix, those of the padding left out.
fn words((seed, step): (u64, u32), [rows, columns]: [usize; 2]) -> Vec<([u32; 4], usize)> {
    let key = [seed as u32, (seed >> 32) as u32, 0, Stream::Pixels as u32];
    let quads = columns.div_ceil(4);
    let places = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
    let draw = |(row, column)| {
        let quad = (row * quads + column / 4) as u32;
        (threefry([quad, step, 0, 0], key), column % 4)
    };
    places.map(draw).collect()
}

/// The draw of the words by the definitions; none for a Bernoulli pixel that a rounding decides.
fn twin(
    (likelihood, log_scale): (Likelihood, f64),
    output: f64,
    words: [u32; 4],
    i: usize,
) -> Option<f64> {
    let u = (f64::from(words[i] >> 9) + 0.5) / f64::from(1 << 23);
    Some(match likelihood {
        Bernoulli => {
            let p = oracle::logistic(output);
            return ((u - p).abs() > 1e-6).then_some(f64::from(u8::from(u < p)));
        }
        ContinuousBernoulli => oracle::continuous_quantile(output, u),
        SquaredError | Gaussian(_) => {
            output + oracle::spread(likelihood, log_scale) * normals(words)[i]
        }
        Laplace(_) => {
            let distance = -u.ln() * oracle::spread(likelihood, log_scale);
            if words[i] % 2 == 1 { output - distance } else { output + distance }
        }
    })
}

#[test]
pub fn draw() {
    let Some(gpu) = check::gpu() else { return };
    for case @ (likelihood, log_scale) in ALL {
        for (i, [rows, columns, _]) in SIZES.into_iter().take(7).enumerate() {
            let range = [1.0f32, 4.0, 100.0][i % 3];
            let outputs = check::random(6, rows * columns, -range..range);
            let keys = (SEED, i as u32);
            let got = run(gpu, case, keys, [rows, columns], &outputs);
            let words = words(keys, [rows, columns]);
            let mut decided = 0;
            for ((&got, &output), (words, i)) in got.iter().zip(&outputs).zip(words) {
                let Some(want) = twin(case, output.into(), words, i) else { continue };
                let what = format!("{likelihood:?} of {output}");
                // A normal may be 1e-3 off, where its radius is of a logarithm near 1; otherwise
                // such a logarithm is 2^-21 off.
                let normal = matches!(likelihood, SquaredError | Gaussian(_));
                let unit = if normal { 1e-3 } else { 1e-6 };
                let scale = match likelihood {
                    Bernoulli | ContinuousBernoulli => 1.0,
                    _ => oracle::spread(likelihood, log_scale),
                };
                check::assert_each(&what, &[got], &[want], 1e-6, unit * scale);
                decided += 1;
            }
            assert!(decided + 2 >= got.len(), "{likelihood:?}: {decided} of {}", got.len());
        }
    }
}

/// Of a hundred thousand draws at one output, within four standard errors.
#[test]
fn moments_are_the_likelihoods() {
    let Some(gpu) = check::gpu() else { return };
    let shape = [991, 101];
    let n = (shape[0] * shape[1]) as f64;
    for case @ (likelihood, log_scale) in ALL {
        for output in [-7.5f32, -1.0, 0.0, 0.01, 0.7, 3.0] {
            let outputs = vec![output; shape[0] * shape[1]];
            let drawn = check::wide(&run(gpu, case, (SEED, 9), shape, &outputs));
            let mean = oracle::mean(likelihood, output.into());
            let variance = oracle::variance(likelihood, log_scale, output.into());
            let moment = |power| drawn.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
            let what = format!("{likelihood:?} of {output}");
            let error = moment(1) / (variance / n).sqrt();
            assert!(error.abs() < 4.0, "{what}: the mean is {error} standard errors off");
            // The square has no variance where black and white are as likely.
            let of_square = (moment(4) - moment(2).powi(2)).max(1e-12);
            let error = (moment(2) - variance) / (of_square / n).sqrt();
            assert!(error.abs() < 4.0, "{what}: the variance is {error} standard errors off");
        }
    }
}

#[test]
fn draws_are_of_seed_and_step() {
    let Some(gpu) = check::gpu() else { return };
    let outputs = vec![0.5; 1000];
    for case in [(ContinuousBernoulli, 0.0), (Gaussian(Learnt), -1.0), (Laplace(Learnt), -1.0)] {
        let all = [(1, 0), (2, 0), (1 << 32, 0), (1, 1), (1, 1 << 31)]
            .map(|keys| run(gpu, case, keys, [10, 100], &outputs));
        for a in 0..all.len() {
            for b in 0..a {
                let equal = all[a].iter().zip(&all[b]).filter(|(a, b)| a == b).count();
                assert!(equal < 3, "{case:?}: {equal} equal in {a} and {b}");
            }
        }
        assert_eq!(run(gpu, case, (1, 0), [10, 100], &outputs), all[0], "the same again");
        assert_eq!(run(gpu, case, (1, 0), [3, 100], &outputs[..300]), all[0][..300], "fewer rows");
    }
}

/// Certain pixels are drawn as they are, and none lies outside.
#[test]
fn draws_keep_to_their_range() {
    let Some(gpu) = check::gpu() else { return };
    for size in [0.0f32, 1e-30, 1e-7, 1e-6, 1e-3, 2.0, 30.0, 100.0, 1e4] {
        let outputs = [[size; 2], [-size; 2]].concat().repeat(500);
        let drawn = run(gpu, (ContinuousBernoulli, 0.0), (SEED, 1), [500, 4], &outputs);
        assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)), "logits ±{size}");
        if size >= 100.0 {
            let drawn = run(gpu, (Bernoulli, 0.0), (SEED, 1), [500, 4], &outputs);
            assert_eq!(drawn, [1.0, 1.0, 0.0, 0.0].repeat(500));
        }
    }
}
