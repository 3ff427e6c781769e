//! Additions to the records: the location and the owner of an address, and the location of this host.

pub mod geo;
mod home;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use connmon_record::rows::Batch;
use connmon_record::{GeoDatabase, HostLocation, Location, Untrusted};
use geo::{Answer, Geo};

/// Addresses of which the answer is remembered.
const MAX_REMEMBERED: usize = 131_072;

/// Completes batches before they are stored.
pub struct Enricher {
    geo: Geo,
    known: HashMap<IpAddr, StoredLocation>,
    /// The names of the databases that answered together, by their numbers.
    sources: HashMap<Vec<usize>, Untrusted<Arc<str>>>,
    configured: Option<HostLocation>,
    /// Whether this recording already has the location of this host.
    located: bool,
    /// Databases that were asked before, and whether the recording is still to be told of those that are now.
    former: Vec<GeoDatabase>,
    changed: bool,
}

/// The stored facts about an address.
#[derive(Clone, Default)]
struct StoredLocation {
    country: Option<String>,
    place: Option<Arc<Location>>,
}

impl Enricher {
    /// With these databases; the host stands where it is `configured` to, else where its own public address is.
    pub fn new(geo: Geo, configured: Option<HostLocation>) -> Self {
        Self {
            geo,
            known: HashMap::new(),
            sources: HashMap::new(),
            configured,
            located: false,
            former: Vec::new(),
            changed: false,
        }
    }

    /// Asks other databases from now on. The recording names those that were asked before as well.
    pub fn replace(&mut self, geo: Geo, configured: Option<HostLocation>) {
        let before = std::mem::replace(&mut self.geo, geo).about();
        self.former.extend(before);
        self.known.clear();
        self.sources.clear();
        if self.configured != configured {
            (self.configured, self.located) = (configured, false);
        }
        self.changed = true;
    }

    /// Adds what is known of each remote address, each of which is looked up once, and of this host's place.
    pub fn complete(&mut self, batch: &mut Batch) {
        if batch.start.is_some() {
            self.former.clear();
        }
        if batch.start.is_some() || self.changed {
            batch.geo = self.geo.about();
            self.former.retain(|database| !batch.geo.contains(database));
            batch.geo.extend(self.former.iter().cloned());
            self.changed = false;
        }
        if batch.start.is_some() || !self.located {
            batch.location.clone_from(&self.configured);
            self.located = batch.location.is_some();
        }
        if self.known.len() > MAX_REMEMBERED {
            self.known.clear();
        }
        for row in &mut batch.connections {
            let Self { geo, known, sources, .. } = self;
            let ip = row.remote.ip;
            let known = known.entry(ip).or_insert_with(|| StoredLocation::new(geo, &geo.lookup(ip), sources));
            row.country.clone_from(&known.country);
            row.place.clone_from(&known.place);
        }
        if !self.located {
            // The local end of a connection is an address of one of this host's interfaces.
            let own = batch.connections.iter().map(|row| row.local.ip);
            batch.location = home::locate(&self.geo, own);
            self.located = batch.location.is_some();
        }
    }
}

impl StoredLocation {
    fn new(geo: &Geo, answer: &Answer<'_>, names: &mut HashMap<Vec<usize>, Untrusted<Arc<str>>>) -> Self {
        let sources = answer.sources();
        if sources.is_empty() {
            return Self::default();
        }
        let name = || {
            let databases = sources.iter().filter_map(|nth| geo.databases().get(*nth));
            let names: Vec<Untrusted> = databases.map(|database| database.about().dated()).collect();
            Untrusted::joined(&names, "; ").shared()
        };
        let source = match names.get(&sources) {
            Some(name) => name.clone(),
            None => names.entry(sources.clone()).or_insert(name()).clone(),
        };
        Self {
            country: answer.record.country.map(str::to_owned),
            place: Some(Arc::new(answer.place(source))),
        }
    }
}
