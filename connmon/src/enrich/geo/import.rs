//! CSV in, a file of ranges ([`super::Ranges`]) out.
//!
//! Three layouts are known, told apart by their columns: `start,end,country`; `start,end,asn,organisation`; and cities,
//! as DB-IP (`start,end,continent,country,region,city,latitude,longitude`) and ip-location-db
//! (`start,end,country,region,district,city,postcode,latitude,longitude,time zone`) write them. Addresses may be numbers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::LONGEST;
use super::licence::is_of_registrations;
use super::ranges::{DEGREE, MAGIC, NO_DEGREES, VERSION};
use super::record::{asn, some};
use super::rows::{Lines, Row};
use crate::model::{Coordinates, GeoDatabase, from_bytes};

/// Why a CSV cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A row cannot be understood.
    #[error("line {line}: {what}")]
    Row {
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// There is no row.
    #[error("it has no rows")]
    Empty,
    /// Offsets have 32 bits.
    #[error("it is too large")]
    TooLarge,
}

/// What was imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the CSV.
    pub rows: u64,
    /// Different records among them.
    pub records: u64,
    /// Rows whose range lies upon another's.
    pub overlaps: u64,
    /// The first line of these.
    pub first_overlap: Option<u64>,
}

/// The columns of a CSV.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Columns {
    count: usize,
    country: Option<usize>,
    region: Option<usize>,
    city: Option<usize>,
    latitude: Option<usize>,
    asn: Option<usize>,
    org: Option<usize>,
    kind: &'static str,
}

const NOTHING: Columns = Columns {
    count: 0,
    country: None,
    region: None,
    city: None,
    latitude: None,
    asn: None,
    org: None,
    kind: "",
};
const COUNTRY: Columns = Columns { count: 3, country: Some(2), kind: "country", ..NOTHING };
const ASN: Columns = Columns { count: 4, asn: Some(2), org: Some(3), kind: "asn", ..NOTHING };
const CITY: Columns = Columns {
    count: 8,
    country: Some(3),
    region: Some(4),
    city: Some(5),
    latitude: Some(6),
    kind: "city",
    ..NOTHING
};
const CITY_AND_POSTCODE: Columns = Columns {
    count: 10,
    country: Some(2),
    region: Some(3),
    city: Some(5),
    latitude: Some(7),
    kind: "city",
    ..NOTHING
};

/// Reads a CSV and gives the bytes of a file of ranges. `about` is what its head says; its kind is filled in.
///
/// # Errors
/// A row is not what it should be, or the file cannot be read.
pub fn import(csv: impl Read, mut about: GeoDatabase) -> Result<(Vec<u8>, Imported), ImportError> {
    let (mut lines, mut columns, mut builder) = (Lines::new(csv), None, Builder::default());
    while let Some((line, row)) = lines.next()? {
        let wrong = |what: String| ImportError::Row { line, what };
        if columns.is_none() && is_head(&row) {
            continue;
        }
        let known = match columns {
            Some(known) => known,
            None => *columns.insert(detect(&row).map_err(wrong)?),
        };
        builder.add(&row, known, line).map_err(wrong)?;
    }
    about.kind = columns.ok_or(ImportError::Empty)?.kind.to_owned();
    about.registered_only = about.kind == "country" && is_of_registrations(&about.name);
    builder.finish(&about)
}

/// Whether a first row names the columns instead of having values: an address has a digit or a colon.
fn is_head(row: &Row<'_>) -> bool {
    let first = row.get(0).unwrap_or_default();
    row.len() > 1 && !first.is_empty() && first.iter().all(|b| b.is_ascii_alphabetic() || b" _-".contains(b))
}

fn detect(row: &Row<'_>) -> Result<Columns, String> {
    let is_number = |nth: usize| row.get(nth).is_some_and(|cell| asn(&from_bytes(cell)).is_some());
    match row.len() {
        3 if !is_number(2) => Ok(COUNTRY),
        4 if row.get(2).is_some_and(|cell| cell == b"0") || is_number(2) => Ok(ASN),
        8 => Ok(CITY),
        10 => Ok(CITY_AND_POSTCODE),
        n => Err(format!(
            "an unknown layout of {n} columns; supported are start,end,country and start,end,asn,organisation and the \
             city tables of DB-IP and ip-location-db"
        )),
    }
}

