//! CSV: the columns whose names say that they hold indicators, else the first cell of each row that is one.

use std::borrow::Cow;

use csv::{ReaderBuilder, StringRecord, StringRecordsIntoIter, Trim};

use super::columns::{Columns, is_other_kind};
use super::indicator::bare;
use super::line::content;
use super::{Indicator, ListContent, ListPosition, cell, misp, range};

/// Lines that are looked at to see whether a text is a table.
const SAMPLE: usize = 50;
const NO_INDICATOR: &str = "cells that are not an indicator";

/// The delimiter of a text that is a table: most of its first lines have it, the more alike the better.
pub(super) fn delimiter(text: &str) -> Option<u8> {
    // What Excel writes and reads: `sep=;`
    if let Some([mark]) = separator_line(text).map(str::as_bytes) {
        return Some(*mark);
    }
    let sample = sample(text);
    let marks = [b'\t', b';', b',', b'|'].into_iter().filter_map(|delimiter| {
        let counts: Vec<usize> = sample.iter().map(|line| unquoted(line, delimiter)).collect();
        let with = counts.iter().filter(|count| **count > 0).count();
        let alike = |count: &usize| counts.iter().filter(|other| *other == count).count();
        let alike = counts.iter().filter(|count| **count > 0).map(alike).max().unwrap_or(0);
        (with * 2 > sample.len()).then_some((alike, delimiter))
    });
    // Of equals the first.
    marks.reduce(|best, next| if next.0 > best.0 { next } else { best }).map(|(_, delimiter)| delimiter)
}

/// The first lines, each with those that go on within its quotes.
fn sample(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let is_open = |line: &String| line.matches('"').count() % 2 == 1;
    for line in text.lines().filter_map(content).take(SAMPLE * 4) {
        if let Some(last) = lines.last_mut().filter(|last| is_open(last)) {
            last.push_str(line);
        } else if lines.len() < SAMPLE {
            lines.push(before_mark(line).to_owned());
        } else {
            break;
        }
    }
    // A quote that never ends is none.
    match lines.last().is_some_and(is_open) {
        true => {
            text.lines().filter_map(content).take(SAMPLE).map(|line| before_mark(line).to_owned()).collect()
        }
        false => lines,
    }
}

fn separator_line(text: &str) -> Option<&str> {
    text.lines().next()?.strip_prefix("sep=").map(str::trim_end)
}

/// What of a line comes before a mark with which AlienVault separates an address from what is said of it.
fn before_mark(line: &str) -> &str {
    line.split_once('#')
        .map(|(first, _)| first)
        .filter(|first| Indicator::parse(first).is_some())
        .unwrap_or(line)
}

/// The number of delimiters in a line outside quotes.
fn unquoted(line: &str, delimiter: u8) -> usize {
    // Lists for browsers begin so.
    if delimiter == b'|' && (line.starts_with("||") || line.starts_with("@@")) {
        return 0;
    }
    let mut quoted = false;
    let mut count = |c: u8| {
        quoted ^= c == b'"';
        c == delimiter && !quoted
    };
    line.bytes().filter(|c| count(*c)).count()
}

/// Reads a table.
pub(super) fn read(text: &str, delimiter: u8) -> ListContent {
    let text = &*joined(text, delimiter);
    let found = read_by(text, delimiter, true);
    // A first row that named columns without indicators was none.
    if found.indicators.is_empty() { read_by(text, delimiter, false) } else { found }
}

/// Without the blanks that some tables have between a delimiter and a quote, where it would be none: `a, "b, c"`.
fn joined(text: &str, delimiter: u8) -> Cow<'_, str> {
    let delimiter = char::from(delimiter);
    if !text.contains(&format!("{delimiter} ")) {
        return text.into();
    }
    let mut joined = String::with_capacity(text.len());
    let (mut is_quoted, mut rest) = (false, text);
    while let Some(at) = rest.find(['"', delimiter]) {
        let is_quote = rest[at..].starts_with('"');
        is_quoted ^= is_quote;
        joined.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if !is_quote && !is_quoted && rest.trim_start_matches(' ').starts_with('"') {
            rest = rest.trim_start_matches(' ');
        }
    }
    joined.push_str(rest);
    joined.into()
}

fn read_by(text: &str, delimiter: u8, named: bool) -> ListContent {
    let mut found = ListContent::default();
    let mut columns = None;
    let mut first = true;
    for row in rows(text, delimiter) {
        let row = match row {
            Ok(row) => row,
            Err(error) => {
                let line = line_of(text, error.position());
                found.skip(ListPosition::Line(line), "", "rows that cannot be read");
                continue;
            }
        };
        let line = line_of(text, row.position());
        let start = row.get(0).unwrap_or_default();
        let says_nothing = row.iter().all(str::is_empty) || line == 1 && separator_line(text).is_some();
        if says_nothing || start.starts_with(['#', '!']) || start.starts_with("//") {
            continue;
        }
        if std::mem::take(&mut first) && named {
            columns = Columns::named_by(&row);
            if columns.is_some() {
                continue;
            }
            columns = commented(text, delimiter, row.len());
        }
        match &columns {
            Some(columns) => by_columns(&row, columns, line, &mut found),
            None => by_itself(&row, line, &mut found),
        }
    }
    found
}

