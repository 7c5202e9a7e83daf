//! Convolutions from their definitions, and the gradients of their sum with given weights.

use vae_gpu::ops::{Extent, Pair};

use crate::check;

/// A layer by PyTorch's arguments, and what it is given.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    pub transposed: bool,
    pub batch: usize,
    /// Channels, height and width.
    pub input: [usize; 3],
    pub outputs: usize,
    pub kernel: Pair,
    pub stride: Pair,
    pub padding: Pair,
    pub output_padding: Pair,
}

impl Layer {
    /// Size of the output, by the formulas in PyTorch's documentation.
    pub fn output(&self) -> Extent {
        let &Self { kernel, stride, padding, output_padding, .. } = self;
        let side = |axis: usize| {
            let side = self.input[1 + axis];
            let [kernel, stride, padding, more] =
                [kernel, stride, padding, output_padding].map(|pair| pair.sides()[axis]);
            match self.transposed {
                true => (side - 1) * stride + kernel + more - 2 * padding,
                false => (side + 2 * padding - kernel) / stride + 1,
            }
        };
        Extent { height: side(0), width: side(1) }
    }

    /// Rows of x and of y.
    pub fn rows(&self) -> [usize; 2] {
        let output = self.output();
        [self.input[1] * self.input[2], output.height * output.width].map(|n| self.batch * n)
    }

    pub fn weight_len(&self) -> usize {
        self.outputs * self.input[0] * self.kernel.area()
    }

    /// Where element (o, i, ky, kx) of the weight lies in PyTorch's order.
    fn weight_at(&self, [o, i, ky, kx]: [usize; 4]) -> usize {
        let channels = if self.transposed { i * self.outputs + o } else { o * self.input[0] + i };
        (channels * self.kernel.down + ky) * self.kernel.across + kx
    }

    /// Calls `add` with the places in x, in the weight and in y of every product that there is.
    fn products(&self, mut add: impl FnMut(usize, usize, usize)) {
        let [inputs, height, width] = self.input;
        let output = self.output();
        // A convolution reads at stride · output + tap − padding, a transposed one writes at
        // stride · input + tap − padding.
        let from = if self.transposed { [height, width] } else { [output.height, output.width] };
        let to = if self.transposed { [output.height, output.width] } else { [height, width] };
        let moved = |axis: usize, at: usize, tap: usize| {
            let [stride, padding] = [self.stride, self.padding].map(|pair| pair.sides()[axis]);
            (stride * at + tap).checked_sub(padding).filter(|&at| at < to[axis])
        };
        let Pair { down, across } = self.kernel;
        for b in 0..self.batch {
            for (y, x) in (0..from[0]).flat_map(|y| (0..from[1]).map(move |x| (y, x))) {
                for (ky, kx) in (0..down).flat_map(|a| (0..across).map(move |b| (a, b))) {
                    let (Some(ty), Some(tx)) = (moved(0, y, ky), moved(1, x, kx)) else {
                        continue;
                    };
                    let near = (b * from[0] + y) * from[1] + x;
                    let far = (b * to[0] + ty) * to[1] + tx;
                    let [x_row, y_row] = if self.transposed { [near, far] } else { [far, near] };
                    for (o, i) in (0..self.outputs).flat_map(|o| (0..inputs).map(move |i| (o, i))) {
                        let weight = self.weight_at([o, i, ky, kx]);
                        add(x_row * inputs + i, weight, y_row * self.outputs + o);
                    }
                }
            }
        }
    }

    pub fn forward(&self, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let mut y: Vec<_> = (0..self.rows()[1]).flat_map(|_| bias).copied().collect();
        self.products(|at_x, at_w, at_y| y[at_y] += x[at_x] * weight[at_w]);
        y
    }

    pub fn backward_input(&self, dy: &[f64], weight: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; self.rows()[0] * self.input[0]];
        self.products(|at_x, at_w, at_y| dx[at_x] += dy[at_y] * weight[at_w]);
        dx
    }

    /// dweight and dbias.
    pub fn backward_weight(&self, dy: &[f64], x: &[f64]) -> [Vec<f64>; 2] {
        let mut dweight = vec![0.0; self.weight_len()];
        self.products(|at_x, at_w, at_y| dweight[at_w] += dy[at_y] * x[at_x]);
        let mut dbias = vec![0.0; self.outputs];
        for dy in dy.chunks(self.outputs) {
            dbias.iter_mut().zip(dy).for_each(|(sum, dy)| *sum += dy);
        }
        [dweight, dbias]
    }
}

fn small(transposed: bool, [kernel, stride, padding, more]: [[usize; 2]; 4]) -> Layer {
    Layer {
        transposed,
        batch: 2,
        input: [2, 4, 3],
        outputs: 3,
        kernel: kernel.into(),
        stride: stride.into(),
        padding: padding.into(),
        output_padding: if transposed { more.into() } else { 0.into() },
    }
}

#[test]
fn gradients_are_derivatives() {
    let windows = [[[3, 3], [2, 2], [1, 1], [1, 1]], [[3, 2], [1, 3], [0, 1], [0, 2]]];
    for layer in [false, true].into_iter().flat_map(|t| windows.map(|window| small(t, window))) {
        let wide = |seed, len| check::wide(&check::random(seed, len, -1.0..1.0));
        let [x_rows, y_rows] = layer.rows();
        let (x, weight) = (wide(1, x_rows * layer.input[0]), wide(2, layer.weight_len()));
        let (bias, dy) = (wide(3, layer.outputs), wide(4, y_rows * layer.outputs));
        let chained = |y: Vec<f64>| y.iter().zip(&dy).map(|(y, dy)| y * dy).sum::<f64>();
        let dx = layer.backward_input(&dy, &weight);
        check::assert_gradient("dx", |x| chained(layer.forward(x, &weight, &bias)), &x, &dx);
        let [dweight, dbias] = layer.backward_weight(&dy, &x);
        check::assert_gradient("dw", |w| chained(layer.forward(&x, w, &bias)), &weight, &dweight);
        check::assert_gradient("db", |b| chained(layer.forward(&x, &weight, b)), &bias, &dbias);
    }
}