/// Ranges in the making.
#[derive(Default)]
struct Builder {
    texts: HashMap<String, u32>,
    text_bytes: Vec<u8>,
    offsets: Vec<u32>,
    records: HashMap<[u32; 7], u32>,
    record_bytes: Vec<u8>,
    rows: u64,
    v4: Vec<Range>,
    v6: Vec<Range>,
}

struct Range {
    first: u128,
    last: u128,
    record: u32,
    line: u32,
}

impl Builder {
    fn add(&mut self, row: &Row<'_>, columns: Columns, line: u64) -> Result<(), String> {
        if row.len() != columns.count {
            return Err(format!("{} columns, where the rows before have {}", row.len(), columns.count));
        }
        let cell = |nth: usize| from_bytes(row.get(nth).unwrap_or_default());
        let (first, last) = (cell(0), cell(1));
        let (from, to) = (address(&first)?, address(&last)?);
        let (v4, first, last) = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (true, u32::from(from).into(), u32::from(to).into()),
            (IpAddr::V6(from), IpAddr::V6(to)) => (false, u128::from(from), u128::from(to)),
            _ => return Err(format!("{first} and {last} are of different address families")),
        };
        if first > last {
            return Err(format!("{from} comes after {to}"));
        }
        let record = self.record(columns, cell)?;
        self.rows += 1;
        let range = Range { first, last, record, line: u32::try_from(line).unwrap_or(u32::MAX) };
        if v4 {
            self.v4.push(range)
        } else {
            self.v6.push(range)
        }
        Ok(())
    }

    fn record(&mut self, columns: Columns, cell: impl Fn(usize) -> String) -> Result<u32, String> {
        let country = columns.country.map(&cell).unwrap_or_default();
        let code = country.trim();
        if !(code.is_empty() || code.len() == 2 && code.is_ascii()) {
            return Err(format!("{country:?} is not a two-letter country code"));
        }
        let mut text = |column: Option<usize>| column.map_or(Ok(0), |nth| self.text(&cell(nth)));
        let texts = [text(columns.country)?, text(columns.region)?, text(columns.city)?, text(columns.org)?];
        let asn = match columns.asn.map(&cell) {
            None => 0,
            Some(number) if number.trim().is_empty() || number.trim() == "0" => 0,
            Some(number) => asn(&number).ok_or_else(|| format!("{number:?} is not an AS number"))?,
        };
        let coordinates = match columns.latitude {
            Some(nth) => coordinates(&cell(nth), &cell(nth + 1))?,
            None => None,
        };
        let degrees = |degrees: f64| ((degrees * DEGREE).round() as i32).cast_unsigned();
        let none = NO_DEGREES.cast_unsigned();
        let (latitude, longitude) =
            coordinates.map_or((none, none), |at| (degrees(at.latitude), degrees(at.longitude)));
        let [country, region, city, org] = texts;
        let fields = [country, region, city, org, asn, latitude, longitude];
        // Record 0 is for what is not known.
        let next = u32::try_from(self.records.len() + 1).map_err(|_| "too many records".to_owned())?;
        Ok(*self.records.entry(fields).or_insert_with(|| {
            self.record_bytes.extend(fields.iter().flat_map(|field| field.to_le_bytes()));
            next
        }))
    }

    /// The number of a text; 0 is none.
    fn text(&mut self, text: &str) -> Result<u32, String> {
        let Some(text) = some(text) else { return Ok(0) };
        let text: String = text.chars().take(LONGEST).collect();
        if let Some(number) = self.texts.get(&text) {
            return Ok(*number);
        }
        self.text_bytes.extend(text.as_bytes());
        let full = || "too much text".to_owned();
        self.offsets.push(u32::try_from(self.text_bytes.len()).map_err(|_| full())?);
        let number = u32::try_from(self.offsets.len()).map_err(|_| full())?;
        self.texts.insert(text, number);
        Ok(number)
    }

    fn finish(self, about: &GeoDatabase) -> Result<(Vec<u8>, Imported), ImportError> {
        let (v4, overlaps_v4, first_v4) = partition(self.v4, u32::MAX.into());
        let (v6, overlaps_v6, first_v6) = partition(self.v6, u128::MAX);
        let imported = Imported {
            rows: self.rows,
            records: self.records.len() as u64,
            overlaps: overlaps_v4 + overlaps_v6,
            first_overlap: [first_v4, first_v6].into_iter().flatten().min(),
        };
        let head = serde_json::to_vec(about).map_err(io::Error::from)?;
        let mut bytes = Vec::new();
        let size = |n: usize| u32::try_from(n).map_err(|_| ImportError::TooLarge);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(size(head.len())?.to_le_bytes());
        bytes.extend(head);
        // Text 0 is empty and record 0 has nothing, so there is one more of each than was made.
        let counts =
            [v4.len(), v6.len(), self.records.len() + 1, self.offsets.len() + 1, self.text_bytes.len()];
        for count in counts {
            bytes.extend(size(count)?.to_le_bytes());
        }
        bytes.extend(v4.iter().flat_map(|(start, _)| (*start as u32).to_le_bytes()));
        bytes.extend(v4.iter().flat_map(|(_, record)| record.to_le_bytes()));
        bytes.extend(v6.iter().flat_map(|(start, _)| start.to_le_bytes()));
        bytes.extend(v6.iter().flat_map(|(_, record)| record.to_le_bytes()));
        let none = NO_DEGREES.cast_unsigned();
        bytes.extend([0, 0, 0, 0, 0, none, none].iter().flat_map(|field: &u32| field.to_le_bytes()));
        bytes.extend(self.record_bytes);
        // Text n ends where text n + 1 begins: text 0 from 0 to 0, text 1 from 0 on.
        bytes.extend([0_u32, 0].iter().chain(&self.offsets).flat_map(|offset| offset.to_le_bytes()));
        bytes.extend(self.text_bytes);
        let digest = Sha256::digest(&bytes);
        bytes.extend(digest);
        Ok((bytes, imported))
    }
}

