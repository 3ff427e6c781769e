//! Names of countries, and where their middle is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A country or territory with a code of its own.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Country {
    /// ISO 3166-1 alpha-2, or `XK`.
    pub code: &'static str,
    /// The name in common English use.
    pub name: &'static str,
    /// The middle of its largest part, in degrees.
    pub longitude: f64,
    /// The middle of its largest part, in degrees.
    pub latitude: f64,
}

static COUNTRIES: LazyLock<BTreeMap<&'static str, Country>> = LazyLock::new(|| {
    include_str!("../data/countries.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let (code, name) = (cells.next()?, cells.next()?);
            let (longitude, latitude) = (cells.next()?.parse().ok()?, cells.next()?.parse().ok()?);
            Some((code, Country { code, name, longitude, latitude }))
        })
        .collect()
});

/// Every country, by code.
pub fn countries() -> impl Iterator<Item = &'static Country> {
    COUNTRIES.values()
}

/// The country with this code.
pub fn country_of(code: &str) -> Option<&'static Country> {
    COUNTRIES.get(code)
}

/// Other names in common use.
const ALIASES: &[(&str, &str)] = &[
    ("america", "US"),
    ("burma", "MM"),
    ("czech republic", "CZ"),
    ("england", "GB"),
    ("great britain", "GB"),
    ("holland", "NL"),
    ("ivory coast", "CI"),
    ("macau", "MO"),
    ("turkey", "TR"),
    ("uae", "AE"),
    ("uk", "GB"),
    ("usa", "US"),
];

/// Codes by name, folded.
static NAMES: LazyLock<BTreeMap<String, &'static str>> = LazyLock::new(|| {
    let own = countries().map(|country| (folded(country.name), country.code));
    own.chain(ALIASES.iter().map(|(name, code)| ((*name).to_owned(), *code))).collect()
});

/// A name as it is compared: without capitals and accents.
fn folded(name: &str) -> String {
    let plain = |c: char| match c {
        'å' | 'ã' => 'a',
        'ç' => 'c',
        'é' => 'e',
        'í' => 'i',
        'ô' => 'o',
        'ü' => 'u',
        '’' => '\'',
        c => c,
    };
    name.to_lowercase().chars().map(plain).collect()
}

/// The code of the country with this name, or another one in common use; case and accents do not matter.
pub fn country_named(name: &str) -> Option<&'static str> {
    NAMES.get(&folded(name)).copied()
}

/// Every name that [`country_named`] knows, as it is compared.
pub fn country_names() -> impl Iterator<Item = &'static str> {
    NAMES.keys().map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn countries_have_names() {
        for (name, code) in [
            ("Germany", "DE"),
            ("united states", "US"),
            ("Cote d'Ivoire", "CI"),
            ("Türkiye", "TR"),
            ("turkey", "TR"),
        ] {
            assert_eq!(country_named(name), Some(code), "{name}");
        }
        assert_eq!(country_named("germ"), None);
        assert!(country_names().all(|name| name.is_ascii()));
    }

    #[test]
    fn names_and_places() {
        assert_eq!(countries().count(), 250);
        let near = |code: &str, longitude: f64, latitude: f64| {
            let c = country_of(code).unwrap();
            assert!(
                (c.longitude - longitude).abs() < 4.0 && (c.latitude - latitude).abs() < 4.0,
                "{c:?} is not near {longitude}, {latitude}"
            );
        };
        near("DE", 10.4, 51.1);
        near("US", -98.6, 39.8);
        near("FJ", 178.0, -17.8);
        near("SG", 103.8, 1.4);
        near("RE", 55.5, -21.1);
        assert_eq!(country_of("CI").unwrap().name, "Côte d’Ivoire");
        assert!(country_of("ZZ").is_none());
        assert!(countries().all(|c| c.longitude.abs() <= 180.0 && c.latitude.abs() <= 90.0));
    }
}
