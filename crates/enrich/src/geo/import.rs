//! CSV in, a file of ranges ([`super::Ranges`]) out.
//!
//! The first line may name the columns, in any order. Without it these layouts are known, told apart by their columns
//! ([`super::layout`]): `start,end,country`; `start,end,asn,organisation`; `start,end,asn,country,organisation`; and cities, as
//! DB-IP (`start,end,continent,country,region,city,latitude,longitude`) and ip-location-db
//! (`start,end,country,region,district,city,postcode,latitude,longitude,time zone`) write them; and those of IP2Location
//! (`start,end,code,country`, then `region,city`, `latitude,longitude`, postcode and time zone; `start,end,cidr,asn,name`). Addresses
//! may be numbers.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sha2::{Digest, Sha256};

use super::LONGEST;
use super::layout::{Addresses, CsvLayout, FirstRow, detect};
use super::licence::is_of_registrations;
use super::ranges::{DEGREE, MAGIC, NO_DEGREES, VERSION};
use super::record::{asn, non_empty};
use super::rows::{CsvRow, ImportError, Lines};
use connmon_record::{Coordinates, GeoDatabase, country_named, from_bytes};

/// The result of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Rows of the CSV.
    pub rows: u64,
    /// Different records among them.
    pub records: u64,
    /// Rows whose range lies upon another's.
    pub overlaps: u64,
    /// The first line of these.
    pub first_overlap: Option<u64>,
    /// Cells that could not be understood, in a table whose first line names the columns.
    pub unread: u64,
    /// The first hundred thousand of them: their lines and what is wrong with them.
    pub each: Vec<(u64, String)>,
    /// Columns that are not used: their numbers from 1, and their names.
    pub unused: Vec<(usize, String)>,
}

/// The text of IPtoASN in place of an organisation if nobody announces a network.
const NOT_ROUTED: &str = "Not routed";
/// Cells that are listed; beyond, they are only counted.
const MOST_LISTED: usize = 100_000;

/// Reads a CSV and gives the bytes of a file of ranges. `about` is what its head says; its kind is filled in.
///
/// # Errors
/// A row is not what it should be, or the file cannot be read.
pub fn import(csv: impl Read, mut about: GeoDatabase) -> Result<(Vec<u8>, Imported), ImportError> {
    let (mut lines, mut columns, mut builder) = (Lines::new(csv)?, None, Builder::default());
    let mut is_first = true;
    while let Some((line, row)) = lines.next()? {
        let wrong = |what: String| ImportError::Row { line, what };
        let known = match &columns {
            Some(known) => known,
            None => match detect(&row, std::mem::take(&mut is_first)).map_err(wrong)? {
                FirstRow::Head => continue,
                FirstRow::Names(named) => {
                    columns = Some(named);
                    continue;
                }
                FirstRow::Row(usual) => columns.insert(usual),
            },
        };
        builder.add(&row, known, line).map_err(wrong)?;
    }
    let columns = columns.filter(|_| builder.rows > 0).ok_or(ImportError::Empty)?;
    about.kind = columns.kind().into();
    about.registered_only = about.kind == "country" && is_of_registrations(about.name.raw());
    let (bytes, imported) = builder.finish(&about)?;
    Ok((bytes, Imported { unused: columns.unused, ..imported }))
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
    unread: u64,
    each: Vec<(u64, String)>,
}

struct Range {
    first: u128,
    last: u128,
    record: u32,
    line: u32,
}

