//! How places are told of: the words depend on what the databases know.

use super::view::{Shown, country_name};
use connmon_analysis::GeoNotes;
use connmon_record::AddressKind;
use connmon_record::{HostLocation, Location};

/// What is said around places.
pub(super) struct Wording {
    pub(super) map: String,
    pub(super) head: &'static str,
    pub(super) countries: &'static str,
}

pub(super) fn wording(geo: &GeoNotes) -> Wording {
    if geo.databases.iter().all(|database| database.registered_only) {
        return Wording {
            map: "The country is the one in which a network is registered.".into(),
            head: "Registered in",
            countries: "Of public addresses, by the network’s registration.",
        };
    }
    Wording {
        map: "Dots are cities, as estimated by a database; a hollow ring means only the country is known."
            .into(),
        head: "Location and network",
        countries: "Of public addresses; where the embedded database answered, by the network’s registration.",
    }
}

/// Where lines begin, and how that is known.
pub(super) fn home_note(home: Option<&HostLocation>) -> Shown {
    Shown::new(&match home {
        None => "This host's location is unknown, so lines start below the map.".into(),
        Some(home) if home.country_only => format!(
            "Only this host’s country is known, so lines start at the centre of {} ({}).",
            home.label.shown(),
            home.source.shown()
        ),
        Some(home) => {
            format!(
                "Lines are great circles from this host’s location: {} ({}).",
                home.label.shown(),
                home.source.shown()
            )
        }
    })
}

/// Where an address is: a city, a country, or the kind of address that has neither.
pub(super) fn place(kind: AddressKind, code: Option<&str>, place: Option<&Location>) -> Shown {
    let city = place.and_then(|place| place.city.as_ref());
    match (kind, city, code) {
        (AddressKind::Public, Some(city), Some(code)) => {
            Shown::new(&format!("{}, {}", city.shown(), country_name(code)))
        }
        (AddressKind::Public, Some(city), None) => Shown::new(city),
        (AddressKind::Public, None, Some(code)) => country_name(code),
        (AddressKind::Public, None, None) => Shown::new("unknown"),
        (kind, ..) => Shown::new(kind.label()),
    }
}

/// The autonomous system of an address, and who runs it; empty where no database knew it.
pub(super) fn network(place: Option<&Location>) -> Shown {
    Shown::new(&place.map(Location::network).unwrap_or_default())
}
