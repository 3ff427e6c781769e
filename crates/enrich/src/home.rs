//! Where this host stands.

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
    let name = |nth: Option<usize>| {
        nth.and_then(|nth| geo.databases().get(nth))
            .map(|database| database.about().dated())
            .unwrap_or_default()
    };
    if let (Some(city), Some(at)) = (record.city, record.coordinates) {
        let source = format!("{} for this host’s address {ip}", name(answer.from.coordinates));
        return Some(HostLocation { label: city.to_owned(), at, source, country_only: false });
    }
    let country = country_of(record.country?)?;
    Some(HostLocation {
        label: country.name.to_owned(),
        at: Coordinates { latitude: country.latitude, longitude: country.longitude },
        source: format!("{} for this host’s address {ip}", name(answer.from.country)),
        country_only: true,
    })
}
