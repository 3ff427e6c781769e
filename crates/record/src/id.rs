//! Ids of connections, as people read and write them.

use std::fmt;
use std::str::FromStr;

/// A connection's number within a store: that of its recording in the upper bits, and its own below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionId(pub i64);

impl ConnectionId {
    /// Bits of a connection's own number.
    pub const BITS: u32 = 40;
}

/// A text that names no connection.
#[derive(Debug, thiserror::Error)]
#[error("not a connection id; write it as 1.42, or as the number that `connmon export` prints")]
pub struct ParseIdError;

/// Recording and number: `1.42`.
impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.0 >> Self::BITS, self.0 & ((1 << Self::BITS) - 1)))
    }
}

impl FromStr for ConnectionId {
    type Err = ParseIdError;

    fn from_str(text: &str) -> Result<Self, ParseIdError> {
        let Some((run, own)) = text.split_once('.') else {
            return text.parse().map(Self).map_err(|_| ParseIdError);
        };
        let number = |text: &str, bits: u32| text.parse().ok().filter(|n: &i64| (0..1 << bits).contains(n));
        match (number(run, i64::BITS - 1 - Self::BITS), number(own, Self::BITS)) {
            (Some(run), Some(own)) => Ok(Self(run << Self::BITS | own)),
            _ => Err(ParseIdError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_short_and_the_long_ones_still_work() {
        let id = ConnectionId(1 << 40 | 42);
        assert_eq!(id.to_string(), "1.42");
        for text in ["1.42", "1099511627818"] {
            assert_eq!(text.parse::<ConnectionId>().unwrap(), id, "{text}");
        }
        for text in ["", "1.", ".1", "1.2.3", "x", "-1.2", "1.1099511627776", "9000000.1"] {
            assert!(text.parse::<ConnectionId>().is_err(), "{text}");
        }
    }
}
