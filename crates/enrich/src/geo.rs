//! Where an address is and whose it is, without asking anybody: databases that the user gives, and behind them one that is
//! part of connmon.
//!
//! The embedded database knows the country in which a network is registered, which is often not where the host
//! stands; every output says so. Addresses that mean something only locally never reach a database: they are
//! named by [`AddressKind`]. LICENSE-DATA.md says where the embedded data come from.

mod database;
mod import;
mod layout;
mod licence;
mod ranges;
mod record;
mod rows;
#[cfg(test)]
mod tests;

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use connmon_record::{AddressKind, GeoDatabase, Location, Untrusted, country_of, effective_address};
pub use database::{Database, Flaws};
pub use import::{Imported, import};
pub use licence::{is_of_registrations, usual_terms};
pub use ranges::Ranges;
pub use record::GeoRecord;
pub use rows::ImportError;

/// Characters of a text that are kept.
const LONGEST: usize = 200;
/// The endings of the names of files that are read from a data folder.
pub const ENDINGS: [&str; 2] = ["mmdb", "cgeo"];

/// Geo data that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// The file cannot be read, is damaged, or is something else.
    #[error(
        "{0} is not a geo database that connmon can read: {1}; give a complete .mmdb file, or import a CSV file with \
         `connmon geo import`"
    )]
    File(String, String),
    /// A database of something else.
    #[error(
        "{0} has nothing that connmon uses: none of the records sampled has a country, a city, coordinates, an ASN or an organisation"
    )]
    Useless(String),
    /// The data folder.
    #[error(
        "the folder of geo databases {0} cannot be read: {1}; check its permissions, or name another with --geo-dir"
    )]
    Folder(String, std::io::Error),
}

impl GeoError {
    fn file(file: &Path, why: impl ToString) -> Self {
        Self::File(file.display().to_string(), why.to_string())
    }
}

/// The databases, in the order in which they are asked. The embedded one is the last.
#[derive(Debug)]
pub struct Geo {
    databases: Vec<Database>,
}

/// The answer of the databases about an address, each field from the first database that knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer<'a> {
    /// The fields.
    pub record: GeoRecord<'a>,
    /// The database of each field, as an index in [`Geo::databases`].
    pub from: Sources,
}

/// The database of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each is named after its field")]
pub struct Sources {
    pub country: Option<usize>,
    pub region: Option<usize>,
    pub city: Option<usize>,
    pub coordinates: Option<usize>,
    pub asn: Option<usize>,
    pub org: Option<usize>,
}

impl Sources {
    fn all(&self) -> [Option<usize>; 6] {
        [self.country, self.region, self.city, self.coordinates, self.asn, self.org]
    }
}

impl Geo {
    /// The database that is part of connmon, alone.
    pub fn embedded() -> Self {
        Self { databases: vec![Database::embedded()] }
    }

    /// The files that are given, then those of the folder by name, then the embedded database.
    ///
    /// # Errors
    /// A file or the folder cannot be read, or is no database.
    pub fn open(files: &[PathBuf], folder: Option<&Path>) -> Result<Self, GeoError> {
        let mut files = files.to_vec();
        if let Some(folder) = folder {
            files.extend(files_of(folder).map_err(|e| GeoError::Folder(folder.display().to_string(), e))?);
        }
        let mut databases = files.iter().map(|file| Database::open(file)).collect::<Result<Vec<_>, _>>()?;
        databases.push(Database::embedded());
        Ok(Self { databases })
    }

    /// The databases, in the order in which they are asked.
    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// The description of every database.
    pub fn about(&self) -> Vec<GeoDatabase> {
        self.databases.iter().map(|database| database.about().clone()).collect()
    }

    /// The known facts about an address. Only public addresses are looked up.
    ///
    /// The first database that knows a field wins. What belongs together stays together: region, city and coordinates are
    /// only taken from a database that agrees about the country, an organisation from one that agrees about the ASN.
    pub fn lookup(&self, ip: IpAddr) -> Answer<'_> {
        let ip = effective_address(ip);
        let mut answer = Answer::default();
        if AddressKind::of_address(ip) != AddressKind::Public {
            return answer;
        }
        for (nth, database) in self.databases.iter().enumerate() {
            let mut found = database.lookup(ip);
            // Databases also write "None", "ZZ" or "AP" (somewhere in Asia): no countries.
            found.country = found.country.and_then(country_of).map(|country| country.code);
            answer.add(found, nth);
            let GeoRecord { country, city, asn, org, .. } = answer.record;
            if country.is_some() && city.is_some() && asn.is_some() && org.is_some() {
                break;
            }
        }
        answer
    }

    /// The country of a public address, as an ISO 3166-1 alpha-2 code.
    pub fn country(&self, ip: IpAddr) -> Option<&str> {
        self.lookup(ip).record.country
    }
}

impl<'a> Answer<'a> {
    fn add(&mut self, found: GeoRecord<'a>, nth: usize) {
        let agrees =
            |one: Option<&str>, other: Option<&str>| one.is_none() || other.is_none() || one == other;
        let (record, from) = (&mut self.record, &mut self.from);
        take(&mut record.country, found.country, &mut from.country, nth);
        if agrees(record.country, found.country) && agrees(record.city, found.city) {
            if record.city.is_none() && found.city.is_some() {
                // A city comes with its own region and point, not with those of a whole country.
                (record.region, record.coordinates) = (None, None);
                (from.region, from.coordinates) = (None, None);
            }
            take(&mut record.region, found.region, &mut from.region, nth);
            take(&mut record.coordinates, found.coordinates, &mut from.coordinates, nth);
            take(&mut record.city, found.city, &mut from.city, nth);
        }
        take(&mut record.asn, found.asn, &mut from.asn, nth);
        if record.asn == found.asn || found.asn.is_none() {
            take(&mut record.org, found.org, &mut from.org, nth);
        }
    }

    /// The fields besides the country; `source` names the databases that answered.
    pub fn place(&self, source: Untrusted<Arc<str>>) -> Location {
        let record = self.record;
        let text =
            |text: Option<&str>| text.map(|text| text.chars().take(LONGEST).collect::<String>().into());
        Location {
            region: text(record.region),
            city: text(record.city),
            coordinates: record.coordinates,
            asn: record.asn,
            org: text(record.org),
            source,
        }
    }

    /// The numbers of the databases that answered, in their order.
    pub fn sources(&self) -> Vec<usize> {
        let mut sources: Vec<usize> = self.from.all().into_iter().flatten().collect();
        sources.sort_unstable();
        sources.dedup();
        sources
    }
}

fn take<T>(field: &mut Option<T>, found: Option<T>, from: &mut Option<usize>, nth: usize) {
    if field.is_none() && found.is_some() {
        (*field, *from) = (found, Some(nth));
    }
}

/// The databases of a folder, by name.
fn files_of(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let ending = path.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| ENDINGS.contains(&ending)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
