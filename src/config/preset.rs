//! Configurations that come with the program.

use super::Config;
use crate::data::ImageShape;
use crate::error::{Error, Result};

/// A configuration that comes with the program, as a commented TOML file: `assets/presets`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    toml: &'static str,
}

/// Name and text of each.
macro_rules! presets {
    ($($name:literal)*) => {
        [$(Preset { name: $name, toml: include_str!(concat!("../../assets/presets/", $name, ".toml")) }),*]
    };
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 10] = presets! {
        "mlp" "mlp-deep" "mlp-2d" "mlp-mse" "autoencoder" "denoising" "beta" "conv" "conv-rgb"
        "residual"
    };

    /// The classic VAE, 784-400-20.
    pub const MLP: Self = Self::ALL[0];

    /// The name on the command line: `mlp-deep`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The commented TOML.
    pub fn toml(self) -> &'static str {
        self.toml
    }

    /// What its first comment says it is.
    pub fn summary(self) -> &'static str {
        self.toml().lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The images it is made for.
    pub fn shape(&self) -> ImageShape {
        self.config().data.stated_shape().expect("a preset states what can be")
    }

    /// The configuration it stands for.
    pub fn config(self) -> Config {
        Config::parse(self.toml(), self.name()).expect("a preset is a valid configuration")
    }
}

impl std::str::FromStr for Preset {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(|preset| preset.name).into();
            Error::Unknown { kind: "preset", name: name.into(), known }
        })
    }
}
