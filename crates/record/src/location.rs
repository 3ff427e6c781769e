//! Locations and owners of addresses, from geo databases.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Untrusted;
use super::untrusted::exact;

/// What the geo databases said about an address besides its country. Its texts come from files that
/// somebody else made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Location {
    /// State, province or the like.
    #[serde(serialize_with = "exact")]
    pub region: Option<Untrusted>,
    /// City.
    #[serde(serialize_with = "exact")]
    pub city: Option<Untrusted>,
    /// The coordinates of the city.
    pub coordinates: Option<Coordinates>,
    /// Number of the autonomous system that announces the address.
    pub asn: Option<u32>,
    /// The organisation that runs the autonomous system.
    #[serde(serialize_with = "exact")]
    pub org: Option<Untrusted>,
    /// The databases that answered, each with its date.
    #[serde(serialize_with = "exact")]
    pub source: Untrusted<Arc<str>>,
}

impl Location {
    /// Whether nothing is known but a country.
    pub fn is_country_only(&self) -> bool {
        self.region.is_none()
            && self.city.is_none()
            && self.coordinates.is_none()
            && self.asn.is_none()
            && self.org.is_none()
    }

    /// The autonomous system in one line: `AS64500 Example`; empty where none is known.
    pub fn network(&self) -> Untrusted {
        match (self.asn, &self.org) {
            (Some(asn), Some(org)) => org.map(|org| format!("AS{asn} {org}")),
            (Some(asn), None) => format!("AS{asn}").into(),
            (None, Some(org)) => org.clone(),
            (None, None) => Untrusted::default(),
        }
    }
}

/// A point on the globe.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Coordinates {
    /// Degrees north, −90 to 90.
    pub latitude: f64,
    /// Degrees east, −180 to 180.
    pub longitude: f64,
}

impl Coordinates {
    /// A point, if these are numbers of degrees in their range.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let fits = latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        fits.then_some(Self { latitude, longitude })
    }
}

/// A geo database, as recordings and outputs name it.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GeoDatabase {
    /// What it is called.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// What it knows: `country`, `city`, `asn`, or several of these.
    #[serde(serialize_with = "exact")]
    pub kind: Untrusted,
    /// When it was made, as `2026-01-31`; empty where that is not known.
    #[serde(serialize_with = "exact")]
    pub date: Untrusted,
    /// Where it comes from: connmon itself, or a file's name.
    #[serde(serialize_with = "exact")]
    pub source: Untrusted,
    /// Its licence, where known.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exact")]
    pub licence: Option<Untrusted>,
    /// What has to be said where its data are shown.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "exact")]
    pub attribution: Option<Untrusted>,
    /// It knows the country in which a network is registered, not the location of a host.
    #[serde(default)]
    pub registered_only: bool,
}

impl GeoDatabase {
    /// Its name with its date.
    pub fn dated(&self) -> Untrusted {
        if self.date.is_empty() {
            self.name.clone()
        } else {
            Untrusted::joined([&self.name, &self.date], " ")
        }
    }
}

/// The location of the recording host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostLocation {
    /// What to call it.
    #[serde(serialize_with = "exact")]
    pub label: Untrusted,
    /// Where it is.
    #[serde(flatten)]
    pub at: Coordinates,
    /// How that is known.
    #[serde(serialize_with = "exact")]
    pub source: Untrusted,
    /// Only the country is known: the point is the middle of it.
    #[serde(default)]
    pub country_only: bool,
}
