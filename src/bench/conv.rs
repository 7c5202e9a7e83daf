//! The convolutions, compared with dense products of the same sizes.

use super::ops::{state, time};
use super::{Row, Suite, matmul as dense};
use vae_gpu::Result;
use vae_gpu::gpu::{Gpu, Recording, Tensor};
use vae_gpu::ops::activation::Activation;
use vae_gpu::ops::conv::Geometry;
use vae_gpu::ops::matmul::{self, Problem, Product};
use vae_gpu::ops::optimizer::{Optimizer, Update};
use vae_gpu::ops::sums::Sum;
use vae_gpu::ops::tune::{self, Tune};
use vae_gpu::ops::{Extent, column_sums, sums};

const BATCH: usize = 128;
/// Number of elements of a result that are compared with the definition.
const CHECKED: usize = 64;

/// Channels of the smaller map and of the larger, side of the larger, kernel, stride and padding:
/// layers of convolutional networks for 28x28 and 32x32 pixels.
const LAYERS: [[usize; 6]; 4] =
    [[32, 1, 28, 3, 2, 1], [64, 32, 14, 3, 2, 1], [64, 64, 8, 3, 1, 1], [32, 3, 32, 4, 2, 1]];

/// A layer of [`LAYERS`].
struct Layer {
    geometry: Geometry,
    /// Channels of the smaller map.
    small: usize,
    /// Channels of the larger map.
    large: usize,
}

impl Layer {
    fn new([small, large, side, kernel, stride, padding]: [usize; 6], transposed: bool) -> Self {
        let extent = Extent { height: side, width: side };
        let geometry = Geometry::convolution(extent, kernel, stride, padding);
        let geometry = Geometry { transposed, ..geometry.expect("a kernel that fits") };
        Self { geometry, small, large }
    }

    fn problem(&self) -> Problem {
        let &Self { geometry, small, large } = self;
        let [inputs, outputs] = if geometry.transposed { [small, large] } else { [large, small] };
        Problem::Conv { geometry, inputs, outputs }
    }

    /// The layer's sizes in words, such as `32x14-64x7 k3s2`.
    fn shape(&self) -> String {
        let Self { geometry: Geometry { kernel, stride, small, large, transposed, .. }, .. } = self;
        let small = format!("{}x{}", self.small, small.height);
        let large = format!("{}x{}", self.large, large.height);
        let [from, to] = if *transposed { [small, large] } else { [large, small] };
        format!("{from}-{to} k{kernel}s{stride}")
    }

    /// The dense product with the same rows, columns and number of multiplications.
    fn dense(&self, gathers: bool, product: Product) -> (Product, [usize; 3]) {
        let Geometry { kernel, stride, small, large, .. } = self.geometry;
        let [few, many] = [small, large].map(|e| BATCH * e.height * e.width);
        let taps = kernel.area();
        match product {
            Product::BackwardWeight => (product, [few, taps * self.large, self.small]),
            _ if gathers => (Product::Forward, [few, taps * self.large, self.small]),
            _ => {
                let depth = (taps * self.small).div_ceil(stride.area());
                (Product::BackwardInput, [many, self.large, depth])
            }
        }
    }
}

/// Measures the dense product by its definition and in its tuned variant, then the convolution in
/// its tuned variant.
pub(super) fn rows(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    let (op, product) = operation.split_once('.').expect("an op and an entry point");
    let product = matmul::PRODUCTS.into_iter().find(|p| p.name() == product).expect("a product");
    let transposed = op == "conv_transpose";
    let gathers = (product == Product::Forward) != transposed;
    for layer in LAYERS.map(|sizes| Layer::new(sizes, transposed)) {
        let (like, sizes) = layer.dense(gathers, product);
        for kernel in [Some(None), None] {
            dense::problem(suite, operation, like, sizes, kernel, 0.0)?;
        }
        let problem = layer.problem();
        // A first layer precedes, since tuning leaves out the gradient of the first layer's input.
        let problems = [Problem::dense(1, 1), problem];
        let relu = Some(Activation::Relu);
        let choices = tune::tune(&gpu, Tune::Quick, BATCH, &problems, relu, |_, _, _| ())?;
        let variant = problem.variant(gpu.report(), &choices, product, BATCH);
        let (plan, tensors) = tune::record(&gpu, &problem, product, BATCH, None, variant);
        let [x, y, weight] = &tensors[..3] else { unreachable!() };
        let [small, large] = layer.geometry.small_and_large([x, y]);
        let bytes = [small, large, weight].map(|tensor| 4.0 * tensor.len() as f64).iter().sum();
        let row = Row::new(operation, &[], &variant.to_string(), problem.flop(BATCH), bytes);
        let row = Row { shape: layer.shape(), ..row };
        let check = || layer.is_right(&gpu, gathers, product, [small, large, weight]);
        suite.measure(row, &plan, check)?;
    }
    Ok(())
}

