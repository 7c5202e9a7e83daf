//! Helpers that the tests of normalizations share: values that share a mean and a variance, and the tensors
//! of a layer.

use vae_gpu::ops::activation::Activation;

use crate::check;
use crate::maps::dot;
use crate::matmul::oracle::{slope, value};

/// Whose gradients pass and stop, and one that makes something of zero.
pub const ACTIVATIONS: [Option<Activation>; 3] =
    [None, Some(Activation::Relu), Some(Activation::Sigmoid)];

const EPSILON: f64 = 1e-5;

/// Mean and biased variance.
pub fn moments(x: &[f64]) -> [f64; 2] {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    [mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64]
}

/// 1 / √(variance + ε)
pub fn rstd(variance: f64) -> f64 {
    (variance + EPSILON).sqrt().recip()
}

pub fn standardize(x: &[f64], [mean, variance]: [f64; 2]) -> Vec<f64> {
    x.iter().map(|x| (x - mean) * rstd(variance)).collect()
}

/// The gradient by x from that by what is standardized, step by step as Ioffe and Szegedy have it.
pub fn standardize_backward(x: &[f64], gradient: &[f64]) -> Vec<f64> {
    let [mean, variance] = moments(x);
    let rstd = rstd(variance);
    let count = x.len() as f64;
    let sum = |f: &dyn Fn(f64, f64) -> f64| -> f64 {
        x.iter().zip(gradient).map(|(&x, &g)| f(x - mean, g)).sum()
    };
    let by_variance = sum(&|apart, g| g * apart * -0.5 * rstd.powi(3));
    let by_mean = sum(&|apart, g| -g * rstd - 2.0 * by_variance * apart / count);
    let each =
        |(x, g): (&f64, &f64)| g * rstd + by_variance * 2.0 * (x - mean) / count + by_mean / count;
    x.iter().zip(gradient).map(each).collect()
}

/// A layer's tensors, rows and columns as they lie, and for each element the parameter it takes and
/// the set of values it is normalized with.
pub struct Case {
    pub shape: [usize; 2],
    pub sets: usize,
    pub parameters: usize,
    /// Set and parameter of the element at a row and column.
    place: Box<dyn Fn(usize, usize) -> [usize; 2]>,
    /// The largest magnitude of x.
    largest: f32,
    pub x: Vec<f32>,
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
    pub dy: Vec<f32>,
    /// The pre-activation that x came from.
    pub pre: Vec<f32>,
}

/// The values that a layer should compute, each with its tolerance.
pub struct Want {
    pub values: Vec<f64>,
    pub tolerances: Vec<f64>,
}

impl Want {
    pub fn assert(&self, what: &str, got: &[f32]) {
        check::assert_within(what, got, &self.values, &self.tolerances);
    }

    /// After an activation, whose slope is 1 at most.
    pub fn activated(&self, activation: Option<Activation>) -> Self {
        let values = self.values.iter().map(|&v| value(activation, v)).collect();
        let tolerances = self.tolerances.iter().map(|t| t + 1e-6).collect();
        Self { values, tolerances }
    }
}

impl Case {
    /// Values of about ±2 from `offset`.
    pub fn new(
        shape: [usize; 2],
        [sets, parameters]: [usize; 2],
        place: impl Fn(usize, usize) -> [usize; 2] + 'static,
        offset: f32,
    ) -> Self {
        let len = shape[0] * shape[1];
        Self {
            shape,
            sets,
            parameters,
            place: Box::new(place),
            largest: offset.abs() + 2.0,
            x: check::random(1, len, offset - 2.0..offset + 2.0),
            weight: check::random(2, parameters, 0.5..1.5),
            bias: check::random(3, parameters, -1.0..1.0),
            dy: check::random(4, len, -1.5..1.5),
            pre: check::random(5, len, -3.0..3.0),
        }
    }

    /// Set and parameter of every element.
    fn places(&self) -> Vec<[usize; 2]> {
        let [rows, columns] = self.shape;
        (0..rows).flat_map(|r| (0..columns).map(move |c| (self.place)(r, c))).collect()
    }

