//! The choice of a likelihood: the distribution of a pixel given the decoder's output, whose
//! negative logarithm is the reconstruction loss ([`super::loss`]).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, shown};

/// The distribution of a pixel given the decoder's output. In TOML it is a name, or a name with its
/// scale:
///
/// | TOML | |
/// |---|---|
/// | `"bernoulli"` | [`Likelihood::Bernoulli`] |
/// | `"continuous_bernoulli"` | [`Likelihood::ContinuousBernoulli`] |
/// | `"gaussian"` | [`Likelihood::SquaredError`] |
/// | `{ gaussian = 0.1 }`, `{ gaussian = "learnt" }` | [`Likelihood::Gaussian`] |
/// | `"laplace"`, which is `{ laplace = 1 }` | [`Likelihood::Laplace`] |
/// | `{ laplace = 0.1 }`, `{ laplace = "learnt" }` | [`Likelihood::Laplace`] |
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Likelihood {
    /// The Bernoulli distribution of black or white pixels with the output as the logit. Its loss
    /// is the binary cross-entropy, which is defined for grey pixels, too.
    Bernoulli,
    /// The distribution on \[0, 1\] with density ∝ exp(logit · x) and the output as the logit
    /// (Loaiza-Ganem and Cunningham 2019).
    ContinuousBernoulli,
    /// The Gaussian of variance ½ around the output, without its constant: the squared error.
    SquaredError,
    /// The Gaussian around the output, with the given standard deviation.
    Gaussian(Scale),
    /// The Laplace distribution around the output, with the given scale, which is the mean absolute
    /// deviation. Its loss is the absolute error.
    Laplace(Scale),
}

/// The scale of a likelihood, which is one number for all pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// A fixed number within [`SCALES`].
    Fixed(f64),
    /// A learnt scale, whose logarithm is a parameter (Rybkin et al. 2021).
    Learnt,
}

/// Allowed scales: the squares and their inverses are far from the limits of 32-bit floats.
pub const SCALES: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

impl Likelihood {
    /// Whether the decoder's output is a logit, so that the decoder may not end in an activation.
    pub fn takes_logits(self) -> bool {
        matches!(self, Self::Bernoulli | Self::ContinuousBernoulli)
    }

    /// Numbers that [`Likelihood::number`] gives.
    pub const NUMBERS: u32 = 4;

    /// The value of the shaders' constant LIKELIHOOD.
    pub fn number(self) -> u32 {
        match self {
            Self::Bernoulli => 0,
            Self::ContinuousBernoulli => 1,
            Self::SquaredError | Self::Gaussian(_) => 2,
            Self::Laplace(_) => 3,
        }
    }

    /// Whether its scale is learnt.
    pub fn is_learnt(self) -> bool {
        matches!(self, Self::Gaussian(Scale::Learnt) | Self::Laplace(Scale::Learnt))
    }

    /// Fails on a scale outside of [`SCALES`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] naming the key `likelihood`.
    pub fn check(self) -> Result<()> {
        match self {
            Self::Gaussian(Scale::Fixed(scale)) | Self::Laplace(Scale::Fixed(scale))
                if !SCALES.contains(&scale) =>
            {
                let message = "must be 0.000001 to 1000000, or \"learnt\"";
                let name = if let Self::Laplace(_) = self { "laplace" } else { "gaussian" };
                Err(Error::config(format!("likelihood.{name}"), shown(scale), message))
            }
            _ => Ok(()),
        }
    }
}

/// The form of a likelihood in configurations.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "likelihood: must be a name or a name and its scale, as in \
    \"bernoulli\" or { gaussian = 0.1 }"
)]
enum Written {
    Name(String),
    Scaled(BTreeMap<String, WrittenScale>),
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum WrittenScale {
    Number(f64),
    Word(String),
}

const CHOICES: &str = "must be one of \"bernoulli\", \"continuous_bernoulli\", \"gaussian\", \
    \"laplace\", { gaussian = SCALE }, { laplace = SCALE }";

impl TryFrom<Written> for Likelihood {
    type Error = Error;

