//! A model's step, recorded: the batch, the encoder, the latent variables, the decoder, the losses.

use super::network::{HEAD, LIKELIHOOD, LOG_SCALE};
use super::{Batch, Distribution, Model, Network, Phase, Running, Step, Term};

use crate::error::{Load, Result};
use crate::gpu::{Recording, Tensor};
use crate::nn::{Draws, Graph, Layer, Output, Shape, ValueId, Weights};
use crate::ops::latent::{self, KlObjective};
use crate::ops::loss;
use crate::ops::matmul::Problem;

/// The name of the reconstruction loss, the negative log-likelihood.
pub const RECON: &str = "recon";
/// The name of the KL divergence of the posterior from the prior.
pub const KL: &str = "kl";

/// The negative evidence lower bound of a batch (Kingma and Welling 2013, equation 7), recorded.
pub struct Elbo {
    /// The value at which the backward pass begins; it knows its own gradient.
    pub loss: ValueId,
    /// Reconstruction loss in nats, in parts that add up to the batch's sum.
    pub recon: Tensor,
}

impl Model for Network {
    fn weights(&self) -> &Weights {
        &self.weights
    }

    fn record(&self, step: &mut Step) -> Result<Phase> {
        let load = if step.graph.training().is_some() { Load::Step } else { Load::Batch };
        self.check_rows(
            step.rows().saturating_mul(self.config().samples),
            step.graph.recording.adapter(),
            load,
        )?;
        let batch = self.gathered(step)?;
        Ok(self.phase(step, batch))
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = Vec::new();
        for problem in self.layers().flat_map(|(_, layer)| layer.problems()) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        problems
    }

    fn units(&self) -> usize {
        if self.config().is_deep() { 0 } else { latent::STATISTICS * self.config().latent }
    }
}

impl Network {
    /// Records the losses of `batch`, which is free again when nothing needs it any more, and returns
    /// the one phase that moves all parameters.
    pub fn phase(&self, step: &mut Step, batch: Batch) -> Phase {
        let config = self.config();
        let (steps_per_epoch, epochs) =
            step.training().map_or((1, 1), |(train, steps)| (steps, train.epochs));
        let objective = config.kl_objective(steps_per_epoch, epochs);
        let running = step.running();
        let graph = &mut step.graph;
        let terms = match config.is_sampled() {
            true => self.sampled(graph, &batch, running, &objective, (steps_per_epoch, epochs)),
            false => {
                let Elbo { loss, recon } = self.elbo(graph, &batch, running, &objective);
                vec![Term::summed(RECON, loss, recon), Term::kl(KL, objective)]
            }
        };
        Phase::new("step", terms)
    }

