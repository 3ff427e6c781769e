//! connmon's own file of address ranges (`.cgeo`), which `connmon geo import` makes from a CSV.
//!
//! All numbers are little-endian. `connmgeo`, version (u32), length of the head (u32), head (JSON: [`GeoDatabase`]), five
//! lengths (u32: IPv4 ranges, IPv6 ranges, records, texts, bytes of text), then the tables, and the SHA-256 of all that.
//! A range begins at its address and ends where the next one begins; record 0 is "nothing known".

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::record::GeoRecord;
use connmon_record::{Coordinates, GeoDatabase};

pub(super) const MAGIC: &[u8; 8] = b"connmgeo";
pub(super) const VERSION: u32 = 1;
/// Bytes of a record: country, region, city, organisation (texts), ASN, latitude, longitude.
pub(super) const RECORD: usize = 28;
/// Degrees are stored as whole numbers of this part of one; the smallest number stands for "none".
pub(super) const DEGREE: f64 = 1e7;
pub(super) const NO_DEGREES: i32 = i32::MIN;
const DIGEST: usize = 32;

/// Ranges, in memory as they are in the file.
#[derive(Debug)]
pub struct Ranges {
    bytes: Vec<u8>,
    v4: Table,
    v6: Table,
    records: usize,
    offsets: usize,
    texts: usize,
}

/// The place of the ranges of one family: their first addresses, then their records.
#[derive(Clone, Copy, Debug)]
struct Table {
    at: usize,
    count: usize,
    width: usize,
}

impl Ranges {
    /// The first bytes of such a file.
    pub const MAGIC: &[u8] = MAGIC;

    /// Takes a file's bytes.
    ///
    /// # Errors
    /// A few words on why this is no such file, or a damaged one.
    pub fn new(bytes: Vec<u8>) -> Result<(Self, GeoDatabase), &'static str> {
        const SHORT: &str = "it is truncated";
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        let size = |at: usize| word(at).and_then(|word| usize::try_from(word).ok()).ok_or(SHORT);
        if !bytes.starts_with(MAGIC) {
            return Err("it has no valid header");
        }
        if word(8) != Some(VERSION) {
            return Err("it is of another version: import its CSV again");
        }
        let head_end = size(12)?.checked_add(16).ok_or(SHORT)?;
        let counts = head_end;
        let [v4, v6, records, texts, text_bytes] =
            [size(counts)?, size(counts + 4)?, size(counts + 8)?, size(counts + 12)?, size(counts + 16)?];
        let v4 = Table { at: counts + 20, count: v4, width: 4 };
        let mut end = Some(v4.at);
        let mut after = |parts: &[(usize, usize)]| -> Result<usize, &'static str> {
            for (count, width) in parts {
                end = end.and_then(|end| end.checked_add(count.checked_mul(*width)?));
            }
            end.filter(|end| *end <= bytes.len()).ok_or(SHORT)
        };
        let v6 = Table { at: after(&[(v4.count, 8)])?, count: v6, width: 16 };
        let record_table = after(&[(v6.count, 20)])?;
        let offsets = after(&[(records, RECORD)])?;
        let text_table = after(&[(texts, 4), (1, 4)])?;
        let content = after(&[(text_bytes, 1)])?;
        if bytes.len() != content.saturating_add(DIGEST) {
            return Err(SHORT);
        }
        if Sha256::digest(&bytes[..content])[..] != bytes[content..] {
            return Err("its checksum does not match: it is damaged");
        }
        let head = bytes.get(16..head_end).ok_or(SHORT)?;
        let about = serde_json::from_slice(head).map_err(|_| "its header cannot be read")?;
        Ok((Self { v4, v6, records: record_table, offsets, texts: text_table, bytes }, about))
    }

    /// The number of ranges, including those without a record.
    pub fn count(&self) -> usize {
        self.v4.count + self.v6.count
    }

    /// The known facts about an address.
    pub fn lookup(&self, ip: IpAddr) -> GeoRecord<'_> {
        let (table, key) = match ip {
            IpAddr::V4(ip) => (self.v4, u128::from(u32::from(ip))),
            IpAddr::V6(ip) => (self.v6, u128::from(ip)),
        };
        self.find(table, key).and_then(|record| self.record(record)).unwrap_or_default()
    }

    /// The record of the last range that begins at `key` or before it.
    fn find(&self, table: Table, key: u128) -> Option<usize> {
        let (mut low, mut high) = (0, table.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.start(table, middle)? <= key { low = middle + 1 } else { high = middle }
        }
        let nth = low.checked_sub(1)?;
        self.word(table.at + table.count * table.width + nth * 4).map(|word| word as usize)
    }

    fn start(&self, table: Table, nth: usize) -> Option<u128> {
        let bytes = self.bytes.get(table.at + nth * table.width..)?;
        Some(match table.width {
            4 => u32::from_le_bytes(*bytes.first_chunk()?).into(),
            _ => u128::from_le_bytes(*bytes.first_chunk()?),
        })
    }

    fn word(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(*self.bytes.get(at..)?.first_chunk()?))
    }

    fn record(&self, nth: usize) -> Option<GeoRecord<'_>> {
        let at = self.records + nth.checked_mul(RECORD)?;
        // Beyond the last record there are texts, which are none.
        if at + RECORD > self.offsets {
            return None;
        }
        let text = |field: usize| self.text(self.word(at + field * 4)? as usize);
        let degrees = |field: usize| {
            let degrees = self.word(at + field * 4)?.cast_signed();
            (degrees != NO_DEGREES).then(|| f64::from(degrees) / DEGREE)
        };
        Some(GeoRecord {
            country: text(0),
            region: text(1),
            city: text(2),
            org: text(3),
            asn: self.word(at + 16).filter(|asn| *asn != 0),
            coordinates: degrees(5).zip(degrees(6)).and_then(|(lat, lon)| Coordinates::new(lat, lon)),
        })
    }

    fn text(&self, nth: usize) -> Option<&str> {
        let offset = |nth: usize| self.word(self.offsets + nth * 4).map(|word| word as usize);
        if nth == 0 || self.offsets + nth * 4 + 8 > self.texts {
            return None;
        }
        let (from, to) = (self.texts.checked_add(offset(nth)?)?, self.texts.checked_add(offset(nth + 1)?)?);
        let end = self.bytes.len() - DIGEST;
        let bytes = self.bytes.get(from..to.min(end))?;
        std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
    }
}