impl Builder {
    fn add(&mut self, row: &CsvRow<'_>, columns: &CsvLayout, line: u64) -> Result<(), String> {
        if row.len() != columns.count {
            return Err(format!("{} columns, where the rows before have {}", row.len(), columns.count));
        }
        let cell = |nth: usize| from_bytes(row.get(nth).unwrap_or_default());
        let (from, to) = match columns.addresses {
            Addresses::Range(first, last) => (address(&cell(first))?, address(&cell(last))?),
            Addresses::Network(nth) => network(&cell(nth))?,
        };
        let (v4, first, last) = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => (true, u32::from(from).into(), u32::from(to).into()),
            (IpAddr::V6(from), IpAddr::V6(to)) => (false, u128::from(from), u128::from(to)),
            _ => return Err(format!("{from} and {to} are of different address families")),
        };
        if first > last {
            return Err(format!("{from} comes after {to}"));
        }
        let record = self.record(columns, line, cell)?;
        self.rows += 1;
        let range = Range { first, last, record, line: u32::try_from(line).unwrap_or(u32::MAX) };
        if v4 {
            self.v4.push(range)
        } else {
            self.v6.push(range)
        }
        Ok(())
    }

    /// What a cell that cannot be understood means: in a table whose first line names the columns nothing, and that is counted.
    fn unless<T: Default>(
        &mut self,
        columns: &CsvLayout,
        line: u64,
        read: Result<T, String>,
    ) -> Result<T, String> {
        match read {
            Err(why) if columns.named => {
                self.unread += 1;
                if self.each.len() < MOST_LISTED {
                    self.each.push((line, why));
                }
                Ok(T::default())
            }
            read => read,
        }
    }

    fn record(
        &mut self,
        columns: &CsvLayout,
        line: u64,
        cell: impl Fn(usize) -> String,
    ) -> Result<u32, String> {
        let first = |columns: &[usize]| {
            let mut texts = columns.iter().map(|nth| cell(*nth));
            texts.find(|text| non_empty(text).is_some_and(|text| text != NOT_ROUTED)).unwrap_or_default()
        };
        let code = country(&first(&columns.country), columns.named);
        let country = self.unless(columns, line, code)?;
        let mut text = |columns: &[usize]| self.text(&first(columns));
        let [region, city, org] = [text(&columns.region)?, text(&columns.city)?, text(&columns.org)?];
        let country = self.text(&country)?;
        let number = first(&columns.asn);
        let number = match number.trim() {
            "" | "0" | "AS0" => Ok(0),
            text => asn(text).ok_or_else(|| format!("{number:?} is not an AS number")),
        };
        let asn = self.unless(columns, line, number)?;
        let at = columns.degrees.map_or(Ok(None), |(lat, lon)| coordinates(&cell(lat), &cell(lon)));
        // Where nothing is known some tables have zeros.
        let is_nowhere = country == 0 && region == 0 && city == 0;
        let coordinates = self.unless(columns, line, at)?;
        let coordinates = coordinates.filter(|at| !is_nowhere || (at.latitude, at.longitude) != (0.0, 0.0));
        let degrees = |degrees: f64| ((degrees * DEGREE).round() as i32).cast_unsigned();
        let none = NO_DEGREES.cast_unsigned();
        let (latitude, longitude) =
            coordinates.map_or((none, none), |at| (degrees(at.latitude), degrees(at.longitude)));
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
        let Some(text) = non_empty(text) else { return Ok(0) };
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
            unread: self.unread,
            each: self.each,
            unused: Vec::new(),
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

/// The first and the last address of a network, a range or an address alone.
fn network(text: &str) -> Result<(IpAddr, IpAddr), String> {
    let text = text.trim();
    if let Ok(network) = text.parse::<ipnet::IpNet>() {
        return Ok((network.network(), network.broadcast()));
    }
    match text.split_once('-') {
        Some((first, last)) => Ok((address(first)?, address(last)?)),
        None => address(text).map(|ip| (ip, ip)),
    }
}

/// A country's code; of a table that names its columns also from its name.
fn country(text: &str, names: bool) -> Result<String, String> {
    let code = text.trim();
    // So IPtoASN says that nobody announces it.
    if code == "None" {
        return Ok(String::new());
    }
    if code.is_empty() || code == "-" || code.len() == 2 && code.is_ascii() {
        return Ok(code.to_owned());
    }
    let by_name = Some(code).filter(|_| names).and_then(country_named);
    by_name.map(str::to_owned).ok_or_else(|| format!("{text:?} is not a two-letter country code"))
}

fn coordinates(latitude: &str, longitude: &str) -> Result<Option<Coordinates>, String> {
    if latitude.trim().is_empty() && longitude.trim().is_empty() {
        return Ok(None);
    }
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let at = number(latitude).zip(number(longitude)).and_then(|(lat, lon)| Coordinates::new(lat, lon));
    at.map(Some).ok_or_else(|| format!("{latitude:?}, {longitude:?} are not valid coordinates"))
}
