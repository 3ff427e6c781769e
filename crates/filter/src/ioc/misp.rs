//! MISP JSON: one event, several, or a list of attributes.

use serde::Deserialize;

use super::indicator::{bare, sha256};
use super::lenient::Lenient;
use super::{Indicator, IndicatorValue, ListContent, ListPosition, cell};

/// Any of the documents that MISP and its feeds write.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Document {
    #[serde(rename = "Event")]
    event: Option<Event>,
    response: Option<Box<Several<Lenient<Self>>>>,
    #[serde(rename = "Attribute")]
    attributes: Option<Vec<Lenient<Attribute>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Several<T> {
    Many(Vec<T>),
    One(T),
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Event {
    date: Lenient<String>,
    timestamp: Lenient<Seconds>,
    publish_timestamp: Lenient<Seconds>,
    #[serde(rename = "Attribute")]
    attributes: Vec<Lenient<Attribute>>,
    #[serde(rename = "Object")]
    objects: Vec<Lenient<Object>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Object {
    #[serde(rename = "Attribute")]
    attributes: Vec<Lenient<Attribute>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Attribute {
    r#type: String,
    value: String,
    to_ids: Option<bool>,
    deleted: Option<bool>,
}

/// A number, or a number in quotes.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(i64),
    Text(String),
}

/// Reads a document; `None` if it is not MISP's.
pub(super) fn read(content: &[u8]) -> Result<Option<ListContent>, serde_json::Error> {
    let mut found = ListContent::default();
    let (mut some, mut numbers) = (false, 0);
    let documents = match content.trim_ascii_start().first() {
        // Without a detour: an event can have a million attributes.
        Some(b'{') => vec![Lenient(Some(serde_json::from_slice(content)?))],
        _ => serde_json::from_slice(content)?,
    };
    for document in documents.into_iter().filter_map(|document| document.0) {
        some |= take(document, &mut numbers, &mut found);
    }
    Ok(some.then_some(found))
}

fn take(document: Document, numbers: &mut u64, found: &mut ListContent) -> bool {
    let Document { event, response, attributes } = document;
    let some = event.is_some() || response.is_some() || attributes.is_some();
    if let Some(event) = event {
        for time in [event.timestamp, event.publish_timestamp] {
            found.date(time.0.and_then(nanos));
        }
        if found.date.is_none() {
            let day = event.date.0.and_then(|day| day.parse::<jiff::civil::Date>().ok());
            let day = day.and_then(|day| day.to_zoned(jiff::tz::TimeZone::UTC).ok());
            found.date(day.and_then(|day| i64::try_from(day.timestamp().as_nanosecond()).ok()));
        }
        take_attributes(event.attributes, numbers, found);
        for object in event.objects {
            take_attributes(object.0.unwrap_or_default().attributes, numbers, found);
        }
    }
    take_attributes(attributes.unwrap_or_default(), numbers, found);
    for document in response.into_iter().flat_map(|response| documents(*response)) {
        take(document, numbers, found);
    }
    some
}

/// The documents that there are, and have the form of one.
fn documents(documents: Several<Lenient<Document>>) -> impl Iterator<Item = Document> {
    let documents = match documents {
        Several::Many(documents) => documents,
        Several::One(document) => vec![document],
    };
    documents.into_iter().filter_map(|document| document.0)
}

fn nanos(seconds: Seconds) -> Option<i64> {
    let seconds = match seconds {
        Seconds::Number(seconds) => seconds,
        Seconds::Text(text) => text.parse().ok()?,
    };
    // An event that was never published has a zero here.
    (seconds > 0).then(|| seconds.checked_mul(1_000_000_000)).flatten()
}

/// Why an attribute with `to_ids` off is not matched.
pub(super) const NOT_MEANT: &str = "attributes not for detection (to_ids)";
/// Why an attribute of another type is not matched.
pub(super) const NO_KIND: &str = "attributes of types that connmon does not match";
/// Types with two values, one of which connections have.
const COMPOSITE: [&str; 5] = ["domain|ip", "ip-dst|port", "ip-src|port", "hostname|port", "filename|sha256"];

/// Whether values of a type have two parts that belong together.
pub(super) fn is_composite(kind: &str) -> bool {
    COMPOSITE.contains(&bare(kind))
}

fn take_attributes(attributes: Vec<Lenient<Attribute>>, numbers: &mut u64, found: &mut ListContent) {
    for attribute in attributes {
        *numbers += 1;
        let place = ListPosition::Nth("attribute", *numbers);
        let Some(Attribute { r#type: kind, value, to_ids, deleted }) = attribute.0 else {
            found.skip(place, "", "attributes that cannot be read");
            continue;
        };
        if deleted == Some(true) {
            found.skip(place, &value, "attributes that are deleted");
        } else if to_ids == Some(false) {
            found.skip(place, &value, NOT_MEANT);
        } else {
            take_value(&kind, &value, place, found);
        }
    }
}

/// Takes a value of one of MISP's types.
pub(super) fn take_value(kind: &str, value: &str, place: ListPosition, found: &mut ListContent) {
    const WRONG: &str = "attributes whose value is not an indicator";
    let (first, second) = value.split_once('|').unwrap_or((value, ""));
    match bare(kind) {
        "ip-dst" | "ip-src" | "domain" | "hostname" | "url" | "uri" | "sha256" => {
            found.cell(place, value, WRONG)
        }
        "domain|ip" => {
            found.take(place, first, WRONG);
            found.take(place, second, WRONG);
        }
        // The port of a source is the remote's as well: the remote is what the indicator names.
        "ip-dst|port" | "ip-src|port" | "hostname|port" => {
            let (host, port) =
                value.split_once('|').or_else(|| value.rsplit_once(':')).unwrap_or((value, ""));
            match cell::with_port(host, port) {
                Some(at) => found.indicators.push(at),
                None => found.skip(place, value, WRONG),
            }
        }
        "filename|sha256" => match sha256(second.trim()) {
            Some(hash) => {
                found.indicators.push(Indicator { value: IndicatorValue::Sha256(hash), port: None })
            }
            None => found.skip(place, value, WRONG),
        },
        _ => found.skip(place, value, NO_KIND),
    }
}
