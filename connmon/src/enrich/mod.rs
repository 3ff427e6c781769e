//! What is added to the records: where an address is registered, who a process is.

pub mod geo;

use std::collections::HashMap;
use std::net::IpAddr;

use crate::track::Batch;
use geo::Geo;

/// Addresses whose country is remembered.
const MAX_REMEMBERED: usize = 131_072;

/// Completes batches before they are stored.
pub struct Enricher {
    geo: Geo,
    countries: HashMap<IpAddr, Option<String>>,
}

impl Enricher {
    /// With a country database.
    pub fn new(geo: Geo) -> Self {
        Self { geo, countries: HashMap::new() }
    }

    /// The database.
    pub fn geo(&self) -> &Geo {
        &self.geo
    }

    /// Adds the country of each remote address; each address is looked up once.
    pub fn complete(&mut self, batch: &mut Batch) {
        if self.countries.len() > MAX_REMEMBERED {
            self.countries.clear();
        }
        for row in &mut batch.connections {
            let country = self
                .countries
                .entry(row.remote.ip)
                .or_insert_with(|| self.geo.country(row.remote.ip).map(str::to_owned));
            row.country.clone_from(country);
        }
    }
}
