//! Plain text: one indicator a line; what follows it on the line is a comment, as in hosts files and block lists.

use std::net::IpAddr;

use super::{Found, Indicator};

const NO_INDICATOR: &str = "lines that are not an indicator";

/// Reads a list of lines.
pub(super) fn read(text: &str) -> Found {
    let mut found = Found::default();
    for line in text.lines() {
        if let Some(line) = content(line) {
            found.take(word(line), NO_INDICATOR);
        }
    }
    found
}

/// A line without comments; `None` if nothing is left.
pub(super) fn content(line: &str) -> Option<&str> {
    let line = line.trim();
    if line.starts_with(['#', ';', '!']) || line.starts_with("//") {
        return None;
    }
    let line = line.split(" #").next().unwrap_or(line);
    let line = line.split("\t#").next().unwrap_or(line).trim();
    (!line.is_empty()).then_some(line)
}

/// The word of a line that is the indicator.
fn word(line: &str) -> &str {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or(line);
    // A hosts file leads names to an address that is nobody's.
    let nowhere = first.parse::<IpAddr>().is_ok_and(|ip| ip.is_unspecified() || ip.is_loopback());
    let name = words.next().filter(|word| nowhere && Indicator::parse(word).is_some());
    // `||example.com^` is how lists for browsers write a domain.
    name.unwrap_or(first).trim_start_matches("||").trim_end_matches('^')
}
