//! Safetensors files, changed as another program would change them.

use std::collections::{BTreeMap, HashMap};

use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde_json::Value;

/// Type, shape and bytes of each tensor, by its name.
pub type Tensors = BTreeMap<String, (Dtype, Vec<usize>, Vec<u8>)>;

/// The file `bytes` after `change` of its description and tensors; without a checksum, as older files
/// are, unless `change` puts it back.
pub fn changed(bytes: &[u8], change: impl FnOnce(&mut Value, &mut Tensors)) -> Vec<u8> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).unwrap();
    let mut metadata = metadata.metadata().clone().unwrap();
    let mut config: Value = serde_json::from_str(&metadata["config"]).unwrap();
    assert!(config.as_object_mut().unwrap().remove("checksum").is_some(), "it had none");
    let views = SafeTensors::deserialize(bytes).unwrap().tensors().into_iter();
    let mut tensors: Tensors =
        views.map(|(n, v)| (n, (v.dtype(), v.shape().to_vec(), v.data().to_vec()))).collect();
    change(&mut config, &mut tensors);
    metadata.insert("config".into(), config.to_string());
    written(&tensors, metadata)
}

/// A file of `tensors` with `metadata`.
pub fn written(tensors: &Tensors, metadata: HashMap<String, String>) -> Vec<u8> {
    let views = tensors.iter().map(|(name, (dtype, shape, bytes))| {
        (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap())
    });
    serialize(views, Some(metadata)).unwrap()
}
