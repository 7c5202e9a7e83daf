//! What a model makes: draws from the prior, decoded.

use super::{Network, Vae};
use crate::data::Images;
use crate::error::{Error, Load, Result};
use crate::gpu::{Plan, Recording, Tensor};
use crate::ops::State;
use crate::ops::noise::{self, BLOCK};

/// The decoder, ready to run.
struct Decoder {
    plan: Plan,
    /// (rows, latent)
    z: Tensor,
    /// What the pixels' draws depend on, beside their place: the first row that is decoded with them.
    place: Tensor,
    /// Laid out as the decoder's output.
    made: Tensor,
}

impl Vae {
    /// `count` new images, the same at every call: the mean of the likelihood for draws from the prior of
    /// seed 0.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample(&self, count: usize) -> Result<Images> {
        self.sample_seeded(count, 0)
    }

    /// `count` new images: the mean of the likelihood for draws from the prior that are a function of
    /// `seed`. Image i is the same whatever the count.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrior`] when the model is a plain autoencoder, [`Error::Gpu`] if the adapter fails.
    pub fn sample_seeded(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, false)
    }

    /// The images of [`Vae::sample_seeded`] with pixels drawn from the likelihood in place of its mean.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn sample_drawn(&self, count: usize, seed: u64) -> Result<Images> {
        self.generate(count, seed, true)
    }

    /// `count` draws from the prior, (count, latent): those that [`Vae::sample_seeded`] decodes.
    ///
    /// # Errors
    ///
    /// As [`Vae::sample_seeded`].
    pub fn prior(&self, count: usize, seed: u64) -> Result<Vec<f32>> {
        if !self.config().variational {
            return Err(Error::NoPrior);
        }
        noise::standard_normals(self.gpu(), [count, self.config().latent], seed)
    }

    /// The mean of the likelihood for each row of z (rows, latent), as images.
    ///
    /// # Errors
    ///
    /// [`Error::Input`] when the length of z is no multiple of the number of latent variables,
    /// [`Error::Gpu`] if the adapter fails.
    pub fn decode(&self, z: &[f32]) -> Result<Images> {
        self.images_by(z, None)
    }

    /// The mean of the likelihood for each row of z (rows, latent), as values (rows, channels, height,
    /// width): in \[0, 1\] as far as the model keeps to that.
    ///
    /// # Errors
    ///
    /// As [`Vae::decode`].
    pub fn decode_values(&self, z: &[f32]) -> Result<Vec<f32>> {
        let mut all = Vec::new();
        self.decode_by(z, None, |values| all.extend(values))?;
        Ok(all)
    }

    fn generate(&self, count: usize, seed: u64, draw: bool) -> Result<Images> {
        let z = self.prior(count, seed)?;
        self.images_by(&z, draw.then_some(seed))
    }

    fn images_by(&self, z: &[f32], draw: Option<u64>) -> Result<Images> {
        let mut pixels = Vec::new();
        self.decode_by(z, draw, |values| pixels.extend(Images::quantised(&values)))?;
        Ok(Images { shape: self.shape(), pixels })
    }

    /// Hands on what becomes of z, a block at a time.
    fn decode_by(
        &self,
        z: &[f32],
        draw: Option<u64>,
        mut block: impl FnMut(Vec<f32>),
    ) -> Result<()> {
        let (gpu, latent) = (self.gpu(), self.config().latent);
        if !z.len().is_multiple_of(latent) {
            return Err(Error::Input(format!(
                "{} values are no whole number of rows of {latent} latent variables",
                z.len()
            )));
        }
        if z.is_empty() {
            return Ok(());
        }
        let decoder = self.decoder((z.len() / latent).min(BLOCK), draw)?;
        for (i, rows) in z.chunks(decoder.z.len()).enumerate() {
            let mut all = rows.to_vec();
            all.resize(decoder.z.len(), 0.0);
            decoder.z.write(gpu, &all);
            let step = (i * decoder.z.rows()) as u32;
            State { step, ..State::default() }.write(gpu, &decoder.place);
            decoder.plan.run();
            let made: Vec<f32> = decoder.made.read(gpu)?;
            let made = &made[..rows.len() / latent * self.shape().pixels()];
            block(self.network().decoder.output().channels_first(made));
        }
        Ok(())
    }

    /// The decoder for `rows` at once, or as many as fit the adapter.
    fn decoder(&self, rows: usize, draw: Option<u64>) -> Result<Decoder> {
        let place = State::tensor("place");
        let ((z, made), recording) = as_many_as_fit(rows, |rows| {
            let mut recording = self.recording();
            let parts = self.network().sampling(&mut recording, rows, draw, &place);
            (parts, recording)
        })?;
        Ok(Decoder { plan: recording.compile(self.gpu()), z, place, made })
    }
}

impl Network {
    /// Records the decoder for `rows`; returns z (rows, latent), which is to be written, and what it
    /// makes of it, the likelihood's mean or draws from it by a seed and the step in `place`.
    pub(crate) fn sampling(
        &self,
        recording: &mut Recording,
        rows: usize,
        draw: Option<u64>,
        place: &Tensor,
    ) -> (Tensor, Tensor) {
        let z = recording.matrix(&[rows, self.config().latent]);
        let made = self.decoded(recording, &z, draw.map(|seed| (seed, place)));
        (z, made)
    }
}

/// What `record` makes of `rows`, or of fewer where that does not fit the adapter.
pub(super) fn as_many_as_fit<T>(
    mut rows: usize,
    record: impl Fn(usize) -> (T, Recording),
) -> Result<(T, Recording)> {
    loop {
        let (parts, recording) = record(rows);
        match recording.check_fits(Load::Image) {
            Ok(()) => return Ok((parts, recording)),
            Err(e) if rows == 1 => return Err(e),
            Err(_) => rows = rows.div_ceil(2),
        }
    }
}
