//! The location of this host.

use std::net::IpAddr;

use super::geo::Geo;
use connmon_record::{AddressKind, Coordinates, HostLocation, country_of};

/// The place of the first of these addresses that is public and known.
pub(super) fn locate(geo: &Geo, own: impl Iterator<Item = IpAddr>) -> Option<HostLocation> {
    let mut before = None;
    own.filter(|ip| before.replace(*ip) != Some(*ip) && AddressKind::of_address(*ip) == AddressKind::Public)
        .find_map(|ip| place_of(geo, ip))
}

fn place_of(geo: &Geo, ip: IpAddr) -> Option<HostLocation> {
    let answer = geo.lookup(ip);
    let record = answer.record;
    let source = |nth: Option<usize>| {
        let database = nth.and_then(|nth| geo.databases().get(nth));
        let name = database.map(|database| database.about().dated()).unwrap_or_default();
        name.map(|name| format!("{name} for this host’s address {ip}"))
    };
    if let (Some(city), Some(at)) = (record.city, record.coordinates) {
        let source = source(answer.from.coordinates);
        return Some(HostLocation { label: city.into(), at, source, country_only: false });
    }
    let country = country_of(record.country?)?;
    Some(HostLocation {
        label: country.name.into(),
        at: Coordinates { latitude: country.latitude, longitude: country.longitude },
        source: source(answer.from.country),
        country_only: true,
    })
}
