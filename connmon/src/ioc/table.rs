//! CSV: the columns whose names say that they hold indicators, else the first cell of each row that is one.

use csv::{ReaderBuilder, StringRecord, StringRecordsIntoIter, Trim};

use super::text::content;
use super::{Found, Indicator};

/// Names of columns that hold indicators, without what is no letter or digit.
const COLUMNS: [&str; 30] = [
    "indicator",
    "indicators",
    "indicatorvalue",
    "ioc",
    "iocs",
    "iocvalue",
    "value",
    "observable",
    "ip",
    "ipaddress",
    "ipaddr",
    "ipv4",
    "ipv6",
    "dstip",
    "destip",
    "destinationip",
    "remoteip",
    "cidr",
    "network",
    "netblock",
    "subnet",
    "domain",
    "domainname",
    "hostname",
    "host",
    "fqdn",
    "url",
    "sha256",
    "sha256hash",
    "hash",
];
/// Lines that are looked at to see whether a text is a table.
const SAMPLE: usize = 50;

/// The delimiter of a text that is a table: most of its first lines have it.
pub(super) fn delimiter(text: &str) -> Option<u8> {
    let sample: Vec<&str> = text.lines().filter_map(content).take(SAMPLE).collect();
    let with = |delimiter: u8| sample.iter().filter(|line| line.contains(char::from(delimiter))).count();
    [b',', b'\t', b';'].into_iter().find(|delimiter| with(*delimiter) * 2 > sample.len())
}

/// Reads a table.
pub(super) fn read(text: &str, delimiter: u8) -> Found {
    let mut found = Found::default();
    // Some tables name their columns in a comment, of which the last one before the rows counts.
    let named = |line: &str| rows(line, delimiter).next().and_then(Result::ok).and_then(|row| columns(&row));
    let comments = text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#'));
    let mut wanted = comments.filter_map(|line| named(line.trim_start_matches(['#', ' ']))).last();
    let mut first = true;
    for row in rows(text, delimiter) {
        let Ok(row) = row else {
            found.skipped.add("rows that cannot be read");
            continue;
        };
        if row.get(0).is_none_or(|cell| cell.starts_with('#')) || row.iter().all(str::is_empty) {
            continue;
        }
        if std::mem::take(&mut first)
            && let Some(columns) = columns(&row)
        {
            wanted = Some(columns);
            continue;
        }
        match &wanted {
            Some(columns) => {
                for cell in columns.iter().filter_map(|nth| row.get(*nth)).filter(|cell| !cell.is_empty()) {
                    found.take(cell, "cells that are not an indicator");
                }
            }
            None => match row.iter().find_map(Indicator::parse) {
                Some(indicator) => found.indicators.push(indicator),
                None => found.skipped.add("rows without an indicator"),
            },
        }
    }
    found
}

fn rows(text: &str, delimiter: u8) -> StringRecordsIntoIter<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).trim(Trim::All);
    builder.from_reader(text.as_bytes()).into_records()
}

/// The places of columns with indicators, if this is a row of names.
fn columns(row: &StringRecord) -> Option<Vec<usize>> {
    let is_one = |cell: &str| {
        let letters: String = cell.chars().filter(char::is_ascii_alphanumeric).collect();
        COLUMNS.contains(&letters.to_ascii_lowercase().as_str())
    };
    let columns: Vec<usize> =
        row.iter().enumerate().filter(|(_, cell)| is_one(cell)).map(|(nth, _)| nth).collect();
    (!columns.is_empty()).then_some(columns)
}