/// From ranges with a first and a last address to starts with a record: what lies between gets record 0. Where ranges
/// overlap, the one that begins later counts, of those the shorter, of equal ones the later line. Also gives how many lie
/// upon others, and the first line of these.
fn partition(mut ranges: Vec<Range>, highest: u128) -> (Vec<(u128, u32)>, u64, Option<u64>) {
    ranges.sort_unstable_by_key(|range| (range.first, Reverse(range.last), range.line));
    let mut starts = Starts(Vec::with_capacity(ranges.len()));
    // The ranges that are not over, the one that counts last.
    let mut open: Vec<(u128, u32)> = Vec::new();
    let (mut overlaps, mut first) = (0, None::<u64>);
    for range in &ranges {
        starts.close(&mut open, range.first, highest);
        if !open.is_empty() {
            overlaps += 1;
            first = Some(first.map_or(range.line.into(), |line| line.min(range.line.into())));
        }
        starts.push(range.first, range.record);
        open.push((range.last, range.record));
    }
    starts.close(&mut open, u128::MAX, highest);
    (starts.0, overlaps, first)
}

struct Starts(Vec<(u128, u32)>);

impl Starts {
    fn push(&mut self, start: u128, record: u32) {
        if self.0.last().is_some_and(|(last, _)| *last == start) {
            self.0.pop();
        }
        if self.0.last().is_none_or(|(_, last)| *last != record) {
            self.0.push((start, record));
        }
    }

    /// Ends the ranges that are over before `next`; what lies below each goes on.
    fn close(&mut self, open: &mut Vec<(u128, u32)>, next: u128, highest: u128) {
        while let Some((last, _)) = open.last().copied().filter(|(last, _)| *last < next) {
            open.retain(|(other, _)| *other > last);
            if last < highest {
                self.push(last + 1, open.last().map_or(0, |(_, record)| *record));
            }
        }
    }
}

/// An address, or the number that it is.
fn address(text: &str) -> Result<IpAddr, String> {
    let text = text.trim();
    let number = || -> Option<IpAddr> {
        let number: u128 =
            Some(text).filter(|text| text.bytes().all(|b| b.is_ascii_digit()))?.parse().ok()?;
        Some(
            u32::try_from(number)
                .map_or_else(|_| Ipv6Addr::from(number).into(), |n| Ipv4Addr::from(n).into()),
        )
    };
    text.parse().ok().or_else(number).ok_or_else(|| format!("{text:?} is not an IP address"))
}

fn coordinates(latitude: &str, longitude: &str) -> Result<Option<Coordinates>, String> {
    if latitude.trim().is_empty() && longitude.trim().is_empty() {
        return Ok(None);
    }
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let at = number(latitude).zip(number(longitude)).and_then(|(lat, lon)| Coordinates::new(lat, lon));
    at.map(Some).ok_or_else(|| format!("{latitude:?}, {longitude:?} are not valid coordinates"))
}