    fn try_from(written: Written) -> Result<Self> {
        let scaled = match &written {
            Written::Name(name) => {
                return match name.as_str() {
                    "bernoulli" => Ok(Self::Bernoulli),
                    "continuous_bernoulli" => Ok(Self::ContinuousBernoulli),
                    "gaussian" => Ok(Self::SquaredError),
                    "laplace" => Ok(Self::Laplace(Scale::Fixed(1.0))),
                    _ => Err(Error::config("likelihood", format!("\"{name}\""), CHOICES)),
                };
            }
            Written::Scaled(scaled) => scaled,
        };
        let mut entries = scaled.iter();
        let (Some((name, scale)), None) = (entries.next(), entries.next()) else {
            let given = scaled.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            return Err(Error::config("likelihood", format!("{{ {given} }}"), CHOICES));
        };
        let scale = match scale {
            WrittenScale::Number(number) => Scale::Fixed(*number),
            WrittenScale::Word(word) if word == "learnt" => Scale::Learnt,
            WrittenScale::Word(word) => {
                let message = "the scale must be a number or \"learnt\"";
                let value = format!("{{ {name} = \"{word}\" }}");
                return Err(Error::config("likelihood", value, message));
            }
        };
        let likelihood = match name.as_str() {
            "gaussian" => Self::Gaussian(scale),
            "laplace" => Self::Laplace(scale),
            _ => return Err(Error::config("likelihood", format!("{{ {name} = … }}"), CHOICES)),
        };
        likelihood.check().map(|()| likelihood)
    }
}

impl From<Likelihood> for Written {
    fn from(likelihood: Likelihood) -> Self {
        let name = |name: &str| Self::Name(name.into());
        let scaled = |name: &str, scale| {
            let scale = match scale {
                Scale::Fixed(number) => WrittenScale::Number(number),
                Scale::Learnt => WrittenScale::Word("learnt".into()),
            };
            Self::Scaled([(name.into(), scale)].into())
        };
        match likelihood {
            Likelihood::Bernoulli => name("bernoulli"),
            Likelihood::ContinuousBernoulli => name("continuous_bernoulli"),
            Likelihood::SquaredError => name("gaussian"),
            Likelihood::Gaussian(scale) => scaled("gaussian", scale),
            Likelihood::Laplace(Scale::Fixed(1.0)) => name("laplace"),
            Likelihood::Laplace(scale) => scaled("laplace", scale),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key before a key, since TOML has tables last.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Config {
        likelihood: Likelihood,
        latent: usize,
    }

    fn parse(likelihood: &str) -> std::result::Result<Config, String> {
        let text = format!("likelihood = {likelihood}\nlatent = 2\n");
        toml::from_str(&text).map_err(|e| e.message().into())
    }

    #[test]
    fn every_form_is_read_and_written() {
        use Likelihood::*;
        use Scale::*;
        let forms = [
            ("'bernoulli'", Bernoulli),
            ("'continuous_bernoulli'", ContinuousBernoulli),
            ("'gaussian'", SquaredError),
            ("{ gaussian = 0.1 }", Gaussian(Fixed(0.1))),
            ("{ gaussian = 1 }", Gaussian(Fixed(1.0))),
            ("{ gaussian = 'learnt' }", Gaussian(Learnt)),
            ("'laplace'", Laplace(Fixed(1.0))),
            ("{ laplace = 1.0 }", Laplace(Fixed(1.0))),
            ("{ laplace = 0.25 }", Laplace(Fixed(0.25))),
            ("{ laplace = 'learnt' }", Laplace(Learnt)),
        ];
        for (text, likelihood) in forms {
            let config = Config { likelihood, latent: 2 };
            assert_eq!(parse(text).as_ref(), Ok(&config), "{text}");
            let written = toml::to_string(&config).unwrap();
            assert_eq!(toml::from_str::<Config>(&written).as_ref(), Ok(&config), "{written}");
            let written = serde_json::to_string(&config).unwrap();
            assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config, "{written}");
        }
    }

    #[test]
    fn what_it_cannot_be_is_said_in_a_line_that_names_the_key() {
        let faults = [
            ("'gausian'", "likelihood = \"gausian\": must be one of"),
            ("''", "likelihood = \"\": must be one of"),
            ("3", "likelihood: must be a name or a name and its scale"),
            ("['gaussian']", "likelihood: must be a name or a name and its scale"),
            ("{ gaussian = true }", "likelihood: must be a name or a name and its scale"),
            ("{}", "likelihood = {  }: must be one of"),
            ("{ bernoulli = 1 }", "likelihood = { bernoulli = … }: must be one of"),
            ("{ gaussian = 1, laplace = 1 }", "likelihood = { gaussian, laplace }: must be one of"),
            ("{ gaussian = 'learned' }", "likelihood = { gaussian = \"learned\" }: the scale must"),
            ("{ gaussian = 0 }", "likelihood.gaussian = 0: must be 0.000001 to 1000000"),
            ("{ laplace = -0.1 }", "likelihood.laplace = -0.1: must be"),
            ("{ laplace = nan }", "likelihood.laplace = NaN: must be"),
            ("{ gaussian = inf }", "likelihood.gaussian = inf: must be"),
        ];
        for (text, want) in faults {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with(want), "{text}: {message}");
            assert_eq!(message.lines().count(), 1, "{message}");
        }
    }
}
