//! Where operands lie and what is summed: tests/ops/density.rs has the formulas themselves.

use serde_json::json;
use vae_gpu::gpu::{AdapterReport, Gpu, Recording, Shader, Tensor};
use vae_gpu::ops::density;
use vae_gpu::ops::expression::{self, Expression, Formula, Operand, Part};

use crate::check::{self, Guarded};

/// Of all three operands in each derivative, so that none is mistaken for another.
const CUBIC: Expression = Expression {
    name: "cubic",
    imports: &[],
    constants: &[],
    operands: &["a", "b", "c"],
    numbers: &["k", "n"],
    value: "a * b * c + k * a - n * b * b",
    slopes: &["b * c + k", "a * c - 2.0 * n * b", "a * b"],
};
const NUMBERS: [f64; 2] = [0.75, -0.5];

fn cubic([a, b, c]: [f64; 3]) -> (f64, [f64; 3]) {
    let [k, n] = NUMBERS;
    (a * b * c + k * a - n * b * b, [b * c + k, a * c - 2.0 * n * b, a * b])
}

/// Examples, rows of each, and columns.
const SIZES: [[usize; 3]; 9] = [
    [1, 1, 1],
    [63, 1, 5],
    [257, 1, 3],
    [3, 1, 257],
    [5, 1, 1757],
    [1757, 1, 1],
    [7, 9, 3],
    [2, 63, 4],
    [19, 16, 33],
];

/// One of the shaders, under the name of the file that they are written into.
pub fn written() -> Shader {
    let operands = vec![Operand::all(&Tensor::matrix("x", &[1, 1]))];
    let formula = Formula { expression: expression::IDENTITY, numbers: vec![], operands };
    let mut shader = formula.shader(None);
    shader.name = "expression".into();
    shader
}

/// For each operand its tensor, and which part of it.
type Layout = [(usize, Part); 3];

/// Shapes of the tensors, and the operands' places in them.
fn layouts([examples, span, columns]: [usize; 3]) -> Vec<(Vec<Vec<usize>>, Layout)> {
    let rows = examples * span;
    let all = || Part::Columns(0..columns);
    let matrix = || vec![rows, columns];
    let apart = [(0, all()), (1, all()), (2, all())];
    // The columns between, and behind, belong to none.
    let beside = [(0, all()), (1, all()), (0, Part::Columns(columns + 1..2 * columns + 1))];
    let twice =
        [(0, Part::Columns(2..columns + 2)), (0, Part::Columns(1..columns + 1)), (0, all())];
    let by_rows = [(0, all()), (1, Part::Row), (2, all())];
    let by_examples = [(0, Part::Row), (1, all()), (2, Part::Row)];
    let by_scalar = [(0, Part::Scalar), (1, all()), (2, Part::Row)];
    let one_row = [(0, Part::Row), (1, all()), (0, Part::Row)];
    let spread = [(0, all()), (1, all()), (0, Part::Columns(columns + 1..2 * columns + 1))];
    let by_samples = [(0, Part::Row), (1, all()), (2, all())];
    vec![
        (vec![matrix(); 3], apart),
        (vec![vec![rows, 2 * columns + 2], matrix()], beside),
        (vec![vec![rows, columns + 3]], twice),
        (vec![matrix(), vec![rows, 1], matrix()], by_rows),
        (vec![vec![examples, 1], matrix(), vec![rows, 1]], by_examples),
        (vec![vec![1], matrix(), vec![examples, 1]], by_scalar),
        (vec![vec![examples, 1], matrix()], one_row),
        (vec![vec![examples, 2 * columns + 2], matrix()], spread),
        (vec![vec![examples, 1], vec![examples, columns], matrix()], by_samples),
    ]
}

