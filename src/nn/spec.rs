//! Layers as a configuration names them.

use std::fmt::{Display, Formatter};

use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A layer and its options. In TOML `"relu"`, or `{ conv2d = 32, kernel = 3, padding = 1 }`: the
/// layer's name with its size, then the options.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerSpec {
    /// As `nn/mod.rs` lists them, or an activation.
    pub name: String,
    /// What stands behind the name, if anything does.
    pub size: Option<Setting>,
    /// In the order in which they were written.
    pub options: Vec<(String, Setting)>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A size.
    Integer(usize),
    /// What no size can be.
    Negative(i64),
    /// A number.
    Number(f64),
    /// `"image"`, for the image's own size.
    Text(String),
    /// Several sizes.
    Integers(Vec<usize>),
    /// Layers within a layer.
    Layers(Vec<LayerSpec>),
}

impl LayerSpec {
    /// A layer without options.
    pub fn new(name: &str, size: impl Into<Option<Setting>>) -> Self {
        Self { name: name.into(), size: size.into(), options: Vec::new() }
    }

    fn setting(&self, option: &str) -> Option<&Setting> {
        self.options.iter().find(|(name, _)| name == option).map(|(_, setting)| setting)
    }

    /// The number that stands behind the name; its word stands for `image`, if there is one.
    pub(super) fn size(&self, image: Option<usize>) -> Result<usize, String> {
        match (&self.size, image) {
            (Some(Setting::Text(word)), Some(image)) if word == "image" => Ok(image),
            (setting, _) => positive(&self.name, setting.as_ref(), None),
        }
    }

    /// An option that is a whole number from `least` up.
    pub(super) fn integer(
        &self,
        option: &str,
        least: usize,
        default: Option<usize>,
    ) -> Result<usize, String> {
        match self.setting(option) {
            Some(Setting::Integer(0)) if least == 0 => Ok(0),
            setting => positive(option, setting, default),
        }
    }
}

/// Sizes that no adapter holds are not worth a thought.
const LARGEST: usize = 1 << 24;

fn positive(
    name: &str,
    setting: Option<&Setting>,
    default: Option<usize>,
) -> Result<usize, String> {
    match (setting, default) {
        (Some(Setting::Integer(size)), _) if (1..=LARGEST).contains(size) => Ok(*size),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(format!("`{name}` is missing: give it a whole number")),
        (Some(other), _) => {
            Err(format!("{name} = {other}: must be a whole number from 1 to {LARGEST}"))
        }
    }
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Negative(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "\"{value}\""),
            Self::Integers(values) => {
                let values: Vec<_> = values.iter().map(usize::to_string).collect();
                write!(f, "{}", values.join("x"))
            }
            Self::Layers(layers) => write!(f, "of {} layers", layers.len()),
        }
    }
}

/// In words: `conv2d 32 kernel=3 padding=1`.
impl Display for LayerSpec {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(size) = &self.size {
            write!(f, " {size}")?;
        }
        self.options.iter().try_for_each(|(name, setting)| write!(f, " {name}={setting}"))
    }
}

impl Serialize for LayerSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Some(size) = &self.size else { return serializer.serialize_str(&self.name) };
        let mut map = serializer.serialize_map(Some(1 + self.options.len()))?;
        map.serialize_entry(&self.name, size)?;
        self.options.iter().try_for_each(|(name, setting)| map.serialize_entry(name, setting))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for LayerSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Words)
    }
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = LayerSpec;

    fn expecting(&self, f: &mut Formatter) -> std::fmt::Result {
        write!(f, "a layer, as in \"relu\" or {{ linear = 400 }}")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<LayerSpec, E> {
        Ok(LayerSpec::new(name, None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LayerSpec, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key::<String>()? {
            let setting = map.next_value().map_err(|_| {
                let wanted =
                    "a number, a word, a list of sizes, or a list of layers each of which is so";
                A::Error::custom(format!("{name}: must be {wanted}"))
            })?;
            entries.push((name, setting));
        }
        // Whoever wrote the file may have begun with an option.
        let named = entries.iter().position(|(name, _)| super::kind(name).is_some());
        match named.or((!entries.is_empty()).then_some(0)) {
            Some(first) => {
                let (name, size) = entries.remove(first);
                Ok(LayerSpec { name, size: Some(size), options: entries })
            }
            None => Err(A::Error::custom("{}: names no layer, as { linear = 400 } does")),
        }
    }
}
