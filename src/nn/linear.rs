//! The fully connected layer.

use super::{Backward, Layer, Origin, ParameterSpec, Value};
use crate::gpu::{Plan, Tensor};
use crate::ops::matmul::{self, WeightGradient};

/// y = f(x Wᵀ + b) with W (outputs, inputs), b (outputs) and an activation f, initialised as
/// PyTorch's `Linear`: both uniform within ±1/√inputs.
#[derive(Clone, Copy)]
pub struct Linear {
    /// Values per image that go in.
    pub inputs: usize,
    /// Values per image that come out.
    pub outputs: usize,
    /// One of [`crate::ops::activation::NAMES`].
    pub activation: Option<&'static str>,
}

impl Linear {
    /// As the encoder's last layer: z by [`matmul::forward_latent`], and its KL divergence.
    pub fn forward_latent(
        &self,
        plan: &mut Plan,
        label: &str,
        parameters: &[Tensor],
        x: &Value,
        epsilon: &Tensor,
    ) -> (Value, Tensor) {
        let batch = x.tensor.rows();
        let head = plan.matrix(&[batch, self.outputs]);
        let z = plan.matrix(&[batch, self.outputs / 2]);
        let [weight, bias] = parameters else { panic!("{label}: a weight and a bias") };
        let kl = matmul::forward_latent(plan, label, &x.tensor, weight, bias, epsilon, &head, &z);
        (Value { tensor: z, origin: Origin::Latent { head, epsilon: epsilon.clone() } }, kl)
    }

    /// As the decoder's last layer: dy and the reconstruction loss by [`matmul::forward_loss`].
    pub fn forward_loss(
        &self,
        plan: &mut Plan,
        label: &str,
        parameters: &[Tensor],
        x: &Value,
        likelihood: &str,
        target: &Tensor,
    ) -> (Tensor, Tensor) {
        let dy = plan.matrix(&[x.tensor.rows(), self.outputs]);
        let [weight, bias] = parameters else { panic!("{label}: a weight and a bias") };
        let Self { activation, .. } = *self;
        let x = &x.tensor;
        let recon =
            matmul::forward_loss(plan, label, x, weight, bias, activation, likelihood, target, &dy);
        (dy, recon)
    }
}

impl Layer for Linear {
    fn parameters(&self) -> Vec<ParameterSpec> {
        let bound = 1.0 / (self.inputs as f64).sqrt();
        vec![
            ParameterSpec::new("weight", &[self.outputs, self.inputs], bound),
            ParameterSpec::new("bias", &[self.outputs], bound),
        ]
    }

    fn forward(&self, plan: &mut Plan, label: &str, parameters: &[Tensor], x: &Value) -> Value {
        let shape = [x.tensor.rows(), self.outputs];
        let (pre, y) = (plan.matrix(&shape), plan.matrix(&shape));
        let [weight, bias] = parameters else { panic!("{label}: a weight and a bias") };
        matmul::forward(plan, label, &x.tensor, weight, bias, self.activation, &pre, &y);
        Value { tensor: y, origin: Origin::Activation { name: self.activation, pre } }
    }

    fn backward(&self, pass: &mut Backward, label: &str, x: &Value, dy: &Tensor) -> Option<Tensor> {
        let [weight, bias] = &pass.parameters.of(label)[..] else {
            panic!("{label}: a weight and a bias")
        };
        pass.weights.push(WeightGradient {
            dy: dy.clone(),
            x: x.tensor.clone(),
            weight: weight.clone(),
            bias: bias.clone(),
        });
        match &x.origin {
            Origin::Input => None,
            Origin::Activation { name, pre } => {
                let dx = pass.plan.matrix(x.tensor.shape());
                matmul::backward_input(pass.plan, label, dy, weight, *name, pre, &dx);
                Some(dx)
            }
            Origin::Latent { head, epsilon } => {
                let dhead = pass.plan.matrix(head.shape());
                let Backward { plan, state, .. } = pass;
                matmul::backward_latent(plan, label, state, dy, weight, head, epsilon, &dhead);
                Some(dhead)
            }
        }
    }
}
