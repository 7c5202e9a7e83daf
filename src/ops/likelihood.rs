//! Reconstruction losses: the negative log-likelihood of the pixels. They are computed where the
//! decoder's output is: see [`super::matmul::forward_loss`].

/// The likelihoods: `bernoulli` takes the decoder's output as logits; `gaussian` takes it as the
/// mean, with variance ½, so that its loss is the squared error (the constant is left out).
pub const NAMES: [&str; 2] = ["bernoulli", "gaussian"];
