//! Configurations that come with the program.

use super::Config;
use crate::error::{Error, Result};

/// A configuration that comes with the program, as a commented TOML file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// 784-400-20, cross-entropy.
    Mlp,
    /// 128-64-32, cross-entropy.
    MlpDeep,
    /// Two latent variables, squared error.
    Mlp2d,
    /// 256, 32 latent variables, squared error.
    MlpMse,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Mlp, Self::MlpDeep, Self::Mlp2d, Self::MlpMse];

    fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::Mlp => ("mlp", include_str!("../../assets/presets/mlp.toml")),
            Self::MlpDeep => ("mlp-deep", include_str!("../../assets/presets/mlp-deep.toml")),
            Self::Mlp2d => ("mlp-2d", include_str!("../../assets/presets/mlp-2d.toml")),
            Self::MlpMse => ("mlp-mse", include_str!("../../assets/presets/mlp-mse.toml")),
        }
    }

    /// The name on the command line: `mlp-deep`.
    pub fn name(self) -> &'static str {
        self.file().0
    }

    /// The commented TOML.
    pub fn toml(self) -> &'static str {
        self.file().1
    }

    /// What its first comment says it is.
    pub fn summary(self) -> &'static str {
        self.toml().lines().next().unwrap_or_default().trim_start_matches("# ")
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
            let names = Self::ALL.map(Self::name).join(", ");
            Error::Usage(format!("no preset is named `{name}`; there are: {names}"))
        })
    }
}
