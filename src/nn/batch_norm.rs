//! Batch normalization (Ioffe and Szegedy 2015).

use super::{Graph, Layer, LayerSpec, ParameterSpec, Shape, ValueId};
use crate::ops::activation::Activation;
use crate::ops::batch_norm;
use crate::ops::moments::Normalized;

/// y = f((x − mean) / √(variance + 1e-5) · weight + bias) by feature or channel, as PyTorch's
/// `BatchNorm1d` and `BatchNorm2d`: over the batch in training, by the running statistics in
/// evaluation.
struct BatchNorm {
    input: Shape,
    activation: Option<Activation>,
}

pub(super) fn build(_: &LayerSpec, input: Shape, _: Shape) -> Result<Box<dyn Layer>, String> {
    Ok(Box::new(BatchNorm { input, activation: None }))
}

const PARAMETERS: [&str; 2] = ["weight", "bias"];
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

impl Layer for BatchNorm {
    fn output(&self) -> Shape {
        self.input
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        let spec = |name, value| ParameterSpec::constant(name, &[self.input.columns()], value);
        vec![spec(PARAMETERS[0], 1.0), spec(PARAMETERS[1], 0.0)]
    }

    fn statistics(&self) -> Vec<ParameterSpec> {
        let spec = |name, value| ParameterSpec::constant(name, &[self.input.columns()], value);
        vec![spec(STATISTICS[0], 0.0), spec(STATISTICS[1], 1.0)]
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn apply(&self, graph: &mut Graph, label: &str, inputs: &[ValueId]) -> ValueId {
        let (id, x) = (inputs[0], graph.tensor(inputs[0]));
        let parameters = graph.parameters(label, PARAMETERS);
        let statistics = graph.statistics(label, STATISTICS);
        let is_training = graph.training().is_some();
        let out = graph.output(id, self.input, self.activation);
        let (recording, outputs) = (&mut *graph.recording, [&out.pre, &out.y]);
        let (own, kept) = (parameters.each_ref(), statistics.each_ref());
        let activation = self.activation;
        if !is_training {
            batch_norm::evaluate(recording, label, &x, own, kept, activation, outputs);
            return graph.push(label, inputs, &parameters.clone(), out, |_, _| ());
        }
        let moments = batch_norm::forward(recording, label, &x, own, kept, activation, outputs);
        graph.push(label, inputs, &parameters.clone(), out, move |back, dy| {
            // The sums behind the gradient by x are the gradients by the parameters: even where
            // nobody wants the former, or the latter.
            let (mut origin, dx) = (back.origin(id), back.allocate(id));
            origin.pre = back.apart(id, origin.pre, &x);
            let gradients = parameters.each_ref().map(|parameter| back.direct(parameter));
            let forward = Normalized { x: &x, weight: &parameters[0], moments: &moments };
            let ((recording, label), gradients) = (back.recorder(), gradients.each_ref());
            batch_norm::backward(recording, label, dy, forward, &origin, gradients, &dx);
            back.add(id, dx);
        })
    }
}
