//! Layers as a configuration names them.

use std::fmt::{Display, Formatter};

use crate::ops::Pair;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::words::counted;

/// A layer and its options. In TOML `"relu"`, or `{ conv2d = 32, kernel = 3, padding = 1 }`: the
/// layer's name with its size, then the options.
#[derive(Clone, Debug)]
pub struct LayerSpec {
    /// The layer's or the activation's name: see `docs/configuration.md`.
    pub name: String,
    /// The value behind the name: a size, a probability, layers.
    pub size: Option<Setting>,
    /// The options, in the order in which they were written.
    pub options: Vec<(String, Setting)>,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Setting {
    /// A size; what it must be is for the layer to say.
    Integer(i64),
    /// A number.
    Number(f64),
    /// `"image"`, for the image's own size.
    Text(String),
    /// A truth value, which no layer takes; it is kept to be named in the error.
    Boolean(bool),
    /// Several sizes.
    Integers(Vec<i64>),
    /// Layers within a layer.
    Layers(Vec<LayerSpec>),
}

/// The order of options means nothing, and not every file keeps it.
impl PartialEq for LayerSpec {
    fn eq(&self, other: &Self) -> bool {
        let same = |(name, setting): &(String, Setting)| other.setting(name) == Some(setting);
        (&self.name, &self.size, self.options.len())
            == (&other.name, &other.size, other.options.len())
            && self.options.iter().all(same)
    }
}

impl LayerSpec {
    /// A layer without options.
    pub fn new(name: &str, size: impl Into<Option<Setting>>) -> Self {
        Self { name: name.into(), size: size.into(), options: Vec::new() }
    }

    /// A list of layers in TOML, `[{ linear = 64 }, "relu"]`; `name` is what it is called in errors.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Layer`] where it is no such list.
    pub fn list(name: &str, text: &str) -> crate::Result<Vec<Self>> {
        #[derive(Deserialize)]
        struct List {
            layers: Vec<LayerSpec>,
        }
        let list = toml::from_str::<List>(&format!("layers = {text}"));
        let list = list.map_err(|e| crate::Error::layers(name, e.message()))?;
        Ok(list.layers)
    }

    fn setting(&self, option: &str) -> Option<&Setting> {
        self.options.iter().find(|(name, _)| name == option).map(|(_, setting)| setting)
    }

    /// The number that stands behind the name; its word stands for `image`, if there is one.
    pub(super) fn size(&self, image: Option<usize>) -> Result<usize, String> {
        let or = if image.is_some() { ", or \"image\"" } else { "" };
        match (&self.size, image) {
            (Some(Setting::Text(word)), Some(image)) if word == "image" => Ok(image),
            (Some(size), _) => whole(&self.name, size, 1, or),
            (None, _) => Err(format!("wants a size: write {{ {} = 2 }}", self.name)),
        }
    }

    /// The number or the two numbers, from 1 up, that stand behind the name.
    pub(super) fn pair_size(&self) -> Result<Pair, String> {
        match &self.size {
            Some(size) => pair(&self.name, size, 1),
            None => Err(format!("wants a size: write {{ {} = 2 }}", self.name)),
        }
    }

    /// An option that is a whole number from `least` up, or two of them, down and across.
    pub(super) fn pair(
        &self,
        option: &str,
        least: usize,
        default: Option<Pair>,
    ) -> Result<Pair, String> {
        match (self.setting(option), default) {
            (Some(setting), _) => pair(option, setting, least),
            (None, Some(default)) => Ok(default),
            (None, None) => Err(format!("`{option}` is missing: write {option} = 3")),
        }
    }
}

/// The end of a message that wants a pair.
const PAIR: &str = ", or two of them: [down, across]";

fn pair(name: &str, setting: &Setting, least: usize) -> Result<Pair, String> {
    let Setting::Integers(both) = setting else {
        return whole(name, setting, least, PAIR).map(Pair::from);
    };
    let in_range =
        |&side: &i64| usize::try_from(side).ok().filter(|side| (least..=LARGEST).contains(side));
    match both.iter().map(in_range).collect::<Option<Vec<_>>>().as_deref() {
        Some(&[down, across]) => Ok(Pair { down, across }),
        _ => Err(format!(
            "{name} = {setting}: must be a whole number from {least} to {LARGEST}{PAIR}"
        )),
    }
}

/// The largest size that an option can have; no adapter holds a layer of more.
const LARGEST: usize = 1 << 24;

fn whole(name: &str, setting: &Setting, least: usize, or: &str) -> Result<usize, String> {
    let size = match setting {
        Setting::Integer(size) => usize::try_from(*size).ok(),
        _ => None,
    };
    size.filter(|size| (least..=LARGEST).contains(size)).ok_or_else(|| {
        format!("{name} = {setting}: must be a whole number from {least} to {LARGEST}{or}")
    })
}

impl Display for Setting {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Number(value) => write!(f, "{value:?}"),
            Self::Text(value) => write!(f, "{value:?}"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Integers(values) => write!(f, "{values:?}"),
            Self::Layers(layers) => write!(f, "of {}", counted(layers.len(), "layer")),
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
                let wanted = "a number, \"image\", a list of sizes or a list of layers, as fits it";
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
