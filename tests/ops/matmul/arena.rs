//! Where the gradients of weights and biases are computed from, and where they go.

use std::ops::Range;

use vae_gpu::gpu::{Gpu, Recording, Tensor, padded};

use crate::check::{self, MARGIN, POISON};

/// How layers' parameters lie in a buffer, with poison before, between and behind them.
pub struct Arena {
    /// Of weights and biases by turns: offset, rows and columns.
    parts: Vec<[usize; 3]>,
    words: usize,
}

impl Arena {
    /// For layers with weights of as many rows and columns, and biases of as many elements.
    pub fn new(layers: impl Iterator<Item = ([usize; 2], usize)>) -> Self {
        let mut words = MARGIN;
        let mut place = |[rows, columns]: [usize; 2]| {
            let offset = words;
            words += (rows * padded(columns)).next_multiple_of(Tensor::ALIGNMENT) + MARGIN;
            [offset, rows, columns]
        };
        // A bias is a matrix of one row.
        let shapes = layers.flat_map(|(weight, bias)| [weight, [1, bias]]);
        let parts = shapes.map(&mut place).collect();
        Self { parts, words }
    }

    /// Where the rows of a part begin.
    fn rows([offset, rows, columns]: [usize; 3]) -> impl Iterator<Item = usize> {
        (0..rows).map(move |row| offset + row * padded(columns))
    }

    /// The values of all parts, one after the other.
    pub fn upload(&self, gpu: &Gpu, values: &[u32]) -> Tensor {
        let mut words = vec![POISON; self.words];
        let mut values = values.iter();
        for &part in &self.parts {
            for at in Self::rows(part) {
                words[at..at + padded(part[2])].fill(0);
                words[at..at + part[2]].fill_with(|| *values.next().unwrap());
            }
        }
        assert_eq!(values.len(), 0);
        Tensor::new(gpu, "arena", &[self.words], &words)
    }

    /// Values in all parts.
    pub fn len(&self) -> usize {
        self.parts.iter().map(|[_, rows, columns]| rows * columns).sum()
    }

    /// The values of each part; panics if the poison around them has changed, or padding is not
    /// zero.
    pub fn read(&self, gpu: &Gpu, tensor: &Tensor) -> Vec<Vec<f32>> {
        let mut words: Vec<u32> = tensor.read(gpu).unwrap();
        let mut all = Vec::new();
        for &part in &self.parts {
            let mut values = Vec::new();
            for at in Self::rows(part) {
                let row = &mut words[at..at + padded(part[2])];
                values.extend(row[..part[2]].iter().map(|&word| f32::from_bits(word)));
                assert!(row[part[2]..].iter().all(|&word| word == 0), "padding of {part:?}");
                row.fill(POISON);
            }
            all.push(values);
        }
        assert_eq!(words.iter().position(|&word| word != POISON), None, "written between parts");
        all
    }

    /// Weight and bias of layer number `i`.
    pub fn layer(&self, tensor: &Tensor, i: usize) -> [Tensor; 2] {
        let [weight, bias] = [self.parts[2 * i], self.parts[2 * i + 1]];
        [tensor.view_matrix(weight[0], &weight[1..]), tensor.view(bias[0], &[bias[2]])]
    }
}

/// A recording's dy and x of every layer, with poison around them.
pub struct Sides {
    pub layers: Vec<[Tensor; 2]>,
    margins: Vec<Tensor>,
}

impl Sides {
    /// Of rows and columns of dy and of x.
    pub fn new(recording: &Recording, shapes: impl Iterator<Item = [[usize; 2]; 2]>) -> Self {
        let mut margins = vec![recording.vector(MARGIN)];
        let mut side = |shape: [usize; 2]| {
            let tensor = recording.matrix(&shape);
            margins.push(recording.vector(MARGIN));
            tensor
        };
        let layers = shapes.map(|shapes| shapes.map(&mut side)).collect();
        Self { layers, margins }
    }

    /// Writes dy and x of every layer, once the recording is compiled.
    pub fn write(&self, gpu: &Gpu, values: &[[Vec<f32>; 2]]) {
        self.margins.iter().for_each(|margin| margin.write(gpu, &[POISON; MARGIN]));
        for (tensor, values) in self.layers.iter().flatten().zip(values.iter().flatten()) {
            tensor.write(gpu, values);
        }
    }

    /// Likewise random ones, dy from `range`, and returns them.
    pub fn fill(&self, gpu: &Gpu, seed: u64, range: Range<f32>) -> Vec<[Vec<f32>; 2]> {
        let draw = |(layer, seed): (&[Tensor; 2], u64)| {
            let x = check::random(seed + 1, layer[1].len(), 0.2..1.0);
            [check::random(seed, layer[0].len(), range.clone()), x]
        };
        let values: Vec<_> = self.layers.iter().zip((1000 * seed..).step_by(2)).map(draw).collect();
        self.write(gpu, &values);
        values
    }
}

/// For dy of a step of Adam, which divides gradients by their size: those that cancel to nearly
/// nothing would have updates of any size and sign.
pub fn one_sign(step: u32) -> Range<f32> {
    if step.is_multiple_of(2) { 0.2..1.0 } else { -1.0..-0.2 }
}
