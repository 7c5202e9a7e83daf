//! Elementwise arithmetic from an expression and its partial derivatives, so that densities, gates
//! and flows need no shader of their own; [`super::density`] has the crate's expressions. The WGSL
//! is generated around `shaders/expression.wgsl`.

mod task;
mod text;

use std::ops::Range;

use task::Task;

use crate::gpu::{Recording, Shader, Tensor};

/// An elementwise function of a few values, and its partial derivatives, in WGSL.
#[derive(Clone, Copy, Debug)]
pub struct Expression {
    /// The expression's name, which is part of its kernels', such as `expression.normal_kl.each`.
    pub name: &'static str,
    /// Files of `shaders/` whose functions it calls, such as `shared/math`.
    pub imports: &'static [&'static str],
    /// Constants that the imported files require.
    pub constants: &'static [(&'static str, u32)],
    /// Names of the arguments that are read from tensors.
    pub operands: &'static [&'static str],
    /// Names of the arguments that the host gives as numbers, four at most.
    pub numbers: &'static [&'static str],
    /// The function's value, a WGSL expression of type `f32`.
    pub value: &'static str,
    /// The partial derivative by each operand, a WGSL expression; empty for data, which needs none.
    pub slopes: &'static [&'static str],
}

impl Expression {
    /// An expression of `operands` without numbers, with its partial derivatives. It may call WGSL's
    /// functions and those of `shaders/shared/math.wgsl`, as `expm1`, `softplus` and `sigmoid`.
    ///
    /// ```
    /// use vae_gpu::ops::expression::Expression;
    ///
    /// /// x · sigmoid(gate)
    /// const GATED: Expression = Expression::new(
    ///     "gated",
    ///     &["x", "gate"],
    ///     "x * sigmoid(gate)",
    ///     &["sigmoid(gate)", "x * sigmoid(gate) * sigmoid(-gate)"],
    /// );
    /// # assert_eq!(GATED.operands.len(), GATED.slopes.len());
    /// ```
    pub const fn new(
        name: &'static str,
        operands: &'static [&'static str],
        value: &'static str,
        slopes: &'static [&'static str],
    ) -> Self {
        Self {
            name,
            imports: &["shared/math"],
            constants: &[],
            operands,
            numbers: &[],
            value,
            slopes,
        }
    }
}

/// The identity, with which [`sums`] sums a tensor's own elements.
pub const IDENTITY: Expression = Expression::new("identity", &["x"], "x", &["1.0"]);

/// The part of a tensor that an operand is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// These columns, with a value for each element. If the tensor has fewer rows than the others, each
    /// goes for several successive rows: an example's values for all of its samples.
    Columns(Range<usize>),
    /// One value a row, for all columns. If the tensor has fewer rows than the others, each value
    /// goes for several successive rows: an example's value for all pixels of its map.
    Row,
    /// One value for all elements.
    Scalar,
}

/// The values of an operand.
#[derive(Clone, Debug)]
pub struct Operand {
    /// The tensor that holds the values.
    pub tensor: Tensor,
    /// The part of the tensor that they are.
    pub part: Part,
}

impl Operand {
    /// All elements of `tensor` (rows, columns).
    pub fn all(tensor: &Tensor) -> Self {
        Self::columns(tensor, 0..tensor.columns())
    }

    /// Some columns of `tensor`: means and log-variances may lie side by side in one.
    pub fn columns(tensor: &Tensor, columns: Range<usize>) -> Self {
        Self { tensor: tensor.clone(), part: Part::Columns(columns) }
    }

    /// One value for each row, from `tensor` (rows, 1), or for each example, from (examples, 1).
    pub fn row(tensor: &Tensor) -> Self {
        Self { tensor: tensor.clone(), part: Part::Row }
    }

    /// One value for all elements, from `tensor` (1).
    pub fn scalar(tensor: &Tensor) -> Self {
        Self { tensor: tensor.clone(), part: Part::Scalar }
    }
}

/// An expression with its arguments.
#[derive(Clone, Debug)]
pub struct Formula {
    /// The function.
    pub expression: Expression,
    /// The numbers, in the expression's order.
    pub numbers: Vec<f64>,
    /// The operands, in the expression's order. Those of one tensor share a binding.
    pub operands: Vec<Operand>,
}

/// Largest number of workgroups that sum a derivative by a scalar.
const PARTS: usize = 256;

/// y (rows, columns) = the value of each element.
pub fn forward(recording: &mut Recording, label: &str, formula: &Formula, y: &Tensor) {
    let task = Task { formula, by: None };
    task.each(recording, label, [y.rows(), y.columns()], y);
}

/// sums (examples, 1) = the sums of the value over the columns and rows of each example, which has
/// one row of features or the height · width rows of a map. Panics if no operand has columns.
pub fn sums(recording: &mut Recording, label: &str, formula: &Formula, sums: &Tensor) {
    let task = Task { formula, by: None };
    let extent = task.extent(label);
    let span = extent[0] / sums.rows();
    assert_eq!(extent[0], sums.rows() * span, "{label}: rows of {} sums", sums.rows());
    task.sums(recording, label, extent, span, sums);
}

/// dx, of the layout of `of`: the gradient with respect to the tensor of which one or several
/// operands are parts, zero in columns that belong to none. `gradient` is the gradient with respect
/// to the values: all of (rows, columns) after [`forward`], a row value (examples, 1) after
/// [`sums`].
///
/// Panics if no operand is a part of `of`, if one has no derivative, and if some are columns of it
/// and others rows.
pub fn backward(
    recording: &mut Recording,
    label: &str,
    formula: &Formula,
    gradient: &Operand,
    of: &Tensor,
    dx: &Tensor,
) {
    let task = Task { formula, by: Some((gradient, of)) };
    let layout = |tensor: &Tensor| (tensor.rows(), tensor.columns(), tensor.stride());
    assert_eq!(layout(of), layout(dx), "{label}: layouts of a tensor and the gradient by it");
    let extent = task.extent(label);
    let parts: Vec<_> = task.by().map(|i| &formula.operands[i].part).collect();
    assert!(!parts.is_empty(), "{label}: no operand is a part of the tensor");
    let all = |holds: fn(&&Part) -> bool| parts.iter().copied().all(|part| holds(&part));
    if all(|part| matches!(part, Part::Columns(_))) {
        task.each(recording, label, extent, dx);
    } else if all(|part| **part == Part::Row) {
        task.sums(recording, label, extent, extent[0] / of.rows(), dx);
    } else {
        assert!(all(|part| **part == Part::Scalar), "{label}: columns and rows of one tensor");
        let span = extent[0].div_ceil(PARTS);
        let parts = recording.vector(extent[0].div_ceil(span));
        task.sums(recording, label, extent, span, &parts);
        let (numbers, operands) = (Vec::new(), vec![Operand::all(&parts)]);
        sums(recording, label, &Formula { expression: IDENTITY, numbers, operands }, dx);
    }
}

impl Formula {
    /// The shader of [`forward`] and [`sums`], or, given [`backward`]'s `gradient` and `of`, that
    /// of [`backward`]. Its constants are the expression's.
    pub fn shader(&self, by: Option<(&Operand, &Tensor)>) -> Shader {
        Task { formula: self, by }.shader()
    }
}
