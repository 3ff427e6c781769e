//! Lists of indicators of compromise, and the connections that match them.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{Timestamp, Untrusted};

/// The kinds of things that an indicator names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum IndicatorKind {
    /// One remote address.
    Address,
    /// A network of remote addresses.
    Network,
    /// A name of the remote, or a domain that it is in.
    Name,
    /// A URL, of which the host is matched.
    Url,
    /// The SHA-256 of an executable.
    Sha256,
}

impl IndicatorKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Address, Self::Network, Self::Name, Self::Url, Self::Sha256];

    /// The name in machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Network => "network",
            Self::Name => "name",
            Self::Url => "url",
            Self::Sha256 => "sha256",
        }
    }

    /// The inverse of [`IndicatorKind::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// A list of indicators, as evidence.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IndicatorList {
    /// The name of its file.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// SHA-256 of its file, in hexadecimal.
    pub sha256: String,
    /// When it was made, as it says itself, else when its file was last changed.
    pub date: Option<Timestamp>,
    /// The number of indicators in the list.
    pub indicators: u64,
}

/// A connection that matches an indicator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    /// The indicator as its list has it, without what made it harmless.
    #[serde(serialize_with = "exact")]
    pub indicator: Untrusted,
    /// The thing that the indicator names.
    pub kind: IndicatorKind,
    /// The list.
    pub list: Arc<IndicatorList>,
    /// When it was found to match.
    pub time: Timestamp,
}

/// The number of connections that match each list.
pub type Matching = HashMap<Arc<IndicatorList>, u64>;
