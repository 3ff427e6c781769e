//! What stands in one place of a list: an indicator, a range, or several of them, and what is none.

use super::indicator::bare;
use super::{Indicator, IndicatorValue, ListContent, ListPosition};

/// The separators between several values in a cell.
const SEPARATORS: [char; 4] = [',', ';', '|', '\u{a0}'];
/// Lengths of other hashes in hexadecimal: MD5, SHA-1, SHA-224, SHA-384, SHA-512.
const OTHER_HASHES: [usize; 5] = [32, 40, 56, 96, 128];

/// The indicators of a cell and the words that are none. A number behind an address or a name is its port.
pub(super) fn indicators(text: &str) -> (Vec<Indicator>, Vec<&str>) {
    if let Some(all) = Indicator::parse_with_ranges(text) {
        return (all, Vec::new());
    }
    let parts = text.split(|c: char| c.is_whitespace() || SEPARATORS.contains(&c));
    let words: Vec<&str> = parts.filter(|word| !word.is_empty()).collect();
    if let [host, port] = *words
        && let Some(at) = with_port(host, port)
    {
        return (vec![at], Vec::new());
    }
    let (mut found, mut rest) = (Vec::new(), Vec::new());
    for word in words {
        match Indicator::parse_with_ranges(word) {
            Some(all) => found.extend(all),
            None => rest.push(word),
        }
    }
    (found, rest)
}

/// A host and the number of a port.
pub(super) fn with_port(host: &str, port: &str) -> Option<Indicator> {
    let port = port.trim().parse::<u16>().ok().filter(|port| *port > 0)?;
    let at = Indicator::parse(host).filter(|at| at.port.is_none())?;
    let single = match &at.value {
        IndicatorValue::Network(network) => network.prefix_len() == network.max_prefix_len(),
        IndicatorValue::Name(_) => true,
        IndicatorValue::Url(..) | IndicatorValue::Sha256(_) => false,
    };
    single.then(|| at.with_port(Some(port)))
}

/// Why a text that is no indicator is none, where that can be told.
pub(super) fn reason(text: &str, otherwise: &'static str) -> &'static str {
    let text = bare(text);
    if OTHER_HASHES.contains(&text.len()) && text.bytes().all(|c| c.is_ascii_hexdigit()) {
        return "hashes other than SHA-256";
    }
    match text.split_once('@') {
        Some((user, host)) if !user.is_empty() && host.contains('.') && !text.contains(['/', ' ']) => {
            "email addresses"
        }
        _ => otherwise,
    }
}

impl ListContent {
    /// Takes the indicators of a cell, and notes what is none.
    pub(super) fn cell(&mut self, place: ListPosition, text: &str, otherwise: &'static str) {
        let (found, rest) = indicators(text);
        if found.is_empty() {
            self.skip(place, text, reason(text, otherwise));
        }
        for word in rest.into_iter().filter(|_| !found.is_empty()) {
            self.skip(place, word, reason(word, otherwise));
        }
        self.indicators.extend(found);
    }
}