    /// The elements of each set, by their indices.
    fn members(&self) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.sets];
        for (i, [set, _]) in self.places().into_iter().enumerate() {
            members[set].push(i);
        }
        members
    }

    /// Mean and variance of every set.
    pub fn moments(&self) -> Vec<[f64; 2]> {
        self.moments_of(&check::wide(&self.x))
    }

    fn moments_of(&self, x: &[f64]) -> Vec<[f64; 2]> {
        let of = |set: &Vec<usize>| moments(&set.iter().map(|&i| x[i]).collect::<Vec<_>>());
        self.members().iter().map(of).collect()
    }

    /// x normalized with the given moments of every set.
    fn normalized(&self, x: &[f64], [weight, bias]: [&[f64]; 2], moments: &[[f64; 2]]) -> Vec<f64> {
        let each = |(&x, [set, parameter]): (&f64, [usize; 2])| {
            standardize(&[x], moments[set])[0] * weight[parameter] + bias[parameter]
        };
        x.iter().zip(self.places()).map(each).collect()
    }

    /// Panics unless what [`Case::backward`] has are the derivatives of what [`Case::forward`] has.
    pub fn assert_gradients(&self) {
        let [x, weight, bias, dy] =
            [&self.x, &self.weight, &self.bias, &self.dy].map(|values| check::wide(values));
        let loss = |x: &[f64], weight: &[f64], bias: &[f64]| {
            dot(&dy, &self.normalized(x, [weight, bias], &self.moments_of(x)))
        };
        let [dx, dweight, dbias] = self.backward(None).map(|want| want.values);
        check::assert_gradient("dx", |x| loss(x, &weight, &bias), &x, &dx);
        check::assert_gradient("dweight", |weight| loss(&x, weight, &bias), &weight, &dweight);
        check::assert_gradient("dbias", |bias| loss(&x, &weight, bias), &bias, &dbias);
    }

    /// By how much what is standardized may be wrong: some roundings, and one of a mean.
    fn slack(&self, variance: f64) -> f64 {
        2e-6 + 2e-7 * f64::from(self.largest) * rstd(variance)
    }

    /// Before the activation, with the given moments of every set.
    pub fn forward(&self, moments: &[[f64; 2]]) -> Want {
        let [x, weight, bias] = [&self.x, &self.weight, &self.bias].map(|v| check::wide(v));
        let tolerance = |(&x, [set, parameter]): (&f64, [usize; 2])| {
            let standard = standardize(&[x], moments[set])[0];
            self.slack(moments[set][1]) * weight[parameter] * (1.0 + standard.abs())
        };
        let tolerances = x.iter().zip(self.places()).map(tolerance).collect();
        Want { values: self.normalized(&x, [&weight, &bias], moments), tolerances }
    }

    /// dx with the slope of the activation at `pre`, dweight and dbias.
    pub fn backward(&self, activation: Option<Activation>) -> [Want; 3] {
        let places = self.places();
        let by_standard = |i: usize| f64::from(self.dy[i]) * f64::from(self.weight[places[i][1]]);
        let empty = |len| Want { values: vec![0.0; len], tolerances: vec![0.0; len] };
        let [mut dx, mut dweight, mut dbias] =
            [self.x.len(), self.parameters, self.parameters].map(empty);
        for set in self.members() {
            let x: Vec<_> = set.iter().map(|&i| f64::from(self.x[i])).collect();
            let gradient: Vec<_> = set.iter().map(|&i| by_standard(i)).collect();
            let moments = moments(&x);
            let standard = standardize(&x, moments);
            let slack = self.slack(moments[1]);
            for ((&i, by_x), standard) in
                set.iter().zip(standardize_backward(&x, &gradient)).zip(standard)
            {
                let (pre, dy) = (f64::from(self.pre[i]), f64::from(self.dy[i]));
                dx.values[i] = by_x * slope(activation, pre);
                dx.tolerances[i] = 5.0 * slack * rstd(moments[1]) * (1.0 + standard.abs());
                let parameter = places[i][1];
                dweight.values[parameter] += dy * standard;
                dbias.values[parameter] += dy;
                // Roundings of a sum, some this way, some that, and of its terms.
                dweight.tolerances[parameter] += slack * dy.abs() * (1.0 + standard.abs());
                dbias.tolerances[parameter] += 1e-6 * dy.abs();
            }
        }
        [dx, dweight, dbias]
    }
}

/// The shaders' number of an activation.
pub fn number(activation: Option<Activation>) -> u32 {
    activation.map_or(Activation::COUNT, |activation| activation as u32)
}