/// The place in its tensor of an operand's value, among `rows` rows.
fn place(part: &Part, shape: &[usize], rows: usize, [row, column]: [usize; 2]) -> usize {
    match part {
        Part::Columns(range) => row / (rows / shape[0]) * shape[1] + range.start + column,
        Part::Row => row / (rows / shape[0]),
        Part::Scalar => 0,
    }
}

struct Case {
    sizes: [usize; 3],
    shapes: Vec<Vec<usize>>,
    layout: Layout,
}

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let of =
            |sizes| layouts(sizes).into_iter().map(move |(shapes, layout)| (sizes, shapes, layout));
        SIZES.into_iter().flat_map(of).map(|(sizes, shapes, layout)| Self { sizes, shapes, layout })
    }

    fn what(&self) -> String {
        format!("{:?} of {:?}", self.layout, self.sizes)
    }

    fn rows(&self) -> usize {
        self.sizes[0] * self.sizes[1]
    }

    fn places(&self) -> impl Iterator<Item = [usize; 2]> {
        let columns = self.sizes[2];
        (0..self.rows()).flat_map(move |row| (0..columns).map(move |column| [row, column]))
    }

    fn place(&self, operand: usize, at: [usize; 2]) -> usize {
        let (tensor, part) = &self.layout[operand];
        place(part, &self.shapes[*tensor], self.rows(), at)
    }

    /// Value and derivatives of each element.
    fn cubics(&self, tensors: &[Vec<f64>]) -> Vec<(f64, [f64; 3])> {
        let value = |operand: usize, at| tensors[self.layout[operand].0][self.place(operand, at)];
        self.places().map(|at| cubic([0, 1, 2].map(|operand| value(operand, at)))).collect()
    }

    /// The gradients by each tensor from that by each element's value.
    fn gradients(&self, tensors: &[Vec<f64>], gradient: &[f64]) -> Vec<Vec<f64>> {
        let mut gradients: Vec<_> = tensors.iter().map(|tensor| vec![0.0; tensor.len()]).collect();
        for ((at, (_, slopes)), dy) in self.places().zip(self.cubics(tensors)).zip(gradient) {
            for (operand, slope) in slopes.iter().enumerate() {
                gradients[self.layout[operand].0][self.place(operand, at)] += dy * slope;
            }
        }
        gradients
    }

    fn values(&self) -> Vec<Vec<f32>> {
        let values = |(i, shape): (usize, &Vec<usize>)| {
            check::random(i as u64, shape.iter().product(), -1.0..1.0)
        };
        self.shapes.iter().enumerate().map(values).collect()
    }

    fn formula(&self, tensors: &[Tensor]) -> Formula {
        let operand = |(tensor, part): &(usize, Part)| Operand {
            tensor: tensors[*tensor].clone(),
            part: part.clone(),
        };
        let operands = self.layout.iter().map(operand).collect();
        Formula { expression: CUBIC, numbers: NUMBERS.to_vec(), operands }
    }

    fn upload(&self, gpu: &Gpu) -> (Vec<Vec<f64>>, Vec<Tensor>) {
        let values = self.values();
        let upload = |(shape, values): (&Vec<usize>, &Vec<f32>)| check::input(gpu, shape, values);
        let tensors = self.shapes.iter().zip(&values).map(upload).collect();
        (values.iter().map(|values| check::wide(values)).collect(), tensors)
    }

    /// Each example's value, repeated for its rows and columns.
    fn spread(&self, of_examples: &[f64]) -> Vec<f64> {
        let [_, span, columns] = self.sizes;
        of_examples.iter().flat_map(|value| vec![*value; span * columns]).collect()
    }

    /// Whether the gradient by a tensor is computed element by element, not by sums.
    fn is_elementwise(&self, tensor: usize) -> bool {
        let columns =
            |(at, part): &(usize, Part)| *at == tensor && matches!(part, Part::Columns(_));
        self.layout.iter().any(columns)
    }

    /// The gradients by all tensors that are computed `elementwise`, or those that are not.
    fn assert_backward(&self, gpu: &Gpu, elementwise: bool) {
        let (values, tensors) = self.upload(gpu);
        let [examples, _, columns] = self.sizes;
        let formula = self.formula(&tensors);
        for by_example in [false, true] {
            let shape = if by_example { [examples, 1] } else { [self.rows(), columns] };
            let dy = check::random(9, shape[0] * shape[1], -1.0..1.0);
            let on_dy = check::input(gpu, &shape, &dy);
            let gradient = if by_example { Operand::row(&on_dy) } else { Operand::all(&on_dy) };
            let dy = check::wide(&dy);
            let each = if by_example { self.spread(&dy) } else { dy };
            let want = self.gradients(&values, &each);
            for (i, of) in tensors.iter().enumerate() {
                if self.is_elementwise(i) != elementwise {
                    continue;
                }
                let dx = Guarded::new(gpu, &self.shapes[i]);
                check::run(gpu, |recording| {
                    let dx = &dx.tensor;
                    expression::backward(recording, "test", &formula, &gradient, of, dx);
                });
                let what = format!("{} by tensor {i}, {by_example}", self.what());
                let most = want[i].iter().fold(0.0f64, |most, value| most.max(value.abs()));
                check::assert_each(&what, &dx.floats(gpu), &want[i], 2e-6, 2e-6 * most);
            }
        }
    }
}

