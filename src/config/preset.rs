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

/// The presets of the given names, with the texts of their files.
macro_rules! presets {
    ($($name:literal)*) => {
        [$(Preset { name: $name, toml: include_str!(concat!("../../assets/presets/", $name, ".toml")) }),*]
    };
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 10] = presets! {
        "mlp" "mlp-deep" "mlp-2d" "mlp-mse" "autoencoder" "denoising" "beta" "conv" "conv-rgb"
        "residual"
    };

    /// The classic VAE, 784-400-20.
    pub const MLP: Self = Self::ALL[0];

    /// The name on the command line, such as `mlp-deep`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// The commented TOML.
    pub fn toml(self) -> &'static str {
        self.toml
    }

    /// The description in the first comment of its file.
    pub fn summary(self) -> &'static str {
        self.toml().lines().next().unwrap_or_default().trim_start_matches("# ")
    }

    /// The shape of the images for which it is made.
    pub fn shape(&self) -> ImageShape {
        self.config().data.stated_shape().expect("a preset states what can be")
    }

    /// The preset's configuration.
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