impl Layer {
    /// Whether elements from all over the result equal their definition, sums in f64.
    fn is_right(
        &self,
        gpu: &Gpu,
        gathers: bool,
        product: Product,
        tensors: [&Tensor; 3],
    ) -> Result<bool> {
        let [on_small, on_large, on_weight] = tensors;
        let [small, large, weight]: [Vec<f32>; 3] =
            [on_small.read(gpu)?, on_large.read(gpu)?, on_weight.read(gpu)?];
        let &Self { geometry, .. } = self;
        let Geometry { small: s, large: l, .. } = geometry;
        // The layers measured have square kernels.
        let [kernel, stride, padding] =
            [geometry.kernel, geometry.stride, geometry.padding].map(|pair| pair.down);
        let row_of_weight = weight.len() / self.small / (kernel * kernel);
        let small_at = |b: usize, y: usize, x: usize, c: usize| {
            ((b * s.height + y) * s.width + x) * self.small + c
        };
        let large_at = |b: usize, y: usize, x: usize, c: usize| {
            ((b * l.height + y) * l.width + x) * self.large + c
        };
        let weight_at = |c: usize, ky: usize, kx: usize, d: usize| {
            ((c * kernel + ky) * kernel + kx) * row_of_weight + d
        };
        // Row or column of the larger map that a tap joins with one of the smaller.
        let reach = |at: usize, tap: usize, end: usize| {
            (stride * at + tap).checked_sub(padding).filter(|&at| at < end)
        };
        let pairs = |height, width| (0..height).flat_map(move |y| (0..width).map(move |x| (y, x)));
        let result = match product {
            Product::BackwardWeight => &weight,
            _ if gathers => &small,
            _ => &large,
        };
        let element_is_right = |index: usize| {
            // Steps by a prime spread over the whole result.
            let element = (index * 7919 + result.len() - 1) % result.len();
            let (mut sum, mut size) = (0.0, 0.0);
            let mut add = |a: f32, b: f32| {
                let term = f64::from(a) * f64::from(b);
                (sum, size) = (sum + term, size + term.abs());
            };
            let channels = if gathers { self.small } else { self.large };
            let extent = if gathers { s } else { l };
            if product == Product::BackwardWeight {
                let (tap, d) = (element / row_of_weight, element % row_of_weight);
                let (c, ky, kx) = (tap / kernel / kernel, tap / kernel % kernel, tap % kernel);
                // The padding of a row is zero.
                for (b, (y, x)) in
                    (0..BATCH).flat_map(|b| pairs(s.height, s.width).map(move |p| (b, p)))
                {
                    if let (Some(far_y), Some(far_x), true) =
                        (reach(y, ky, l.height), reach(x, kx, l.width), d < self.large)
                    {
                        add(small[small_at(b, y, x, c)], large[large_at(b, far_y, far_x, d)]);
                    }
                }
                return (f64::from(result[element]) - sum).abs() <= 1e-4 * size;
            }
            let (pixel, channel) = (element / channels, element % channels);
            let (b, pixel) =
                (pixel / (extent.height * extent.width), pixel % (extent.height * extent.width));
            let (at_y, at_x) = (pixel / extent.width, pixel % extent.width);
            for (ky, kx) in pairs(kernel, kernel) {
                if gathers {
                    let far = (reach(at_y, ky, l.height), reach(at_x, kx, l.width));
                    let (Some(y), Some(x)) = far else { continue };
                    for d in 0..self.large {
                        add(large[large_at(b, y, x, d)], weight[weight_at(channel, ky, kx, d)]);
                    }
                } else {
                    let near = pairs(s.height, s.width).find(|&(y, x)| {
                        reach(y, ky, l.height) == Some(at_y) && reach(x, kx, l.width) == Some(at_x)
                    });
                    let Some((y, x)) = near else { continue };
                    for c in 0..self.small {
                        add(small[small_at(b, y, x, c)], weight[weight_at(c, ky, kx, channel)]);
                    }
                }
            }
            (f64::from(result[element]) - sum).abs() <= 1e-4 * size
        };
        Ok((0..CHECKED).all(element_is_right))
    }
}

/// Measures column sums over a map's pixels.
pub(super) fn column_sums(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for shape in [[BATCH * 14 * 14, 32], [BATCH * 28 * 28, 4]] {
        let mut recording = Recording::new(gpu.report());
        let x = recording.matrix(&shape);
        let result = column_sums::parts(&mut recording, "bench", &x);
        let plan = recording.compile(&gpu);
        x.write(&gpu, &super::random(1, x.len()));
        let work = [0.0, 4.0 * (x.len() + result.len()) as f64];
        time(suite, operation, (&shape, ""), work, &[&result], &plan)?;
    }
    Ok(())
}

/// Measures sums of the gradients of a convolution's weight, stored or used for a step at once.
pub(super) fn sums(suite: &mut Suite, operation: &str) -> Result<()> {
    let gpu = suite.gpu.clone();
    for shape in [[8, 64 * 9 * 32], [64, 64 * 9 * 32]] {
        let mut recording = Recording::new(gpu.report());
        let parts = recording.matrix(&shape);
        let result = Tensor::zeros("bench", &shape[1..]);
        let sum = Sum { parts: parts.clone(), offset: 0, result: result.clone() };
        let moments = [(); 2].map(|()| Tensor::zeros("bench", &shape[1..]));
        // A step also reads and writes each parameter and its two moments.
        let moved = if operation == "sums_step.parts" {
            let (state, optimizer) = (&state(&gpu), &Optimizer::default());
            let (parameter, moments) = (&result, [&moments[0], &moments[1]]);
            let update = Update { optimizer, state, parameter, moments };
            sums::parts_step(&mut recording, "bench", &[sum], &update);
            6
        } else {
            sums::parts(&mut recording, "bench", &[sum], &result);
            1
        };
        let plan = recording.compile(&gpu);
        parts.write(&gpu, &super::random(2, parts.len()));
        let work = [0.0, 4.0 * (parts.len() + moved * result.len()) as f64];
        time(suite, operation, (&shape, ""), work, &[&result], &plan)?;
    }
    Ok(())
}