/// The line of a row: its place is where the one before ended, and comments and empty lines may follow there.
fn line_of(text: &str, place: Option<&csv::Position>) -> u64 {
    let Some(place) = place else { return 0 };
    let rest = usize::try_from(place.byte()).ok().and_then(|at| text.get(at..)).unwrap_or_default();
    let is_passed = |line: &&str| line.starts_with('#') || line.trim_end_matches(['\r', '\n']).is_empty();
    place.line() + rest.split_inclusive('\n').take_while(is_passed).count() as u64
}

/// Some tables name their columns in a comment, of which the last one before the rows counts.
fn commented(text: &str, delimiter: u8, cells: usize) -> Option<Columns> {
    let comments = text.lines().take_while(|line| line.trim().is_empty() || line.starts_with('#'));
    let row = |line: &str| rows(line, delimiter).next().and_then(Result::ok);
    let rows = comments.filter_map(|line| row(line.trim_start_matches(['#', ' '])));
    rows.filter(|row| row.len() == cells).filter_map(|row| Columns::named_by(&row)).last()
}

fn by_columns(row: &StringRecord, columns: &Columns, line: u64, found: &mut ListContent) {
    let at = |column: Option<usize>| column.and_then(|nth| row.get(nth));
    if let Some((start, end)) = columns.range {
        let address = |nth| row.get(nth).and_then(range::address);
        if let Some(networks) =
            address(start).zip(address(end)).and_then(|(start, end)| range::between(start, end))
        {
            return found.indicators.extend(networks.into_iter().map(Indicator::network));
        }
        if columns.values.is_empty() {
            return found.skip(
                ListPosition::Line(line),
                row.get(start).unwrap_or_default(),
                "rows without a range",
            );
        }
    }
    let kind = at(columns.kind).unwrap_or_default();
    let unwanted = at(columns.to_ids).is_some_and(|mark| matches!(bare(mark), "0" | "false" | "False"));
    for nth in &columns.values {
        let place = ListPosition::Cell(line, nth + 1);
        match row.get(*nth).unwrap_or_default() {
            "" => {}
            text if unwanted => found.skip(place, text, misp::NOT_MEANT),
            text if misp::is_composite(kind) => misp::take_value(kind, text, place, found),
            text if is_other_kind(kind) => found.skip(place, text, cell::reason(text, misp::NO_KIND)),
            text => found.cell(place, text, NO_INDICATOR),
        }
    }
}

/// Reads a line of a text that is no table, if each of its cells is an indicator; false if it is not.
pub(super) fn take_line(line: &str, place: ListPosition, found: &mut ListContent) -> bool {
    let ListPosition::Line(number) = place else { return false };
    let is_indicator = |cell: &str| Indicator::parse(cell).is_some();
    // To make a reader costs more than to read a line, and most lines need none.
    let may_be_cells = |delimiter: &u8| {
        let first = line.split_once(char::from(*delimiter)).map(|(first, _)| first.trim());
        first.is_some_and(|cell| cell.starts_with('"') || is_indicator(cell))
    };
    let row = |delimiter: u8| rows(line, delimiter).next().and_then(Result::ok);
    let row = [b',', b';', b'|']
        .into_iter()
        .filter(may_be_cells)
        .filter_map(row)
        .find(|row| row.len() > 1 && row.iter().all(is_indicator));
    row.inspect(|row| by_itself(row, number, found)).is_some()
}

/// A row of which nobody says what is in it: the first cell with an indicator, rather one that cannot be a file's name.
fn by_itself(row: &StringRecord, line: u64, found: &mut ListContent) {
    let whole = row.iter().map(Indicator::parse_with_ranges).collect::<Vec<_>>();
    // The first and the last address of a network, as its own length of a prefix or their form tells.
    if let Some(network) = row.iter().zip(row.iter().skip(1)).find_map(|(first, last)| network(first, last)) {
        return found.indicators.push(Indicator::network(network));
    }
    let sure = |all: &&Vec<Indicator>| !all.iter().any(Indicator::may_be_a_file);
    let first = whole.iter().flatten().find(sure).or_else(|| whole.iter().flatten().next());
    let several = || {
        let cells = row.iter().map(|cell| cell::indicators(cell).0);
        cells.into_iter().find(|all| !all.is_empty() && all.iter().all(|it| !it.may_be_a_file()))
    };
    match first.cloned().or_else(several) {
        Some(all) => found.indicators.extend(all),
        None => {
            let text = row.iter().collect::<Vec<_>>().join(" | ");
            let one = row.iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>();
            let reason = one.first().map_or("", |cell| cell::reason(cell, "rows without an indicator"));
            found.skip(ListPosition::Line(line), &text, reason);
        }
    }
}

/// The network between two different addresses that are its first and its last one.
fn network(first: &str, last: &str) -> Option<ipnet::IpNet> {
    let (first, last) = (range::address(first)?, range::address(last)?);
    let networks = (first != last).then(|| range::between(first, last)).flatten()?;
    match *networks.as_slice() {
        [network] => Some(network),
        _ => None,
    }
}

fn rows(text: &str, delimiter: u8) -> StringRecordsIntoIter<&[u8]> {
    let mut builder = ReaderBuilder::new();
    builder.has_headers(false).flexible(true).delimiter(delimiter).trim(Trim::All).comment(Some(b'#'));
    builder.from_reader(text.as_bytes()).into_records()
}