#[test]
fn oracle_is_the_gradient() {
    let sizes = [2, 3, 3];
    for (shapes, layout) in layouts(sizes) {
        let case = Case { sizes, shapes, layout };
        let tensors: Vec<_> = case.values().iter().map(|values| check::wide(values)).collect();
        let dy = check::wide(&check::random(9, 18, -1.0..1.0));
        let gradients = case.gradients(&tensors, &dy);
        for (i, gradient) in gradients.iter().enumerate() {
            let loss = |values: &[f64]| {
                let mut tensors = tensors.clone();
                tensors[i] = values.to_vec();
                case.cubics(&tensors).iter().zip(&dy).map(|((value, _), dy)| value * dy).sum()
            };
            check::assert_gradient(&case.what(), loss, &tensors[i], gradient);
        }
    }
}

/// Values, and gradients that are as many.
#[test]
pub fn each() {
    let Some(gpu) = check::gpu() else { return };
    for case in Case::all() {
        let (values, tensors) = case.upload(gpu);
        let y = Guarded::new(gpu, &[case.rows(), case.sizes[2]]);
        let formula = case.formula(&tensors);
        check::run(gpu, |recording| expression::forward(recording, "test", &formula, &y.tensor));
        let want: Vec<_> = case.cubics(&values).iter().map(|(value, _)| *value).collect();
        check::assert_each(&case.what(), &y.floats(gpu), &want, 1e-6, 1e-6);
        case.assert_backward(gpu, true);
    }
}

/// Sums of values, and gradients by what goes for many.
#[test]
pub fn sums() {
    let Some(gpu) = check::gpu() else { return };
    for case in Case::all() {
        let (values, tensors) = case.upload(gpu);
        let [examples, span, columns] = case.sizes;
        let formula = case.formula(&tensors);
        let want: Vec<f64> = case.cubics(&values).iter().map(|(value, _)| *value).collect();
        let want: Vec<_> = want.chunks(span * columns).map(|values| values.iter().sum()).collect();
        // Padded or not.
        for shape in [&[examples, 1][..], &[examples]] {
            let sums = Guarded::roomy(gpu, shape);
            let result = match shape.len() {
                1 => sums.tensor.view(0, shape),
                _ => sums.tensor.view_matrix(0, shape),
            };
            check::run(gpu, |recording| expression::sums(recording, "test", &formula, &result));
            let tolerance = 1e-6 * ((span * columns) as f64).sqrt();
            check::assert_each(&case.what(), &sums.floats(gpu), &want, 2e-6, tolerance);
        }
        case.assert_backward(gpu, false);
    }
}

