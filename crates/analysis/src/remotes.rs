//! The remote addresses of a summary: a fixed number of bytes for each, with what they have in common kept once.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use super::cells::{CellFigures, FEW, insert_few};
use super::groups::{CallFigures, GroupFigures};
use super::names::Names;
use super::table::{Keyed, Table};
use connmon_record::{AddressKind, Location, Proto, Timestamp, Untrusted};

/// Of so many remote addresses with most bytes a summary tells which processes used them.
pub const LISTED: usize = 60;

/// Service ports.
type Services = BTreeSet<(Proto, u16)>;

/// A remote row in the making.
#[derive(Clone, Debug)]
struct OpenRemote {
    ip: IpAddr,
    kind: AddressKind,
    /// This and the next are of the newest connection that knows any; 0 for none, else a place plus 1.
    country: u16,
    location: u32,
    newest: (Timestamp, i64),
    figures: CallFigures,
    first_seen: Timestamp,
    last_seen: Timestamp,
    /// The place of a set.
    services: u32,
    /// Which of the first 32 services it has.
    first_services: u32,
}

impl Keyed for OpenRemote {
    type Key = IpAddr;

    fn key(&self) -> IpAddr {
        self.ip
    }
}

/// What addresses have in common.
#[derive(Clone, Debug, Default)]
struct Shared {
    countries: Vec<String>,
    locations: Vec<Arc<Location>>,
    services: Vec<Arc<Services>>,
}

/// Remote addresses in the making.
#[derive(Debug, Default)]
pub(super) struct OpenRemotes {
    table: Table<OpenRemote>,
    shared: Shared,
    /// The places of locations, by their hashes.
    locations: HashMap<u64, u32>,
    services: HashMap<Arc<Services>, u32>,
    names: HashMap<u32, Names>,
    hasher: RandomState,
}

impl OpenRemotes {
    /// The place of an address.
    pub(super) fn place(&mut self, ip: IpAddr) -> u32 {
        let none = if self.table.rows().is_empty() { self.services_place(Services::new()) } else { 0 };
        self.table.place(ip, |ip| OpenRemote {
            ip,
            kind: AddressKind::of_address(ip),
            country: 0,
            location: 0,
            newest: (Timestamp(i64::MIN), i64::MIN),
            figures: CallFigures::default(),
            first_seen: Timestamp(i64::MAX),
            last_seen: Timestamp(i64::MIN),
            services: none,
            first_services: 0,
        })
    }

    /// Takes what a connection says of an address. `rank` is when it was opened, and its id.
    pub(super) fn tell(
        &mut self,
        place: u32,
        rank: (Timestamp, i64),
        country: Option<&str>,
        location: Option<&Arc<Location>>,
    ) {
        let row = self.table.at(place);
        let known = country.is_some() || location.is_some();
        if row.kind != AddressKind::Public || !known || rank < row.newest {
            return;
        }
        row.newest = rank;
        let (country, location) = (self.shared.country(country), self.location_place(location));
        let row = self.table.at(place);
        (row.country, row.location) = (country, location);
    }

    /// Adds figures of connections over a service, and when they were; figures are none where others count them.
    pub(super) fn add(&mut self, place: u32, figures: GroupFigures, cell: &CellFigures) {
        let row = self.table.at(place);
        row.figures += figures;
        row.first_seen = row.first_seen.min(cell.first);
        row.last_seen = row.last_seen.max(cell.last);
    }

    /// Notes that an address has a service; whether it was known already, which is told of the first 32 services only.
    pub(super) fn has_service(&mut self, place: u32, service: usize, key: (Proto, u16)) -> bool {
        let row = self.table.at(place);
        let bit = if service < 32 { 1 << service } else { 0 };
        if row.first_services & bit != 0 {
            return true;
        }
        row.first_services |= bit;
        let now = &self.shared.services[row.services as usize];
        if now.contains(&key) || (now.len() == FEW && now.last() < Some(&key)) {
            return false;
        }
        let mut services = Services::clone(now);
        insert_few(&mut services, key);
        let then = self.services_place(services);
        self.table.at(place).services = then;
        false
    }

