//! What PyTorch has recorded: see tests/golden/README.md.

use std::path::Path;

use safetensors::{Dtype, SafeTensors};
use serde::de::DeserializeOwned;

/// A file of tests/golden.
pub struct File(Vec<u8>);

impl File {
    pub fn read(name: &str) -> Self {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
        Self(std::fs::read(file).unwrap())
    }

    /// What its metadata say of it.
    pub fn config<T: DeserializeOwned>(&self) -> T {
        let (_, metadata) = SafeTensors::read_metadata(&self.0).unwrap();
        serde_json::from_str(&metadata.metadata().as_ref().unwrap()["config"]).unwrap()
    }

    /// The names of its tensors.
    pub fn names(&self) -> Vec<String> {
        self.tensors().names().into_iter().map(String::from).collect()
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.0).unwrap()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.tensors().tensor(name).unwrap().shape().to_vec()
    }

    pub fn raw(&self, name: &str) -> Vec<u8> {
        self.tensors().tensor(name).unwrap().data().to_vec()
    }

    /// Numbers of 32 or 64 bits.
    pub fn floats(&self, name: &str) -> Vec<f64> {
        let tensor = self.tensors().tensor(name).unwrap();
        match tensor.dtype() {
            Dtype::F32 => {
                let values: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
                values.into_iter().map(f64::from).collect()
            }
            Dtype::F64 => bytemuck::pod_collect_to_vec(tensor.data()),
            other => panic!("{name} is {other:?}"),
        }
    }

    /// The same, as the adapter takes them.
    pub fn singles(&self, name: &str) -> Vec<f32> {
        self.floats(name).into_iter().map(|value| value as f32).collect()
    }

    /// Whole numbers.
    pub fn integers(&self, name: &str) -> Vec<usize> {
        let tensor = self.tensors().tensor(name).unwrap();
        assert_eq!(tensor.dtype(), Dtype::I64, "{name}");
        let values: Vec<i64> = bytemuck::pod_collect_to_vec(tensor.data());
        values.into_iter().map(|value| usize::try_from(value).unwrap()).collect()
    }
}
