//! One database: a MaxMind file, connmon's own file of ranges, or the table that is part of connmon.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use maxminddb::{LookupResult, Reader, WithinOptions};
use serde::de::IgnoredAny;

use super::licence::{is_of_registrations, terms};
use super::record::{CheckedRecord, FIELDS, GeoRecord, non_empty};
use super::{GeoError, Ranges};
use connmon_record::{GeoDatabase, Timestamp};

static EMBEDDED: &[u8] = include_bytes!("../../data/country.mmdb");

/// The first so many records of a file tell which fields it has.
const PROBED: usize = 20_000;
/// For them, so many leaves of its tree are looked at.
const LEAVES: usize = 400_000;

/// A database that is in memory.
#[derive(Debug)]
pub struct Database {
    content: Content,
    about: GeoDatabase,
    file: Option<PathBuf>,
    flaws: Flaws,
}

/// Records of a database that cannot be used, among those that were examined.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flaws {
    /// Records that cannot be decoded or have coordinates that are nowhere.
    pub records: u64,
    /// The first of them with what is wrong with it, as many as were asked for.
    pub each: Vec<String>,
    /// Fields that connmon has no use for, and how many records have them.
    pub unused: BTreeMap<String, u64>,
}

impl Flaws {
    fn add(&mut self, most: usize, what: impl FnOnce() -> String) {
        self.records += 1;
        if self.each.len() < most {
            self.each.push(what());
        }
    }

    /// The faults in a few words; `None` if there are none.
    pub fn words(&self) -> Option<String> {
        let first = self.each.first()?;
        let records = if self.records == 1 { "record is" } else { "records are" };
        Some(format!("{} {records} invalid: {first}", self.records))
    }
}

#[derive(Debug)]
enum Content {
    MaxMind(Box<Reader<Cow<'static, [u8]>>>),
    Ranges(Ranges),
}

impl Database {
    /// The database that is part of connmon.
    ///
    /// # Panics
    /// Never: that the embedded bytes are a sound database is tested.
    pub(super) fn embedded() -> Self {
        let reader = Reader::from_source(Cow::Borrowed(EMBEDDED)).expect("the embedded database is sound");
        let about = GeoDatabase {
            name: "IPtoASN country".into(),
            kind: "country".into(),
            date: day(reader.metadata().build_epoch).into(),
            source: "part of connmon".into(),
            licence: Some("PDDL 1.0".into()),
            attribution: Some("IPtoASN (iptoasn.com), packaged by ip-location-db".into()),
            registered_only: true,
        };
        Self { content: Content::MaxMind(Box::new(reader)), about, file: None, flaws: Flaws::default() }
    }

    /// A file: `.mmdb` with flat or nested records, or a file of ranges.
    ///
    /// # Errors
    /// It cannot be read, is damaged, is no database, or has no field that connmon uses.
    pub fn open(file: &Path) -> Result<Self, GeoError> {
        Self::from_bytes(
            file,
            connmon_system::files::read(file).map_err(|error| GeoError::file(file, error))?,
        )
    }

    /// The bytes of a file.
    ///
    /// # Errors
    /// They are damaged, are no database, or have no field that connmon uses.
    pub fn from_bytes(file: &Path, bytes: Vec<u8>) -> Result<Self, GeoError> {
        if bytes.starts_with(super::ranges::MAGIC) {
            let (ranges, about) = Ranges::new(bytes).map_err(|why| GeoError::file(file, why))?;
            let flaws = Flaws::default();
            return Ok(Self { content: Content::Ranges(ranges), about, file: Some(file.into()), flaws });
        }
        let reader = Reader::from_source(Cow::Owned(bytes)).map_err(|error| GeoError::file(file, error))?;
        let mut flaws = Flaws::default();
        let kind = kind(&reader, &mut flaws).ok_or_else(|| GeoError::Useless(file.display().to_string()))?;
        let name = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let metadata = reader.metadata();
        let described =
            metadata.description.values().fold(metadata.database_type.clone(), |all, d| all + " " + d);
        let terms = terms(&name).or_else(|| terms(&described));
        let about = GeoDatabase {
            date: day(metadata.build_epoch).into(),
            source: file.file_name().unwrap_or_default().to_string_lossy().into(),
            licence: terms.map(|terms| terms.licence.into()),
            attribution: terms.map(|terms| terms.attribution.into()),
            registered_only: kind == "country" && is_of_registrations(&name),
            kind: kind.into(),
            name: name.into(),
        };
        Ok(Self { content: Content::MaxMind(Box::new(reader)), about, file: Some(file.into()), flaws })
    }

    /// The description of the database: its name and so on.
    pub fn about(&self) -> &GeoDatabase {
        &self.about
    }

