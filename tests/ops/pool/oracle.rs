//! Pooling by PyTorch's definitions, gradients by scattering.

use vae_gpu::ops::Extent;
use vae_gpu::ops::pool::Window;

/// Maps of x, and the windows.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    batch: usize,
    channels: usize,
    pub window: Window,
}

impl Case {
    pub fn new([batch, height, width, channels]: [usize; 4], window: [[usize; 2]; 3]) -> Self {
        let [kernel, stride, padding] = window;
        let window = Window::new(Extent { height, width }, kernel, stride, padding).unwrap();
        Self { batch, channels, window }
    }

    pub fn x_shape(&self) -> [usize; 2] {
        [self.batch * self.window.input.height * self.window.input.width, self.channels]
    }

    pub fn x_len(&self) -> usize {
        self.x_shape().iter().product()
    }

    /// PyTorch's formula.
    fn out(&self) -> [usize; 2] {
        let Window { kernel, stride, padding, input: Extent { height, width }, .. } = self.window;
        let along = |size: usize, axis: usize| {
            let [kernel, stride, padding] =
                [kernel, stride, padding].map(|pair| pair.sides()[axis]);
            (size + 2 * padding - kernel) / stride + 1
        };
        [along(height, 0), along(width, 1)]
    }

    pub fn y_shape(&self) -> [usize; 2] {
        [self.batch * self.out()[0] * self.out()[1], self.channels]
    }

    pub fn y_len(&self) -> usize {
        self.y_shape().iter().product()
    }

    pub fn indices_len(&self) -> usize {
        self.y_shape()[0] * self.channels.div_ceil(4)
    }

    /// For every element of y those of x in its window, row by row, with their places there.
    fn windows(&self) -> Vec<Vec<(usize, usize)>> {
        let Self { batch, channels, window } = *self;
        let Window { kernel, stride, padding, input: Extent { height, width }, .. } = window;
        let [down, across] = self.out();
        let mut windows = Vec::new();
        for pixel in 0..batch * down * across {
            let (image, row, column) =
                (pixel / (down * across), pixel / across % down, pixel % across);
            for channel in 0..channels {
                let seen = (0..kernel.area()).filter_map(|place| {
                    let y =
                        (row * stride.down + place / kernel.across).checked_sub(padding.down)?;
                    let x = (column * stride.across + place % kernel.across)
                        .checked_sub(padding.across)?;
                    let at = ((image * height + y) * width + x) * channels + channel;
                    (y < height && x < width).then_some((at, place))
                });
                windows.push(seen.collect());
            }
        }
        windows
    }

    /// The maxima and their places, by PyTorch's loop.
    pub fn max(&self, x: &[f64]) -> (Vec<f64>, Vec<usize>) {
        let best = |window: &Vec<(usize, usize)>| {
            let mut found = window[0];
            for &(at, place) in window {
                if x[at] > x[found.0] || x[at].is_nan() {
                    found = (at, place);
                }
            }
            (x[found.0], found.1)
        };
        self.windows().iter().map(best).unzip()
    }

    pub fn max_backward(&self, dy: &[f64], places: &[usize]) -> Vec<f64> {
        let mut dx = vec![0.0; self.x_len()];
        for ((window, dy), place) in self.windows().iter().zip(dy).zip(places) {
            dx[window.iter().find(|(_, p)| p == place).unwrap().0] += dy;
        }
        dx
    }

    pub fn avg(&self, x: &[f64]) -> Vec<f64> {
        let mean = |window: &Vec<(usize, usize)>| {
            window.iter().map(|(at, _)| x[*at]).sum::<f64>() / self.window.kernel.area() as f64
        };
        self.windows().iter().map(mean).collect()
    }

    pub fn avg_backward(&self, dy: &[f64]) -> Vec<f64> {
        let mut dx = vec![0.0; self.x_len()];
        for (window, dy) in self.windows().iter().zip(dy) {
            window.iter().for_each(|(at, _)| dx[*at] += dy / self.window.kernel.area() as f64);
        }
        dx
    }

    /// Places as the adapter has them: a byte each, rows padded.
    pub fn packed(&self, places: &[usize]) -> Vec<u32> {
        let quad = |quad: &[usize]| quad.iter().rev().fold(0, |word, &p| word << 8 | p as u32);
        places.chunks(self.channels).flat_map(|row| row.chunks(4).map(quad)).collect()
    }

    /// The other way.
    pub fn unpacked(&self, words: &[u32]) -> Vec<usize> {
        let byte = |row: &[u32], c: usize| (row[c / 4] >> (8 * (c % 4)) & 255) as usize;
        let rows = words.chunks(self.channels.div_ceil(4));
        rows.flat_map(|row| (0..self.channels).map(move |c| byte(row, c))).collect()
    }
}
