//! Draws from the prior.

use super::blocks::{Port, Ports, input};
use super::{Network, Vae};
use crate::config::Prior;
use crate::error::{Error, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::Shape;
use crate::ops::noise;

impl Vae {
    /// `count` draws from the prior, (count, latent): those that [`Vae::sample_seeded`] decodes.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn prior(&self, count: usize, seed: u64) -> Result<Vec<f32>> {
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        self.prior_from(0, count, seed)
    }

    /// The rows of [`Vae::prior`] from number `first` on, which is a multiple of [`noise::BLOCK`].
    pub(super) fn prior_from(&self, first: usize, count: usize, seed: u64) -> Result<Vec<f32>> {
        let (latents, top) = (self.network().latents(), self.config().prior);
        // Of each level, those of the prior of the highest last.
        let highest = latents[latents.len() - 1];
        let (below, factors) = (latents.iter().sum::<usize>() - highest, normals_of(top));
        let columns = below + factors * highest;
        let normals = noise::standard_normals_from(self.gpu(), first, [count, columns], seed)?;
        if latents.len() == 1 {
            return Ok(drawn(top, normals));
        }
        let row = |row: usize, column: usize| &normals[row * columns + column..];
        let highest = |i: usize| drawn(top, row(i, below)[..factors * highest].to_vec());
        let mut z = Vec::with_capacity(count * latents[0]);
        let record = |recording: &mut Recording, rows, _: &Tensor| {
            self.network().descending(recording, rows)
        };
        let fill = |first: usize, wanted, port| {
            let rows = first..first + wanted;
            Ok(match port {
                Port::Noise(level, latent) => {
                    let column = latents[..level].iter().sum();
                    rows.flat_map(|i| row(i, column)[..latent].iter().copied()).collect()
                }
                _ => rows.flat_map(highest).collect(),
            })
        };
        self.blocks(
            count,
            record,
            fill,
            |block, _| block,
            |made| {
                z.extend(&made[0]);
                Ok(())
            },
        )?;
        Ok(z)
    }
}

/// Standard normals that a draw from `prior` takes.
fn normals_of(prior: Prior) -> usize {
    match prior {
        Prior::Normal => 1,
        Prior::Laplace => 4,
    }
}

/// Draws from `prior` made of so many standard normals each.
fn drawn(prior: Prior, normals: Vec<f32>) -> Vec<f32> {
    match prior {
        Prior::Normal => normals,
        // A sum of two products of standard normals has the Laplace distribution of scale 1: both have the
        // characteristic function 1 / (1 + t²).
        Prior::Laplace => normals.chunks(4).map(|n| n[0] * n[1] + n[2] * n[3]).collect(),
    }
}

impl Network {
    /// Records the way from draws of the highest level's prior, and noise for those below, to the first
    /// level's latent variables, which come out.
    fn descending(&self, recording: &mut Recording, rows: usize) -> Ports {
        let mut graph = self.graph(recording, None);
        let mut inputs = Vec::new();
        let latents = self.latents();
        let (highest, below) = latents.split_last().expect("there is a level");
        let mut given = |port, latent: usize| {
            input(&mut graph, &mut inputs, port, (Shape::Features(latent), rows))
        };
        let top = given(Port::Values(Shape::Features(*highest)), *highest);
        let noise = below.iter().enumerate();
        let noise: Vec<_> =
            noise.map(|(i, latent)| given(Port::Noise(i, *latent), *latent)).collect();
        let z = self.descended(&mut graph, top, &noise);
        Ports { inputs, outputs: vec![graph.tensor(z)] }
    }
}