    /// The faults of the first records.
    pub fn flaws(&self) -> &Flaws {
        &self.flaws
    }

    /// The path from which it was read; `None` for the database that is part of connmon.
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// The database's answer about an address; empty if its record cannot be decoded.
    pub(super) fn lookup(&self, ip: IpAddr) -> GeoRecord<'_> {
        match &self.content {
            Content::MaxMind(reader) => {
                reader.lookup(ip).ok().and_then(|found| found.decode().ok().flatten()).unwrap_or_default()
            }
            Content::Ranges(ranges) => ranges.lookup(ip),
        }
    }

    /// Looks at every record, which takes seconds for a large file.
    ///
    /// # Errors
    /// Something in it is damaged.
    pub fn verify(&self) -> Result<(), String> {
        let flaws = self.examine(1, false)?;
        flaws.words().map_or(Ok(()), Err)
    }

    /// The same, but records that say what cannot be are told, at most so many of them by name, and with `fields` also which
    /// fields are not used.
    ///
    /// # Errors
    /// Its tree or a record is damaged.
    pub fn examine(&self, most: usize, fields: bool) -> Result<Flaws, String> {
        match &self.content {
            Content::MaxMind(reader) => walk(reader, most, fields),
            // Its checksum was compared when it was opened.
            Content::Ranges(_) => Ok(Flaws::default()),
        }
    }
}

/// The fields of the first records: `country`, `city`, `asn`, or several of these; `None` if there are none.
fn kind(reader: &Reader<Cow<'static, [u8]>>, flaws: &mut Flaws) -> Option<String> {
    // A made-up tree can have more empty leaves than anybody can walk past; so these count too.
    let all = WithinOptions::default().include_networks_without_data();
    let networks = reader.networks(all).ok()?.take(LEAVES).flatten().filter(|found| found.has_data());
    let (mut country, mut city, mut asn) = (false, false, false);
    for found in networks.take(PROBED) {
        let record = match decode(&found) {
            Ok(checked) => {
                note(&found, &checked, 1, flaws);
                checked.record
            }
            Err(why) => {
                flaws.add(1, || why);
                continue;
            }
        };
        country |= record.country.and_then(non_empty).is_some();
        city |= record.city.is_some() || record.region.is_some() || record.coordinates.is_some();
        asn |= record.asn.is_some() || record.org.is_some();
        if city && asn {
            break;
        }
    }
    let kinds = [(country && !city, "country"), (city, "city"), (asn, "asn")];
    let kinds: Vec<&str> = kinds.into_iter().filter_map(|(has, kind)| has.then_some(kind)).collect();
    (!kinds.is_empty()).then(|| kinds.join(" + "))
}

type Found<'a> = LookupResult<'a, Cow<'static, [u8]>>;

/// The record of a network; where it cannot be decoded, which one and why.
fn decode<'a>(found: &'a Found<'_>) -> Result<CheckedRecord<'a>, String> {
    found
        .decode::<CheckedRecord<'_>>()
        .map(Option::unwrap_or_default)
        .map_err(|error| format!("{}: {error}", network(found)))
}

fn network(found: &Found<'_>) -> String {
    found.network().map_or_else(|error| error.to_string(), |network| network.to_string())
}

/// Notes coordinates that are nowhere.
fn note(found: &Found<'_>, checked: &CheckedRecord<'_>, most: usize, flaws: &mut Flaws) {
    if let Some((latitude, longitude)) = checked.nowhere {
        flaws.add(most, || format!("{}: {latitude}, {longitude} are not valid coordinates", network(found)));
    }
}

/// Decodes every record. A tree has at most one leaf more than it has nodes; what has more runs in circles.
fn walk(reader: &Reader<Cow<'static, [u8]>>, most: usize, fields: bool) -> Result<Flaws, String> {
    let all = WithinOptions::default().include_networks_without_data();
    let mut left = u64::from(reader.metadata().node_count) + 1;
    let mut flaws = Flaws::default();
    for found in reader.networks(all).map_err(|error| error.to_string())? {
        left = left.checked_sub(1).ok_or("its search tree has a cycle")?;
        let found = found.map_err(|error| error.to_string())?;
        note(&found, &decode(&found)?, most, &mut flaws);
        if fields && let Ok(Some(all)) = found.decode::<BTreeMap<&str, IgnoredAny>>() {
            for field in all.into_keys().filter(|field| !FIELDS.contains(field)) {
                *flaws.unused.entry(field.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(flaws)
}

/// The day of a time in seconds since 1970; empty for 0.
fn day(seconds: u64) -> String {
    let nanos = i64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000_000);
    if nanos == 0 { String::new() } else { Timestamp(nanos).to_string().chars().take(10).collect() }
}
