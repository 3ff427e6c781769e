//! What a database says of an address: the fields of its record, whichever layout it has.
//!
//! Flat records name their fields (`country_code`, `city`, `latitude`, `autonomous_system_number`); those of MaxMind and
//! DB-IP nest them (`country.iso_code`, `city.names.en`, `location.latitude`). Both are read in one pass, and what is of
//! another type than expected counts as not there.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};

use crate::model::Coordinates;

/// The fields that connmon uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Record<'a> {
    /// ISO 3166-1 alpha-2, or what the database has in its place.
    pub country: Option<&'a str>,
    /// State, province or the like.
    pub region: Option<&'a str>,
    /// City.
    pub city: Option<&'a str>,
    /// Where that is.
    pub coordinates: Option<Coordinates>,
    /// Autonomous system.
    pub asn: Option<u32>,
    /// Who runs it.
    pub org: Option<&'a str>,
}

impl Record<'_> {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        *self == Record::default()
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
            Self::Text(text) => some(text),
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
pub(super) fn some(text: &str) -> Option<&str> {
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
struct Named<'a> {
    text: Option<&'a str>,
    code: Option<&'a str>,
}

#[derive(Deserialize)]
struct NamedFields<'a> {
    #[serde(borrow)]
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: Option<Names<'a>>,
}

#[derive(Deserialize)]
struct Names<'a> {
    #[serde(borrow)]
    en: Option<&'a str>,
}

impl<'de> Deserialize<'de> for Named<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NamedVisitor)
    }
}

struct NamedVisitor;

impl<'de> Visitor<'de> for NamedVisitor {
    type Value = Named<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name, or a map with names")
    }
    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Named<'de>, E> {
        let code = some(text).filter(|text| text.len() == 2);
        Ok(Named { text: some(text), code })
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Named<'de>, A::Error> {
        let fields = NamedFields::deserialize(MapAccessDeserializer::new(map))?;
        let text = fields.names.and_then(|names| names.en).and_then(some);
        Ok(Named { text, code: fields.iso_code.and_then(some) })
    }
    /// Of several subdivisions the first is the largest.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Named<'de>, A::Error> {
        let first = seq.next_element::<Named<'de>>()?.unwrap_or_default();
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(first)
    }
}

#[derive(Deserialize)]
struct Location {
    latitude: Option<f64>,
    longitude: Option<f64>,
}

impl<'de> Deserialize<'de> for Record<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(RecordVisitor)
    }
}

struct RecordVisitor;

impl<'de> Visitor<'de> for RecordVisitor {
    type Value = Record<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of fields")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        let (mut latitude, mut longitude) = (None, None);
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "country_code" => record.country = map.next_value::<Leaf<'_>>()?.text(),
                "country" => record.country = record.country.or(map.next_value::<Named<'_>>()?.code),
                "city" => record.city = map.next_value::<Named<'_>>()?.text,
                "subdivisions" | "state1" | "region" | "region_name" | "state" | "stateprov" => {
                    let region = map.next_value::<Named<'_>>()?.text;
                    record.region = record.region.or(region);
                }
                "location" => {
                    let location: Location = map.next_value()?;
                    (latitude, longitude) = (location.latitude, location.longitude);
                }
                "latitude" | "lat" => latitude = map.next_value::<Leaf<'_>>()?.number(),
                "longitude" | "lng" | "lon" => longitude = map.next_value::<Leaf<'_>>()?.number(),
                "autonomous_system_number" | "asn" | "as_number" => {
                    record.asn = map.next_value::<Leaf<'_>>()?.asn();
                }
                "autonomous_system_organization" | "as_name" | "as_organization" => {
                    record.org = map.next_value::<Leaf<'_>>()?.text();
                }
                "traits" => {
                    let traits: Record<'_> = map.next_value()?;
                    (record.asn, record.org) = (record.asn.or(traits.asn), record.org.or(traits.org));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        // Files that hold them in 32 bits have digits that say nothing.
        let rounded = |degrees: f64| (degrees * 1e5).round() / 1e5;
        let at = latitude.zip(longitude).map(|(lat, lon)| (rounded(lat), rounded(lon)));
        record.coordinates = at.and_then(|(lat, lon)| Coordinates::new(lat, lon));
        Ok(record)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Record<'_> {
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
