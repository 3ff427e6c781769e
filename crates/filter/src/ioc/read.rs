//! From the bytes of a file to a list: which format it is, and when it was made.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::lenient::Lenient;
use super::{IocError, List, ListContent, json, misp, stix, table, text};
use connmon_record::{IndicatorList, Timestamp, from_bytes, hex};

/// Bytes of a list at most.
pub const LARGEST: u64 = 256 << 20;
/// Indicators of a list at most.
const MOST: usize = 10_000_000;

/// The formats of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// One indicator a line.
    Text,
    /// A table.
    Csv,
    /// A STIX 2.1 bundle.
    Stix,
    /// MISP events.
    Misp,
    /// JSON of another format.
    Json,
}

impl Format {
    /// The name for people and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Csv => "csv",
            Self::Stix => "stix",
            Self::Misp => "misp",
            Self::Json => "json",
        }
    }
}

/// Reads a list, whatever its format; `modified` is when its file was changed last.
///
/// # Errors
/// It is too large, it is JSON of another kind, or has nothing that could be matched.
pub fn read(name: &str, bytes: &[u8], modified: Option<Timestamp>) -> Result<List, IocError> {
    if bytes.len() as u64 > LARGEST {
        return Err(IocError::TooLarge(LARGEST));
    }
    let content = utf8(bytes);
    let (format, found) = match json_start(&content) {
        true => of_json(&content)?,
        false => lines(&from_bytes(&content)),
    };
    let ListContent { mut indicators, skipped, date } = found;
    if indicators.is_empty() && !skipped.is_empty() {
        return Err(IocError::Nothing(Box::new(skipped)));
    }
    if indicators.len() > MOST {
        return Err(IocError::TooMany(MOST));
    }
    indicators.shrink_to_fit();
    let about = Arc::new(IndicatorList {
        name: name.into(),
        sha256: hex(&Sha256::digest(bytes)),
        date: date.map(Timestamp).or(modified),
        indicators: indicators.len() as u64,
    });
    Ok(List { about, format, indicators, skipped })
}

/// A text without its mark of byte order, from UTF-16 if that is what it is in.
fn utf8(bytes: &[u8]) -> Cow<'_, [u8]> {
    let read: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).into(),
    };
    let units = bytes[2..].chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes().into()
}

/// Whether a text is meant to be JSON. An address in brackets is not.
fn json_start(bytes: &[u8]) -> bool {
    let mut rest = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    match rest.next() {
        Some(b'{') => true,
        Some(b'[') => matches!(rest.next(), Some(b'{' | b'"' | b']' | b'[')),
        _ => false,
    }
}

fn lines(content: &str) -> (Format, ListContent) {
    match table::delimiter(content) {
        Some(delimiter) => (Format::Csv, table::read(content, delimiter)),
        None => (Format::Text, text::read(content)),
    }
}

/// As much of any JSON document as tells its kind.
#[derive(Deserialize)]
struct Kind {
    #[serde(default)]
    r#type: Lenient<String>,
}

fn of_json(content: &[u8]) -> Result<(Format, ListContent), IocError> {
    let wrong = |error: serde_json::Error| IocError::Json(error.to_string());
    // A list of events has no type.
    let kind = serde_json::from_slice::<Kind>(content).ok().and_then(|kind| kind.r#type.0);
    if kind.as_deref() == Some("bundle") {
        return stix::read(content).map_err(wrong).map(|found| (Format::Stix, found));
    }
    if let Ok(Some(found)) = misp::read(content) {
        return Ok((Format::Misp, found));
    }
    let found = json::read(content).map_err(wrong)?;
    if found.indicators.is_empty() && found.skipped.is_empty() {
        return Err(IocError::OtherJson);
    }
    Ok((Format::Json, found))
}
