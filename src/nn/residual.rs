//! Residual blocks (He et al. 2015).

use super::{
    Backward, Build, Chain, Forward, Layer, LayerSpec, ParameterSpec, Setting, Shape, Value,
};
use crate::gpu::{Recording, Tensor};
use crate::ops::activation::Activation;
use crate::ops::matmul::Problem;
use crate::ops::{activate, add};

/// y = f(x + g(x)), g a chain of layers that keeps the shape.
struct Residual {
    chain: Chain,
    label: String,
    activation: Option<Activation>,
}

pub(super) fn build(
    spec: &LayerSpec,
    input: Shape,
    build: &Build,
) -> Result<Box<dyn Layer>, String> {
    let layers = match &spec.size {
        Some(Setting::Layers(layers)) => Some(&layers[..]),
        // What an empty list parses as.
        Some(Setting::Integers(sizes)) if sizes.is_empty() => Some(&[][..]),
        _ => None,
    };
    let Some(layers) = layers else {
        return Err(
            "wants a list of layers, as in { residual = [{ linear = 64 }, \"relu\"] }".into()
        );
    };
    if layers.is_empty() {
        return Err("wants at least one layer in it".into());
    }
    let chain = Chain::new(build.label, layers, input, build).map_err(|e| e.to_string())?;
    if chain.output() != input {
        let output = chain.output();
        return Err(format!("its layers make {output} of that, and must keep the shape"));
    }
    Ok(Box::new(Residual { chain, label: build.label.into(), activation: None }))
}

impl Residual {
    /// `tensor`, or a copy where layers that have nothing to do have handed `other` on: kernels take
    /// no tensor twice.
    fn apart(
        &self,
        plan: &mut Recording,
        batch: usize,
        label: &str,
        tensor: &Tensor,
        other: &Tensor,
    ) -> Tensor {
        if !tensor.is_same(other) {
            return tensor.clone();
        }
        let copy = self.output().tensor(plan, batch);
        activate::forward(plan, label, tensor, None, &copy);
        copy
    }

    /// Names within the block: its chain's begin with its own label.
    fn own(&self, specs: Vec<ParameterSpec>) -> Vec<ParameterSpec> {
        let prefix = self.label.len() + 1;
        let own = |spec: ParameterSpec| ParameterSpec { name: spec.name[prefix..].into(), ..spec };
        specs.into_iter().map(own).collect()
    }
}

impl Layer for Residual {
    fn output(&self) -> Shape {
        self.chain.output()
    }

    fn parameters(&self) -> Vec<ParameterSpec> {
        self.own(self.chain.parameters())
    }

    fn statistics(&self) -> Vec<ParameterSpec> {
        self.own(self.chain.statistics())
    }

    fn is_fusible(&self) -> bool {
        self.chain.links().iter().all(|link| link.layer.is_fusible())
    }

    fn problems(&self) -> Vec<Problem> {
        self.chain.links().iter().flat_map(|link| link.layer.problems()).collect()
    }

    fn inner(&self) -> Option<&Chain> {
        Some(&self.chain)
    }

    fn activate(&mut self, name: Activation) -> bool {
        super::take(&mut self.activation, name)
    }

    fn flop(&self) -> u64 {
        self.chain.links().iter().map(|link| link.layer.flop()).sum()
    }

    fn bytes(&self) -> u64 {
        let inner: u64 = self.chain.links().iter().map(|link| link.layer.bytes()).sum();
        inner + 3 * self.output().bytes()
    }

    fn forward(&self, pass: &mut Forward, label: &str, x: &Value) -> Value {
        let inner = self.chain.forward(pass, x.clone());
        let [pre, y] = [(); 2].map(|()| self.output().tensor(pass.plan, pass.batch));
        let last = &inner[inner.len() - 1].tensor;
        let last = self.apart(pass.plan, pass.batch, label, last, &x.tensor);
        add::forward(pass.plan, label, [&x.tensor, &last], self.activation, &pre, &y);
        Value { inner, ..Value::activated(self.activation, pre, y) }
    }

    fn backward(
        &self,
        pass: &mut Backward,
        label: &str,
        [x, y]: [&Value; 2],
        dy: &Tensor,
    ) -> Option<Tensor> {
        // The sum's gradient is that of either side, taken back through what it came out of.
        let last = &y.inner[y.inner.len() - 1];
        let dlast = match &last.origin {
            Some(origin) if origin.activation.is_some() => {
                let dlast = self.output().tensor(pass.plan, pass.batch);
                activate::backward(pass.plan, label, dy, origin, &dlast);
                dlast
            }
            _ => dy.clone(),
        };
        let dx = self.chain.backward(pass, &y.inner, &dlast);
        let origin = x.origin.as_ref()?;
        let sum = self.output().tensor(pass.plan, pass.batch);
        let dx = self.apart(pass.plan, pass.batch, label, &dx?, dy);
        add::backward(pass.plan, label, &dx, dy, origin, &sum);
        Some(sum)
    }
}
