//! The direction of a connection.

use serde::{Deserialize, Serialize};

/// The side that opened a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Direction {
    /// This host did.
    Out,
    /// The other side did.
    In,
    /// Not known, as for connections from before the recording.
    #[default]
    Unknown,
}

impl Direction {
    /// Every direction, in the order of the numbers that stand for them in a page.
    pub const ALL: [Self; 3] = [Self::Out, Self::In, Self::Unknown];

    /// `out`, `in` or `unknown`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Unknown => "unknown",
        }
    }

    /// The inverse of [`Direction::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|d| d.name() == name)
    }

    /// The direction as an adjective, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Out => "outbound",
            Self::In => "inbound",
            Self::Unknown => "unknown",
        }
    }

    /// An arrow from this host's end to the other, or back.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Out => "→",
            Self::In => "←",
            Self::Unknown => "–",
        }
    }
}
