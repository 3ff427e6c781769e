//! A database's answer about an address: the fields of its record, whatever its layout.
//!
//! Flat records name their fields (`country_code`, `city`, `latitude`, `autonomous_system_number`); those of MaxMind and
//! DB-IP nest them (`country.iso_code`, `city.names.en`, `location.latitude`). Both are read in one pass, and what is of
//! another type than expected counts as not there.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use connmon_record::Coordinates;

/// The fields that connmon uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GeoRecord<'a> {
    /// ISO 3166-1 alpha-2, or what the database has in its place.
    pub country: Option<&'a str>,
    /// State, province or the like.
    pub region: Option<&'a str>,
    /// City.
    pub city: Option<&'a str>,
    /// The coordinates of the city.
    pub coordinates: Option<Coordinates>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// The organisation that runs the autonomous system.
    pub org: Option<&'a str>,
}

impl GeoRecord<'_> {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == GeoRecord::default()
    }
}

/// A number or a text; anything else is [`Leaf::Other`].
enum Leaf<'a> {
    Text(&'a str),
    Number(f64),
    Other,
}

impl<'a> Leaf<'a> {
    fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => non_empty(text),
            _ => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Number(number) => Some(number),
            Self::Other => None,
        }
    }

    fn asn(self) -> Option<u32> {
        match self {
            Self::Text(text) => asn(text),
            // A float does not wrap: what does not fit becomes the largest, which is reserved.
            Self::Number(number) => Some(number as u32).filter(|asn| *asn != 0 && *asn != u32::MAX),
            Self::Other => None,
        }
    }
}

/// The number of an autonomous system, with or without `AS` before it. 0 and the largest are reserved.
pub(super) fn asn(text: &str) -> Option<u32> {
    let text = text.trim();
    let digits = text.get(..2).filter(|start| start.eq_ignore_ascii_case("as")).map_or(text, |_| &text[2..]);
    digits.parse().ok().filter(|asn| *asn != 0 && *asn != u32::MAX)
}

/// A text that says something.
pub(super) fn non_empty(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty() && *text != "-")
}

impl<'de> Deserialize<'de> for Leaf<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(LeafVisitor)
    }
}

struct LeafVisitor;

impl<'de> Visitor<'de> for LeafVisitor {
    type Value = Leaf<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Text(text))
    }
    fn visit_f64<E>(self, number: f64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Number(number))
    }
    fn visit_u64<E>(self, number: u64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Number(number as f64))
    }
    fn visit_i64<E>(self, number: i64) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Number(number as f64))
    }
    fn visit_u128<E>(self, _: u128) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Other)
    }
    fn visit_unit<E>(self) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Other)
    }
    fn visit_bool<E>(self, _: bool) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Other)
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<Leaf<'de>, E> {
        Ok(Leaf::Other)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Leaf<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Leaf<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Leaf::Other)
    }
}

/// `"Berlin"`, or `{"iso_code": …, "names": {"en": "Berlin"}}`.
#[derive(Default)]
struct NamedValue<'a> {
    text: Option<&'a str>,
    code: Option<&'a str>,
}

impl<'de> Deserialize<'de> for NamedValue<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = NamedValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a map with names")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<NamedValue<'de>, E> {
        let code = non_empty(text).filter(|text| text.len() == 2);
        Ok(NamedValue { text: non_empty(text), code })
    }
    fn visit_u64<E>(self, _: u64) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    fn visit_i64<E>(self, _: i64) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    fn visit_f64<E>(self, _: f64) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    fn visit_bool<E>(self, _: bool) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    fn visit_bytes<E>(self, _: &[u8]) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    fn visit_unit<E>(self) -> Result<NamedValue<'de>, E> {
        Ok(NamedValue::default())
    }
    /// `names` and the map below it are read alike: the name in English is the text of both.
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NamedValue<'de>, A::Error> {
        let mut named = NamedValue::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "iso_code" => named.code = map.next_value::<Leaf<'_>>()?.text(),
                "en" => named.text = map.next_value::<Leaf<'_>>()?.text(),
                "names" => named.text = map.next_value::<NamedValue<'_>>()?.text,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(named)
    }
    /// Of several subdivisions the first is the largest.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<NamedValue<'de>, A::Error> {
        let first = seq.next_element::<NamedValue<'de>>()?.unwrap_or_default();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

impl<'de> Deserialize<'de> for GeoRecord<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        CheckedRecord::deserialize(from).map(|checked| checked.record)
    }
}

/// A record, and what it says that cannot be.
#[derive(Default)]
pub(super) struct CheckedRecord<'a> {
    pub record: GeoRecord<'a>,
    /// Degrees that are nowhere, such as those of a broken number.
    pub nowhere: Option<(f64, f64)>,
}