/// The counts, not the bindings or the grid, end the work; and grids wrap into y.
#[test]
fn surplus_invocations_do_nothing() {
    let Some(gpu) = check::gpu() else { return };
    let (rows, columns) = (131, 5);
    let values = check::random(1, rows * columns, -1.0..1.0);
    let x = check::roomy_input(gpu, &[rows, columns], &values);
    let formula = Formula {
        expression: expression::IDENTITY,
        numbers: vec![],
        operands: vec![Operand::all(&x)],
    };
    let shader = formula.shader(None);
    let params = |stride: u32| {
        json!({
            "rows": rows, "columns": columns, "width": columns, "stride": stride, "sums": rows,
            "span": 1, "numbers": [0.0, 0.0, 0.0, 0.0], "places": [{ "row": 8, "first": 0, "span": 0 }],
        })
    };
    let [y, sums] = [columns, 1].map(|columns| Guarded::roomy(gpu, &[rows, columns]));
    for (entry, result, stride) in [("each", &y, 8), ("sums", &sums, 4)] {
        check::run(gpu, |recording| {
            let tensors = [("operand_0", &x), ("result", &result.tensor)];
            let kernel = shader.kernel(entry, &[]);
            recording.record(kernel, "test", &params(stride), &tensors, [2, 70, 1]);
        });
    }
    assert_eq!(y.floats(gpu), values);
    let want: Vec<f64> = check::wide(&values).chunks(columns).map(|row| row.iter().sum()).collect();
    check::assert_each("sums", &sums.floats(gpu), &want, 1e-6, 1e-6);
}

#[test]
fn padding_is_written() {
    let Some(gpu) = check::gpu() else { return };
    let x = check::input(gpu, &[63, 5], &[1.0f32; 63 * 5]);
    let one = check::input(gpu, &[63, 1], &[1.0f32; 63]);
    let operands = vec![Operand::columns(&x, 1..3), Operand::row(&one)];
    let formula = Formula { expression: density::PRODUCT, numbers: vec![], operands };
    let gradient = Operand::row(&one);
    check::assert_pads(gpu, [63, 2], |p, y| expression::forward(p, "test", &formula, y));
    check::assert_pads(gpu, [63, 1], |p, y| expression::sums(p, "test", &formula, y));
    for (of, columns) in [(&x, 5), (&one, 1)] {
        check::assert_pads(gpu, [63, columns], |p, dx| {
            expression::backward(p, "test", &formula, &gradient, of, dx);
        });
    }
}

/// An operand that a derivative does without is not bound.
#[test]
fn derivatives_read_no_more_than_they_need() {
    let shape = [3, 5];
    let [x, y, dy, dx] = [(); 4].map(|()| Tensor::matrix("test", &shape));
    let operands = vec![Operand::all(&x), Operand::all(&y)];
    let expression = density::PRODUCT;
    let formula = Formula { expression, numbers: vec![], operands };
    let mut recording = Recording::new(&AdapterReport::webgpu());
    expression::backward(&mut recording, "test", &formula, &Operand::all(&dy), &x, &dx);
    let bound = &recording.dispatches()[0].bindings;
    let names: Vec<_> = bound.iter().map(|slice| slice.name.as_str()).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    assert!(!bound.iter().any(|slice| slice.buffer == *x.buffer()), "{names:?}");
}

#[test]
#[should_panic(expected = "poisson: no derivative by x")]
fn data_have_no_derivative() {
    let [x, y, dy, dx] = [(); 4].map(|()| Tensor::matrix("test", &[3, 5]));
    let operands = vec![Operand::all(&x), Operand::all(&y)];
    let expression = density::POISSON;
    let formula = Formula { expression, numbers: vec![], operands };
    let mut recording = Recording::new(&AdapterReport::webgpu());
    expression::backward(&mut recording, "test", &formula, &Operand::all(&dy), &y, &dx);
}
