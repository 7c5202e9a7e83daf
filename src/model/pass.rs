//! What a [`Vae`] records: its forward and backward passes, and what is drawn from it.

use super::network::{HEAD, LIKELIHOOD, LOG_SCALE};
use super::{Running, Vae};
use crate::gpu::{Recording, Tensor};
use crate::nn::{self, Draws, Layer, Parameters, Value};
use crate::ops::latent::{self, Divergence};
use crate::ops::{conv, loss, matmul};

/// What a step is given, of the plan's own.
pub struct Batch {
    /// Images in it.
    pub rows: usize,
    /// What the encoder takes, laid out as [`super::Network::input`] says.
    pub x: Tensor,
    /// What the decoder is to give, laid out as its output; x itself where both are the same.
    pub target: Tensor,
    /// Standard normals (rows · latent).
    pub epsilon: Tensor,
}

impl Batch {
    /// Whether what goes in is what is to come out.
    pub fn is_own_target(&self) -> bool {
        self.x.is_same(&self.target)
    }
}

/// The tensors of a recorded forward pass over a batch.
pub struct Forward {
    rows: usize,
    /// Encoder: x, then each layer's output.
    encoder: Vec<Value>,
    /// The layer between encoder and decoder: of a variational model, (rows, 2 · latent).
    head: Value,
    epsilon: Tensor,
    /// Decoder: z (rows, latent), then each layer's output.
    decoder: Vec<Value>,
    target: Tensor,
    /// Gradient of the batch's mean reconstruction loss by what the decoder's output came out of.
    doutput: Tensor,
    /// Reconstruction loss in nats, in parts that add up to the batch's sum.
    pub recon: Tensor,
    /// KL divergence of each latent variable in nats, unweighted, summed over the batch.
    kl: Tensor,
}

impl Vae {
    /// Tensors of `plan` for a batch of `rows` images and its noise.
    pub fn batch(&self, plan: &Recording, rows: usize) -> Batch {
        let (input, output) = (self.network().input, self.network().decoder.output());
        let x = input.tensor(plan, rows);
        let same = input == output && self.config().corruption.is_none();
        let target = if same { x.clone() } else { output.tensor(plan, rows) };
        Batch { rows, x, target, epsilon: plan.vector(rows * self.config().latent) }
    }

    /// Records the forward pass of `batch` and its losses, in training if there are draws for it:
    /// z = mean + exp(logvar / 2) · epsilon.
    pub fn forward(
        &self,
        plan: &mut Recording,
        batch: &Batch,
        running: &Running,
        training: Option<u64>,
    ) -> Forward {
        let training = training.map(|seed| Draws { seed, state: &running.state });
        let Batch { rows, x, target, epsilon } = batch;
        let mut pass = self.pass(plan, *rows, training);
        let (encoder, head) = self.encode(&mut pass, x);
        let kl = pass.plan.vector(self.config().latent);
        let z = match self.config().variational {
            true => {
                let z = pass.plan.matrix(&[*rows, self.config().latent]);
                let Running { state, units, .. } = running;
                latent::forward(pass.plan, HEAD, state, &head.tensor, epsilon, &z, &kl, units);
                z
            }
            false => head.tensor.clone(),
        };
        let decoder = self.network().decoder.forward(&mut pass, Value::new(z));
        let output = &decoder[decoder.len() - 1];
        let doutput = self.network().decoder.output().tensor(pass.plan, *rows);
        let origin = output.origin.as_ref().expect("it depends on z");
        let recon = loss::forward(
            pass.plan,
            "decoder",
            self.config().likelihood,
            &origin.pre,
            origin.activation,
            target,
            self.log_scale().as_ref(),
            *rows,
            &doutput,
        );
        let (epsilon, target) = (epsilon.clone(), target.clone());
        Forward { rows: *rows, encoder, head, epsilon, decoder, target, doutput, recon, kl }
    }

