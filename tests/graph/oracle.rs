//! The same models in f64, and gradients by central differences.

/// Rows of values.
pub type Matrix = Vec<Vec<f64>>;

/// Parameters in a layout's order: of each linear layer the weight (outputs, inputs), then the bias.
pub type Values = Vec<Vec<f64>>;

pub fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

pub fn matrix(values: &[f32], columns: usize) -> Matrix {
    values.chunks(columns).map(wide).collect()
}

/// f(x Wᵀ + b) by the layer that is number `layer` of `values`.
pub fn linear(x: &Matrix, values: &Values, layer: usize, f: fn(f64) -> f64) -> Matrix {
    let (weight, bias) = (&values[2 * layer], &values[2 * layer + 1]);
    let row = |x: &Vec<f64>| {
        let output = |(weights, bias): (&[f64], &f64)| {
            f(bias + weights.iter().zip(x).map(|(w, x)| w * x).sum::<f64>())
        };
        weight.chunks(x.len()).zip(bias).map(output).collect()
    };
    x.iter().map(row).collect()
}

pub fn identity(x: f64) -> f64 {
    x
}

pub fn relu(x: f64) -> f64 {
    x.max(0.0)
}

/// Σ (a − b)² of each row.
pub fn squared_errors(a: &Matrix, b: &Matrix) -> Vec<f64> {
    let row =
        |(a, b): (&Vec<f64>, &Vec<f64>)| a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    a.iter().zip(b).map(row).collect()
}

pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The gradient of `loss` at `values`.
pub fn differences(values: &Values, loss: impl Fn(&Values) -> f64) -> Values {
    const STEP: f64 = 1e-5;
    let mut at = values.clone();
    let mut gradient = values.clone();
    for i in 0..values.len() {
        for j in 0..values[i].len() {
            let mut moved = |by: f64| {
                at[i][j] = values[i][j] + by;
                loss(&at)
            };
            gradient[i][j] = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            at[i][j] = values[i][j];
        }
    }
    gradient
}

/// Panics unless each of `got` is near `want`, by the largest of them.
pub fn assert_close(what: &str, got: &[Vec<f32>], want: &Values) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        let scale = want.iter().fold(1e-3f64, |most, w| most.max(w.abs()));
        for (got, want) in got.iter().zip(want) {
            let error = (f64::from(*got) - want).abs();
            assert!(error <= 1e-4 * scale, "{what}, parameter {i}: {got}, not {want}");
        }
    }
}
