//! Configurations that come with the program.

use super::Config;
use super::fit::Family;
use crate::data::ImageShape;
use crate::error::{Error, Result};

/// A configuration that comes with the program, as a commented TOML file: `assets/presets`.
///
/// The convolutional ones are functions of the images' shape: [`Preset::toml_for`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    name: &'static str,
    toml: &'static str,
    /// The layers that depend on the images' shape; the others are written for any.
    family: Option<Family>,
}

/// The presets of the given names, with the texts of their files.
macro_rules! presets {
    ($($name:literal $($family:ident)?),*) => {
        [$(Preset {
            name: $name,
            toml: include_str!(concat!("../../assets/presets/", $name, ".toml")),
            family: [$(Family::$family)?].as_slice().first().copied(),
        }),*]
    };
}

impl Preset {
    /// All presets.
    pub const ALL: [Self; 13] = presets! {
        "mlp", "mlp-deep", "mlp-2d", "mlp-mse", "autoencoder", "denoising", "beta", "conv" Plain,
        "conv-rgb" Even, "residual" Residual, "conditional", "iwae", "hierarchical"
    };

    /// The classic VAE, 784-400-20.
    pub const MLP: Self = Self::ALL[0];

    /// The convolutional VAE for colour images.
    pub const CONV_RGB: Self = Self::ALL[8];

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

    /// The preset for images of `shape` where none is named: [`Preset::CONV_RGB`] for colour,
    /// [`Preset::MLP`] for grey.
    pub fn suited(shape: ImageShape) -> Self {
        if shape.channels == 3 { Self::CONV_RGB } else { Self::MLP }
    }

    /// The commented TOML for images of `shape`. The layers of convolutional presets are fitted to
    /// it; `conv` in colour is `conv-rgb`, whose likelihood suits colours. Other presets fit any
    /// shape as they are. `[data]` states a shape that is not the preset's own.
    pub fn toml_for(self, shape: ImageShape) -> String {
        if shape == self.shape() {
            return self.toml.into();
        }
        match self.family {
            Some(Family::Plain) if shape.channels == 3 => Self::CONV_RGB.toml_for(shape),
            Some(family) => self.fitted(family, shape),
            None => with_shape(self.toml, shape),
        }
    }

    /// The TOML with layers of `family` for images of `shape` in place of its own.
    fn fitted(self, family: Family, shape: ImageShape) -> String {
        let model = &self.config().model;
        let [encoder, decoder] = family.layers(shape);
        let latent = family.latent(model.latent, shape);
        let mut text = self
            .toml
            .replace(&format!("images of {}", self.shape()), &format!("images of {shape}"));
        let own = format!("latent = {} ", model.latent);
        text = text.replace(&own, &format!("latent = {latent:<width$} ", width = own.len() - 10));
        for (name, list) in [("encoder = [", encoder), ("decoder = [", decoder)] {
            let from = text.find(name).expect("a preset has both lists");
            let to = from + text[from..].find("\n]\n").expect("a list ends") + 3;
            text.replace_range(from..to, &list);
        }
        with_shape(&text, shape)
    }

    /// The preset's configuration for images of `shape`: see [`Preset::toml_for`].
    pub fn config_for(self, shape: ImageShape) -> Config {
        let toml = self.toml_for(shape);
        Config::parse(&toml, self.name()).expect("a preset is a valid configuration for any shape")
    }

    /// Whether its layers depend on the shape of the images.
    pub fn is_fitted(self) -> bool {
        self.family.is_some()
    }

    /// The shape of the images for which its own TOML is.
    pub fn shape(&self) -> ImageShape {
        self.config().data.stated_shape().expect("a preset states what can be")
    }

    /// The preset's configuration.
    pub fn config(self) -> Config {
        Config::parse(self.toml(), self.name()).expect("a preset is a valid configuration")
    }
}

/// The TOML `text` with a last table `[data]` that states `shape`.
fn with_shape(text: &str, shape: ImageShape) -> String {
    let ImageShape { width, height, channels } = shape;
    let text = text.split("\n[data]\n").next().unwrap_or_default();
    format!("{text}\n[data]\nsize = [{width}, {height}]\nchannels = {channels}\n")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Adam moves each weight by the learning rate at once, and a log-variance is a sum of 4096 of them: in
    /// the six steps of 190 photos it would leap by tens, and its exponential, the loss, by thousands.
    #[test]
    fn the_first_steps_of_residual_are_small() {
        let train = Preset::ALL.iter().find(|p| p.name() == "residual").unwrap().config().train;
        let rate = train.optimizer(6).learning_rate;
        let [first, sixth, after] = [0, 5, 12].map(|step| rate.at(step) / train.learning_rate);
        assert!(first <= 0.011 && sixth < 0.5, "{first}, {sixth}");
        assert_eq!(after, 1.0);
    }

    #[test]
    fn fitting_a_preset_to_its_own_shape_changes_nothing() {
        let mut count = 0;
        for (preset, family) in Preset::ALL.into_iter().filter_map(|p| Some((p, p.family?))) {
            count += 1;
            let text = preset.fitted(family, preset.shape());
            let (fitted, own) = (Config::parse(&text, "fitted").unwrap(), preset.config());
            assert_eq!((fitted.model, fitted.train), (own.model, own.train), "{}", preset.name());
        }
        assert_eq!(count, 3);
    }
}
