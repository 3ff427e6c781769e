//! Where an address is registered, without asking anybody: an embedded database, or a file in its place.
//!
//! The embedded database knows the country in which a network is registered, which is often not where the host
//! stands; every output says so. Addresses that mean something only locally never reach the database: they are
//! named by [`AddressKind`]. connmon/data/LICENSES.md says where the data come from.

mod country;
mod kind;

use std::borrow::Cow;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::model::Timestamp;
pub use country::{Country, countries, country_of};
pub use kind::AddressKind;

static EMBEDDED: &[u8] = include_bytes!("../../data/country.mmdb");

/// A database file that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "{file} is no country or city database that connmon can read: {source}; give a .mmdb file or leave it out"
)]
pub struct GeoError {
    file: String,
    source: MaxMindDbError,
}

/// A database of countries by address.
#[derive(Debug)]
pub struct Geo {
    reader: Reader<Cow<'static, [u8]>>,
    name: String,
}

impl Geo {
    /// The database that is part of connmon.
    ///
    /// # Panics
    /// Never: that the embedded bytes are a sound database is tested.
    pub fn embedded() -> Self {
        let reader = Reader::from_source(Cow::Borrowed(EMBEDDED)).expect("the embedded database is sound");
        Self { reader, name: "IPtoASN country".into() }
    }

    /// A database file: records may be flat (`country_code`) or nested (`country.iso_code`).
    ///
    /// # Errors
    /// The file cannot be read or is no such database.
    pub fn open(file: &Path) -> Result<Self, GeoError> {
        let error = |source| GeoError { file: file.display().to_string(), source };
        let bytes = std::fs::read(file).map_err(|e| error(MaxMindDbError::Io(e)))?;
        let reader = Reader::from_source(Cow::Owned(bytes)).map_err(error)?;
        let name = reader.metadata().database_type.clone();
        Ok(Self { reader, name })
    }

    /// The country where a public address is registered, as an ISO 3166-1 alpha-2 code.
    pub fn country(&self, ip: IpAddr) -> Option<&'static str> {
        let ip = kind::effective(ip);
        if AddressKind::of(ip) != AddressKind::Public {
            return None;
        }
        let found = self.reader.lookup(ip).ok()?;
        let text = |path: &[PathElement<'_>]| found.decode_path::<&str>(path).ok().flatten();
        let code = text(&[PathElement::Key("country_code")])
            .or_else(|| text(&[PathElement::Key("country"), PathElement::Key("iso_code")]))?;
        // Databases also write "None", "ZZ" or "AP" (somewhere in Asia): no countries.
        country_of(code).map(|country| country.code)
    }

    /// The name of the database.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When the database was built.
    pub fn snapshot(&self) -> Timestamp {
        Timestamp(
            i64::try_from(self.reader.metadata().build_epoch).unwrap_or(0).saturating_mul(1_000_000_000),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_addresses() {
        let geo = Geo::embedded();
        for (ip, country) in [
            ("8.8.8.8", Some("US")),
            ("::ffff:8.8.8.8", Some("US")),
            ("64:ff9b::808:808", Some("US")),
            ("2001:4860:4860::8888", Some("US")),
            ("193.0.6.139", Some("NL")),
            ("10.1.2.3", None),
            ("127.0.0.1", None),
            ("fe80::1", None),
            ("2001:db8::1", None),
        ] {
            assert_eq!(geo.country(ip.parse().unwrap()), country, "{ip}");
        }
        assert!(geo.snapshot().to_string().starts_with("2026-06-17T"), "{}", geo.snapshot());
    }

    #[test]
    fn every_country_of_the_database_has_a_name_and_a_place() {
        let geo = Geo::embedded();
        let networks = geo.reader.networks(Default::default()).unwrap();
        let mut unknown = std::collections::BTreeSet::new();
        for network in networks {
            let code: Option<&str> =
                network.unwrap().decode_path(&[PathElement::Key("country_code")]).unwrap();
            if let Some(code) = code.filter(|code| country_of(code).is_none()) {
                unknown.insert(code.to_owned());
            }
        }
        assert_eq!(unknown.into_iter().collect::<Vec<_>>(), ["AP"], "a region, no country");
    }

    #[test]
    fn a_file_that_is_no_database_is_one_clear_sentence() {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        let error = Geo::open(&file).unwrap_err().to_string();
        assert!(error.contains("Cargo.toml is no country or city database"), "{error}");
    }

    /// A look-up has a budget of 2 µs; the test allows for a debug build on a busy machine.
    #[test]
    fn a_look_up_is_quick() {
        let geo = Geo::embedded();
        let rounds = 20_000_u32;
        let begin = std::time::Instant::now();
        let known =
            (0..rounds).filter(|i| geo.country(IpAddr::from((i * 214_013).to_be_bytes())).is_some()).count();
        let each = begin.elapsed() / rounds;
        assert!(known > 5_000, "{known}");
        assert!(each.as_micros() < 100, "{each:?}");
        eprintln!("a look-up takes {each:?}");
    }
}