    /// A graph over its parameters, for training if there are draws for it.
    pub fn graph<'a>(
        &'a self,
        recording: &'a mut Recording,
        training: Option<Draws<'a>>,
    ) -> Graph<'a> {
        Graph::new(recording, self.weights(), training)
    }

    /// Records the encoder and the layer that gives the latent variables: of a variational model the
    /// posterior's mean and log-variance, side by side (rows, 2 · latent).
    pub(super) fn encoded(
        &self,
        graph: &mut Graph,
        x: ValueId,
        condition: Option<ValueId>,
    ) -> ValueId {
        let input = self.beside(graph, "encoder", x, condition);
        let encoder = self.encoder.apply(graph, input);
        if ![x, encoder].contains(&input) {
            graph.release(input);
        }
        let head = self.head.apply(graph, HEAD, &[encoder]);
        graph.release(encoder);
        head
    }

    /// Records the losses of `batch` with z = mean + exp(logvar / 2) · epsilon, and adds to `running`
    /// what the KL divergence is. The backward pass takes the batch mean of recon + β · KL, or of what
    /// `divergence` makes of it.
    pub fn elbo(
        &self,
        graph: &mut Graph,
        batch: &Batch,
        running: &Running,
        objective: &KlObjective,
    ) -> Elbo {
        let Batch { rows, x, target, epsilon, .. } = batch;
        let x = graph.input(self.input, *rows, x.clone());
        let condition = self.batch_condition(graph, batch);
        let head = self.encoded(graph, x, condition);
        let z = match self.config().variational {
            true => {
                let z = self.reparameterized(graph, head, epsilon, running, objective);
                graph.release(head);
                z
            }
            false => head,
        };
        let given = self.beside(graph, "decoder", z, condition);
        let output = self.decoder.apply(graph, given);
        // A decoder without layers hands z on.
        [z, given].into_iter().filter(|id| *id != output).for_each(|id| graph.release(id));
        self.reconstruction(graph, output, target)
    }

    /// Records z and the KL divergence in one kernel, and their backward pass in another: the plain bound's
    /// fast path. Several rows of moments may be of one image.
    pub(super) fn reparameterized(
        &self,
        graph: &mut Graph,
        head: ValueId,
        epsilon: &Tensor,
        running: &Running,
        objective: &KlObjective,
    ) -> ValueId {
        let (latent, rows) = (self.config().latent, graph.rows(head));
        let (shape, moments) = (Shape::Features(latent), graph.tensor(head));
        let (z, kl) = (graph.allocate(shape, rows), graph.recording.vector(latent + 1));
        let (Running { state, units, .. }, samples) = (running, self.config().samples);
        let tensors = [&moments, epsilon, &z, &kl];
        latent::forward(graph.recording, HEAD, state, samples, tensors, units);
        let (epsilon, state, objective) = (epsilon.clone(), state.clone(), *objective);
        graph.push(HEAD, &[head], &[], Output::plain(shape, rows, z), move |back, dz| {
            let dhead = back.allocate(head);
            let (recording, label) = back.recorder();
            latent::backward(
                recording, label, &state, &objective, &moments, &epsilon, &kl, dz, &dhead,
            );
            back.add(head, dhead);
        })
    }

    /// Records the negative log-likelihood of `target`, its sum and its gradient in one kernel.
    fn reconstruction(&self, graph: &mut Graph, output: ValueId, target: &Tensor) -> Elbo {
        let (likelihood, rows) = (self.config().likelihood, graph.rows(output));
        let learnt = likelihood.is_learnt();
        let scale = learnt.then(|| graph.parameters(LIKELIHOOD, [LOG_SCALE])).map(|[scale]| scale);
        let (pre, activation) = graph.pre(output);
        let doutput = graph.allocate(graph.shape(output), rows);
        let recon = loss::forward(
            graph.recording,
            "decoder",
            likelihood,
            &pre,
            activation,
            target,
            scale.as_ref(),
            rows,
            &doutput,
        );
        let (target, losses) = (target.clone(), recon.clone());
        let value = Output::plain(Shape::Features(recon.len()), 1, recon.clone());
        let parameters: Vec<_> = scale.iter().cloned().collect();
        let loss = graph.push(LIKELIHOOD, &[output], &parameters, value, move |back, _| {
            if let Some(scale) = &scale {
                let dscale = back.direct(scale);
                let (recording, label) = back.recorder();
                loss::backward_scale(
                    recording, label, likelihood, &target, &losses, scale, rows, &dscale,
                );
            }
            match activation {
                Some(_) => back.add(output, doutput.clone()),
                None => back.pass(output, doutput.clone()),
            }
        });
        Elbo { loss, recon }
    }

    /// The distribution of the pixels, given what the decoder gives for each of them.
    pub(super) fn likelihood(&self, graph: &mut Graph, output: ValueId) -> Distribution {
        let likelihood = self.config().likelihood;
        let scale = likelihood.is_learnt().then(|| graph.parameters(LIKELIHOOD, [LOG_SCALE]));
        Distribution::Given { likelihood, output, log_scale: scale.map(|[scale]| scale) }
    }

    /// Records the decoder for z (rows, latent), given a condition, and the mean of the likelihood, or a
    /// draw from it by a seed and the step in a state; laid out as the decoder's output. Values are in
    /// [0, 1] as far as the model keeps to them.
    pub(super) fn decoded(
        &self,
        graph: &mut Graph,
        z: ValueId,
        condition: Option<ValueId>,
        draw: Option<(u64, &Tensor)>,
    ) -> Tensor {
        let given = self.beside(graph, "decoder", z, condition);
        let output = self.decoder.apply(graph, given);
        let made = graph.allocate(graph.shape(output), graph.rows(output));
        let (output, likelihood) = (graph.tensor(output), self.config().likelihood);
        let recording = &mut *graph.recording;
        match draw {
            None => loss::mean(recording, "decoder", likelihood, &output, &made),
            Some((seed, state)) => {
                let scale = self.log_scale();
                let scale = scale.as_ref();
                loss::draw(recording, "decoder", likelihood, seed, state, &output, scale, &made);
            }
        }
        made
    }
}
