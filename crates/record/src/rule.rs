//! Labels of connections, and the rules that give them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Untrusted;
use super::untrusted::exact;

/// A rule as it was written: connections that fit get its label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// What connections are called that fit.
    #[serde(serialize_with = "exact")]
    pub label: Untrusted,
    /// The colour in which the label is drawn; `None` for no particular one.
    pub color: Option<Color>,
    /// Which connections fit, in the query language.
    #[serde(serialize_with = "exact")]
    pub expression: Untrusted,
    /// Whether a report writes the label out; else its colour alone is shown.
    pub text: bool,
}

/// A colour: red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Color(pub u8, pub u8, pub u8);

/// A text that is no colour.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a colour; write #rrggbb, or one of {names}", names = Color::names())]
pub struct ParseColorError(String);

/// Colours that have a name: those of CSS 1, and a few that people ask for besides.
const NAMED: [(&str, Color); 20] = [
    ("black", Color(0, 0, 0)),
    ("silver", Color(192, 192, 192)),
    ("gray", Color(128, 128, 128)),
    ("white", Color(255, 255, 255)),
    ("maroon", Color(128, 0, 0)),
    ("red", Color(255, 0, 0)),
    ("purple", Color(128, 0, 128)),
    ("fuchsia", Color(255, 0, 255)),
    ("green", Color(0, 128, 0)),
    ("lime", Color(0, 255, 0)),
    ("olive", Color(128, 128, 0)),
    ("yellow", Color(255, 255, 0)),
    ("navy", Color(0, 0, 128)),
    ("blue", Color(0, 0, 255)),
    ("teal", Color(0, 128, 128)),
    ("aqua", Color(0, 255, 255)),
    ("orange", Color(255, 165, 0)),
    ("brown", Color(165, 42, 42)),
    ("pink", Color(255, 192, 203)),
    ("cyan", Color(0, 255, 255)),
];

impl Color {
    /// The names that are understood.
    fn names() -> String {
        NAMED.map(|(name, _)| name).join(", ")
    }
}

impl FromStr for Color {
    type Err = ParseColorError;

    fn from_str(text: &str) -> Result<Self, ParseColorError> {
        if let Some((_, color)) = NAMED.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)) {
            return Ok(*color);
        }
        let digits = text
            .strip_prefix('#')
            .filter(|digits| digits.len() == 6 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let [_, red, green, blue] = number.ok_or_else(|| ParseColorError(text.to_owned()))?.to_be_bytes();
        Ok(Self(red, green, blue))
    }
}

/// As `#rrggbb`.
impl fmt::Display for Color {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours() {
        for (text, expected) in [("Teal", "#008080"), ("#0a1B2c", "#0a1b2c")] {
            assert_eq!(text.parse::<Color>().map(|color| color.to_string()), Ok(expected.to_owned()));
        }
        for text in ["", "#", "#12345", "#1234567", "#+12345", "url(x)", "reddish"] {
            assert!(text.parse::<Color>().is_err(), "{text}");
        }
    }
}
