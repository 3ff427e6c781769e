//! What became of a case, in one word. `cargo xtask coverage` includes this file to read what the test has written.

use std::fmt;

/// What became of a case whose record is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The record equals the truth, to the byte.
    Exact,
    /// The same, but the record says of itself that something is not known.
    Labelled(String),
    /// This kernel cannot play it.
    Skipped(String),
}

impl Outcome {
    /// Reads what [`fmt::Display`] wrote; anything else is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "exact" => Some(Self::Exact),
            Some(("labelled", why)) => Some(Self::Labelled(why.to_owned())),
            Some(("skipped", why)) => Some(Self::Skipped(why.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact => f.write_str("exact"),
            Self::Labelled(why) => write!(f, "labelled:{why}"),
            Self::Skipped(why) => write!(f, "skipped:{why}"),
        }
    }
}