    /// Records the backward pass of the batch mean of the objective, recon + β · KL or what
    /// `divergence` makes of it, as far as the products that give the parameters' gradients, which it
    /// returns. What no product gives goes into `gradients`.
    pub fn backward(
        &self,
        plan: &mut Recording,
        forward: &Forward,
        divergence: &Divergence,
        training: Draws,
        gradients: Option<&Parameters>,
    ) -> (Vec<matmul::WeightGradient>, Vec<conv::WeightGradient>) {
        let Forward { rows, encoder, head, epsilon, decoder, target, doutput, recon, kl } = forward;
        let parameters = self.parameters();
        let (weights, convolutions) = (Vec::new(), Vec::new());
        let mut pass = nn::Backward {
            plan,
            batch: *rows,
            parameters,
            gradients,
            training,
            weights,
            convolutions,
        };
        if let Some(scale) = self.log_scale() {
            let gradients = gradients.expect("the scale's gradient has a place");
            let [dscale] = gradients.expect(LIKELIHOOD, [LOG_SCALE]);
            let likelihood = self.config().likelihood;
            loss::backward_scale(
                pass.plan, LIKELIHOOD, likelihood, target, recon, &scale, *rows, &dscale,
            );
        }
        let network = self.network();
        let dz = network.decoder.backward(&mut pass, decoder, doutput).expect("z has an origin");
        let dhead = match self.config().variational {
            true => {
                let dhead = pass.plan.matrix(head.tensor.shape());
                let state = training.state;
                let head = &head.tensor;
                latent::backward(
                    pass.plan, HEAD, state, divergence, head, epsilon, kl, &dz, &dhead,
                );
                dhead
            }
            false => dz,
        };
        let below = &encoder[encoder.len() - 1];
        if let Some(dy) = network.head.backward(&mut pass, HEAD, [below, head], &dhead) {
            network.encoder.backward(&mut pass, encoder, &dy);
        }
        (pass.weights, pass.convolutions)
    }

    fn pass<'a>(
        &'a self,
        plan: &'a mut Recording,
        batch: usize,
        training: Option<Draws<'a>>,
    ) -> nn::Forward<'a> {
        let (parameters, statistics) = (self.parameters(), self.statistics());
        nn::Forward { plan, batch, parameters, statistics, training }
    }

    /// Records the encoder: x, each layer's output, and the head's.
    fn encode(&self, pass: &mut nn::Forward, x: &Tensor) -> (Vec<Value>, Value) {
        let encoder = self.network().encoder.forward(pass, Value::input(x.clone()));
        let head = self.network().head.forward(pass, HEAD, &encoder[encoder.len() - 1]);
        (encoder, head)
    }

    /// Records the decoder for z (rows, latent) and the mean of the likelihood, or a draw from it by a
    /// seed and the step in a state; laid out as the decoder's output. Values are in [0, 1] as far as
    /// the model keeps to them.
    pub(super) fn decode(
        &self,
        plan: &mut Recording,
        z: &Tensor,
        draw: Option<(u64, &Tensor)>,
    ) -> Tensor {
        let rows = z.rows();
        let mut pass = self.pass(plan, rows, None);
        let decoder = self.network().decoder.forward(&mut pass, Value::input(z.clone()));
        let output = &decoder[decoder.len() - 1].tensor;
        let made = self.network().decoder.output().tensor(plan, rows);
        let likelihood = self.config().likelihood;
        match draw {
            None => loss::mean(plan, "decoder", likelihood, output, &made),
            Some((seed, state)) => {
                let scale = self.log_scale();
                let scale = scale.as_ref();
                loss::draw(plan, "decoder", likelihood, seed, state, output, scale, &made);
            }
        }
        made
    }

    /// Records the encoder; returns x, laid out as [`super::Network::input`] says, and the posterior's mean
    /// (rows, latent).
    pub(super) fn posterior_mean(&self, plan: &mut Recording, rows: usize) -> (Tensor, Tensor) {
        let mut batch = self.batch(plan, rows);
        batch.epsilon = Tensor::zeros("epsilon", batch.epsilon.shape());
        let (_, head) = self.encode(&mut self.pass(plan, rows, None), &batch.x);
        if !self.config().variational {
            return (batch.x, head.tensor);
        }
        let z = plan.matrix(&[rows, self.config().latent]);
        let kl = plan.vector(self.config().latent);
        let Running { state, units, .. } = Running::new(self);
        latent::forward(plan, HEAD, &state, &head.tensor, &batch.epsilon, &z, &kl, &units);
        (batch.x, z)
    }
}