    fn services_place(&mut self, services: Services) -> u32 {
        if let Some(place) = self.services.get(&services) {
            return *place;
        }
        let services = Arc::new(services);
        let place = u32::try_from(self.shared.services.len()).unwrap_or(u32::MAX);
        self.shared.services.push(services.clone());
        self.services.insert(services, place);
        place
    }

    fn location_place(&mut self, location: Option<&Arc<Location>>) -> u32 {
        let Some(location) = location else { return 0 };
        let all = &mut self.shared.locations;
        let mut hash = hash(location, &self.hasher);
        loop {
            match self.locations.get(&hash) {
                Some(place) if all[*place as usize] == *location => return *place + 1,
                Some(_) => hash = hash.wrapping_add(1),
                None => break,
            }
        }
        let place = u32::try_from(all.len()).unwrap_or(u32::MAX - 1);
        all.push(location.clone());
        self.locations.insert(hash, place);
        place + 1
    }

    /// Adds names.
    pub(super) fn add_names<'a>(&mut self, place: u32, names: impl Iterator<Item = Untrusted<&'a str>>) {
        for name in names {
            self.names.entry(place).or_default().insert(name);
        }
    }

    /// The country of a public address: 0 for none that is known, else its place plus 1.
    pub(super) fn country(&self, place: u32) -> Option<usize> {
        let row = &self.table.rows()[place as usize];
        (row.kind == AddressKind::Public).then_some(row.country.into())
    }

    /// The codes of countries, by their places.
    pub(super) fn countries(&self) -> &[String] {
        &self.shared.countries
    }

    /// The sum of what passed between this host's own addresses.
    pub(super) fn own(&self, locals: &HashSet<IpAddr>) -> GroupFigures {
        let here = |row: &&OpenRemote| row.ip.is_loopback() || locals.contains(&row.ip);
        self.table.rows().iter().filter(here).map(|row| row.figures.all()).sum()
    }

    /// The places of the first few, most bytes first.
    pub(super) fn first(&self, most: usize) -> Vec<u32> {
        let rows = self.table.rows();
        let rank = |place: &u32| rank(&rows[*place as usize]);
        let mut all: Vec<u32> = (0..rows.len() as u32).collect();
        if all.len() > most {
            all.select_nth_unstable_by_key(most, rank);
            all.truncate(most);
        }
        all.sort_unstable_by_key(rank);
        all
    }

    /// The addresses, most bytes first.
    pub(super) fn finish(self) -> Remotes {
        let Self { table, shared, names, .. } = self;
        let rows = table.into_rows();
        let mut order: Vec<u32> = (0..rows.len() as u32).collect();
        order.sort_unstable_by_key(|place| rank(&rows[*place as usize]));
        Remotes { rows, order, shared, names, processes: Vec::new() }
    }
}

impl Shared {
    fn country(&mut self, code: Option<&str>) -> u16 {
        let Some(code) = code else { return 0 };
        let place = self.countries.iter().position(|known| known == code).unwrap_or_else(|| {
            self.countries.push(code.to_owned());
            self.countries.len() - 1
        });
        u16::try_from(place + 1).unwrap_or(u16::MAX)
    }
}

/// Most bytes come first.
fn rank(row: &OpenRemote) -> impl Ord + use<> {
    (row.figures.all().rank(), row.ip)
}

/// The hash of all that is known of a location.
fn hash(location: &Location, hasher: &RandomState) -> u64 {
    let Location { region, city, coordinates, asn, org, source } = location;
    let mut hasher = hasher.build_hasher();
    (region, city, asn, org, source).hash(&mut hasher);
    if let Some(at) = coordinates {
        [at.latitude.to_bits(), at.longitude.to_bits()].hash(&mut hasher);
    }
    hasher.finish()
}

/// The remote addresses, most bytes first.
#[derive(Clone, Default)]
pub struct Remotes {
    rows: Vec<OpenRemote>,
    order: Vec<u32>,
    shared: Shared,
    names: HashMap<u32, Names>,
    /// Of the first few, which processes used them, by the places of these.
    processes: Vec<Vec<usize>>,
}

