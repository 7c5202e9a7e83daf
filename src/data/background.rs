//! The colour behind transparent pixels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The colour that transparent images are blended with: red, green and blue. It is written `white`,
/// `black` or as in `#ff8000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Background(pub [u8; 3]);

impl Background {
    /// Black.
    pub const BLACK: Self = Self([0; 3]);
    /// White.
    pub const WHITE: Self = Self([255; 3]);

    /// Whether it is black, white or grey.
    pub fn is_grey(&self) -> bool {
        let [red, green, blue] = self.0;
        red == green && green == blue
    }
}

impl FromStr for Background {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let digits = text.strip_prefix('#').filter(|digits| {
            digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        });
        match (text, digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())) {
            ("white", _) => Ok(Self::WHITE),
            ("black", _) => Ok(Self::BLACK),
            (_, Some(colour)) => {
                let [_, red, green, blue] = colour.to_be_bytes();
                Ok(Self([red, green, blue]))
            }
            _ => Err(Error::config(
                "background",
                format!("{text:?}"),
                "must be white, black or a colour as in #ff8000",
            )),
        }
    }
}

impl TryFrom<String> for Background {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Background> for String {
    fn from(background: Background) -> Self {
        background.to_string()
    }
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::WHITE => f.write_str("white"),
            Self::BLACK => f.write_str("black"),
            Self([red, green, blue]) => write!(f, "#{red:02x}{green:02x}{blue:02x}"),
        }
    }
}