impl<'de> Deserialize<'de> for CheckedRecord<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(RecordVisitor)
    }
}

/// The fields of a record that connmon uses: the names under which databases have them.
pub(super) const FIELDS: [&str; 35] = [
    "country_code",
    "country",
    "city",
    "city_name",
    "region_name",
    "subdivisions",
    "subdivision_1_name",
    "state1",
    "stateprov",
    "state",
    "region",
    "location",
    "latitude",
    "lat",
    "longitude",
    "lng",
    "lon",
    "autonomous_system_number",
    "asn",
    "as_number",
    "autonomous_system_organization",
    "as_name",
    "as_organization",
    "as_org",
    "asn_name",
    "asn_org",
    "organization",
    "org",
    "isp",
    "name",
    "domain",
    "traits",
    "as",
    "geo",
    "mcc",
];

/// The names and places of a record that were found so far: a name in full takes precedence over a code.
#[derive(Default)]
struct RecordParts<'a> {
    region_name: Option<&'a str>,
    region: Option<&'a str>,
    /// The organisation of the network, of the address, and what is called `name` only.
    org: [Option<&'a str>; 3],
    /// It is about a network, so that `name` is that of an organisation.
    of_network: bool,
    latitude: Option<f64>,
    longitude: Option<f64>,
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = CheckedRecord<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<CheckedRecord<'de>, A::Error> {
        let mut record = GeoRecord::default();
        let mut nowhere = None;
        let mut parts = RecordParts::default();
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "country_code" => record.country = map.next_value::<Leaf<'_>>()?.text().or(record.country),
                "country" => record.country = record.country.or(map.next_value::<NamedValue<'_>>()?.code),
                "city" | "city_name" => {
                    record.city = map.next_value::<NamedValue<'_>>()?.text.or(record.city)
                }
                "region_name" | "subdivisions" | "subdivision_1_name" | "state1" | "stateprov" => {
                    parts.region_name = parts.region_name.or(map.next_value::<NamedValue<'_>>()?.text);
                }
                "region" | "state" => {
                    parts.region = parts.region.or(map.next_value::<NamedValue<'_>>()?.text)
                }
                "latitude" | "lat" => parts.latitude = map.next_value::<Leaf<'_>>()?.number(),
                "longitude" | "lng" | "lon" => parts.longitude = map.next_value::<Leaf<'_>>()?.number(),
                "autonomous_system_number" | "asn" | "as_number" => {
                    parts.of_network = true;
                    record.asn = map.next_value::<Leaf<'_>>()?.asn().or(record.asn);
                }
                "autonomous_system_organization"
                | "as_name"
                | "as_organization"
                | "as_org"
                | "asn_name"
                | "asn_org" => {
                    parts.org[0] = parts.org[0].or(map.next_value::<Leaf<'_>>()?.text());
                }
                "organization" | "org" | "isp" => {
                    parts.org[1] = parts.org[1].or(map.next_value::<Leaf<'_>>()?.text())
                }
                "name" => parts.org[2] = map.next_value::<Leaf<'_>>()?.text(),
                "domain" | "mcc" => {
                    parts.of_network = true;
                    map.next_value::<IgnoredAny>()?;
                }
                "location" | "traits" | "as" | "geo" => {
                    let Nested(inner) = map.next_value()?;
                    record = record.or(inner.record);
                    nowhere = nowhere.or(inner.nowhere);
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        record.region = parts.region_name.or(parts.region).or(record.region);
        let [of_network, of_address, name] = parts.org;
        record.org = of_network.or(of_address).or(name.filter(|_| parts.of_network)).or(record.org);
        // Files that hold them in 32 bits have digits that say nothing.
        let rounded = |degrees: f64| (degrees * 1e5).round() / 1e5;
        if let Some(at) = parts.latitude.zip(parts.longitude) {
            let found = Coordinates::new(rounded(at.0), rounded(at.1));
            nowhere = nowhere.or(found.is_none().then_some(at));
            record.coordinates = found.or(record.coordinates);
        }
        Ok(CheckedRecord { record, nowhere })
    }
}

impl<'a> GeoRecord<'a> {
    /// Takes the fields that this record lacks from another record.
    fn or(self, other: GeoRecord<'a>) -> Self {
        Self {
            country: self.country.or(other.country),
            region: self.region.or(other.region),
            city: self.city.or(other.city),
            coordinates: self.coordinates.or(other.coordinates),
            asn: self.asn.or(other.asn),
            org: self.org.or(other.org),
        }
    }
}

/// A record within a record, or something else that says nothing.
struct Nested<'a>(CheckedRecord<'a>);

impl<'de> Deserialize<'de> for Nested<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NestedVisitor)
    }
}

struct NestedVisitor;

impl<'de> Visitor<'de> for NestedVisitor {
    type Value = Nested<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of fields, or any value")
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Nested<'de>, A::Error> {
        RecordVisitor.visit_map(map).map(Nested)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Nested<'de>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_str<E>(self, _: &str) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_u64<E>(self, _: u64) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_i64<E>(self, _: i64) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_f64<E>(self, _: f64) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_bool<E>(self, _: bool) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
    fn visit_unit<E>(self) -> Result<Nested<'de>, E> {
        Ok(Nested(CheckedRecord::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> GeoRecord<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn flat_and_nested_records_are_the_same() {
        let flat = read(
            r#"{"country_code":"DE","state1":"Hamburg","state2":"x","city":"Altona","postcode":"2","latitude":53.5,
                "longitude":9.9,"autonomous_system_number":64500,"autonomous_system_organization":"Example"}"#,
        );
        let nested = read(
            r#"{"continent":{"code":"EU"},"country":{"iso_code":"DE","names":{"de":"Deutschland","en":"Germany"}},
                "subdivisions":[{"names":{"en":"Hamburg"}},{"names":{"en":"x"}}],"city":{"names":{"en":"Altona"}},
                "location":{"latitude":53.5,"longitude":9.9,"time_zone":"Europe/Berlin"},
                "traits":{"autonomous_system_number":64500,"autonomous_system_organization":"Example"}}"#,
        );
        assert_eq!(flat, nested);
        assert_eq!((flat.country, flat.region, flat.city), (Some("DE"), Some("Hamburg"), Some("Altona")));
        assert_eq!((flat.asn, flat.org), (Some(64_500), Some("Example")));
        assert_eq!(flat.coordinates, Coordinates::new(53.5, 9.9));
    }

    #[test]
    fn names_of_countries_numbers_in_text_and_empty_fields() {
        let record = read(
            r#"{"country":"Germany","country_code":"DE","asn":"AS64500","as_name":"","lat":"1.5","lng":"2"}"#,
        );
        assert_eq!((record.country, record.asn, record.org), (Some("DE"), Some(64_500), None));
        assert_eq!(record.coordinates, Coordinates::new(1.5, 2.0));
        assert!(read(r#"{"country":"Germany","asn":0,"city":"-","other":[1,{"a":2}]}"#).is_empty());
    }

    #[test]
    fn names_are_taken_before_codes_in_any_order() {
        let record = read(
            r#"{"region":"SH","region_name":"Schleswig-Holstein","country":"DE","country_name":"Germany"}"#,
        );
        assert_eq!((record.country, record.region), (Some("DE"), Some("Schleswig-Holstein")));
        let record = read(r#"{"region_name":"Schleswig-Holstein","region":"SH"}"#);
        assert_eq!(record.region, Some("Schleswig-Holstein"));
        for (json, org) in [
            (r#"{"asn":"AS64500","domain":"example.net","name":"Example"}"#, Some("Example")),
            (r#"{"name":"A customer","asn":"AS64500","as_name":"Example"}"#, Some("Example")),
            (r#"{"as_name":"","name":"A customer","domain":"x"}"#, Some("A customer")),
            (r#"{"name":"A shop","city":"Kiel"}"#, None),
            (r#"{"as":{"asn":"AS64500","name":"Example"},"geo":{"city":"Kiel"}}"#, Some("Example")),
        ] {
            assert_eq!(read(json).org, org, "{json}");
        }
    }

    #[test]
    fn broken_numbers_are_told() {
        let checked = |json: &str| serde_json::from_str::<CheckedRecord<'_>>(json).unwrap().nowhere;
        assert_eq!(checked(r#"{"location":{"latitude":1e300,"longitude":9.9}}"#), Some((1e300, 9.9)));
        assert_eq!(checked(r#"{"latitude":"91","longitude":"0"}"#), Some((91.0, 0.0)));
        assert_eq!(checked(r#"{"location":{"latitude":53.5,"longitude":9.9}}"#), None);
        let record =
            read(r#"{"city":7,"country":{"iso_code":[1],"names":5},"location":"x","traits":[],"asn":64500}"#);
        assert_eq!((record.asn, record.city, record.country), (Some(64_500), None, None));
    }

    #[test]
    fn what_cannot_be_is_left_out() {
        assert_eq!(read(r#"{"latitude":91,"longitude":0}"#).coordinates, None);
        assert_eq!(read(r#"{"latitude":1}"#).coordinates, None);
        assert_eq!(read(r#"{"asn":{"a":1},"city":"A"}"#).asn, None);
        assert_eq!(
            ["AS1", "as 2", "3", "AS", "4294967295", "é"].map(asn),
            [Some(1), None, Some(3), None, None, None]
        );
    }
}