/// The traffic with one address.
#[derive(Clone, Debug)]
pub struct RemoteRow<'a> {
    /// The address.
    pub ip: IpAddr,
    /// Its kind.
    pub kind: AddressKind,
    /// Its names, at most eight, the first by the alphabet.
    pub names: Option<&'a Names>,
    /// Its country, if known: an ISO 3166-1 alpha-2 code.
    pub country: Option<&'a str>,
    /// Further facts about the address.
    pub location: Option<&'a Location>,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// The processes that used it, by their places in [`Summary::processes`](super::Summary::processes), in ascending order; of the
    /// first [`LISTED`] addresses only.
    pub processes: &'a [usize],
    /// Service ports used, at most eight, the lowest.
    pub services: &'a BTreeSet<(Proto, u16)>,
    /// First connection opened.
    pub first_seen: Timestamp,
    /// Last sign of life of a connection.
    pub last_seen: Timestamp,
}

impl<'a> RemoteRow<'a> {
    /// The first of its names.
    pub fn name(&self) -> Option<Untrusted<&'a str>> {
        self.names.and_then(Names::first)
    }

    /// All its names.
    pub fn all_names(&self) -> Vec<Untrusted<&'a str>> {
        self.names.into_iter().flat_map(Names::iter).collect()
    }
}

impl Remotes {
    /// The number of addresses.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The address with so many before it.
    pub fn get(&self, rank: usize) -> Option<RemoteRow<'_>> {
        let place = *self.order.get(rank)?;
        let row = &self.rows[place as usize];
        let before = |place: usize| place.checked_sub(1);
        Some(RemoteRow {
            ip: row.ip,
            kind: row.kind,
            names: self.names.get(&place),
            country: before(row.country.into())
                .and_then(|place| Some(self.shared.countries.get(place)?.as_str())),
            location: before(row.location as usize)
                .and_then(|place| Some(&**self.shared.locations.get(place)?)),
            figures: row.figures.all(),
            processes: self.processes.get(rank).map_or(&[], Vec::as_slice),
            services: &self.shared.services[row.services as usize],
            first_seen: row.first_seen,
            last_seen: row.last_seen,
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = RemoteRow<'_>> + Clone {
        (0..self.len()).filter_map(|rank| self.get(rank))
    }

    /// The place of a country's code, while this was made.
    pub(super) fn country_place(&self, code: &str) -> Option<usize> {
        self.shared.countries.iter().position(|known| known == code)
    }

    /// Takes the processes of the first few.
    pub(super) fn set_processes(&mut self, processes: Vec<Vec<usize>>) {
        self.processes = processes;
    }

    /// Adds names to the address with so many before it.
    pub fn add_names<'a>(&mut self, rank: usize, names: impl IntoIterator<Item = Untrusted<&'a str>>) {
        let Some(place) = self.order.get(rank) else { return };
        for name in names {
            self.names.entry(*place).or_default().insert(name);
        }
    }
}

impl fmt::Debug for Remotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_takes_few_bytes() {
        assert!(size_of::<OpenRemote>() <= 136, "{} bytes", size_of::<OpenRemote>());
    }

    #[test]
    fn equal_locations_are_kept_once() {
        let mut remotes = OpenRemotes::default();
        for number in 0..100_u8 {
            let place = remotes.place([8, 8, 8, number].into());
            let location = Location { asn: Some(u32::from(number % 3)), ..Location::default() };
            remotes.tell(
                place,
                (Timestamp(0), 1),
                Some(["DE", "FR"][usize::from(number % 2)]),
                Some(&Arc::new(location)),
            );
        }
        assert_eq!((remotes.shared.locations.len(), remotes.shared.countries.len()), (3, 2));
        let remotes = remotes.finish();
        let row = remotes.get(7).unwrap();
        assert_eq!(
            (row.ip, row.country, row.location.unwrap().asn),
            ([8, 8, 8, 7].into(), Some("FR"), Some(1))
        );
    }
}
