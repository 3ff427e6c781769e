//! Plain text: one indicator a line; what follows it on the line is a comment, as in hosts files and block lists.

use super::line::content;
use super::{Indicator, IndicatorValue, ListContent, ListPosition, cell, range, table};

const NO_INDICATOR: &str = "lines that are not an indicator";
/// Lines that are looked at to see in which of their words the indicators are.
const SAMPLE: usize = 200;
/// Beginnings of lines with which dnsmasq's configurations name a domain, up to the next slash.
const DNSMASQ: [&str; 3] = ["address=/", "server=/", "local=/"];
/// Names that every hosts file gives to addresses of the host itself.
const OF_HOST: [&str; 5] = ["localhost", "localhost.localdomain", "local", "broadcasthost", "ip6-"];

/// Reads a list of lines.
pub(super) fn read(text: &str) -> ListContent {
    let mut found = ListContent::default();
    let nth = usual_word(text);
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(line) = content(line) {
            take(line, nth, ListPosition::Line(number), &mut found);
        }
    }
    found
}

/// In which word most lines have their indicator, if they have one: `2026-01-01 00:00 192.0.2.1`, `deny from 192.0.2.1`.
fn usual_word(text: &str) -> usize {
    let mut counts = Vec::new();
    for line in text.lines().filter_map(content).take(SAMPLE) {
        if let Some(nth) = line.split_whitespace().position(|word| Indicator::parse(word).is_some()) {
            if counts.len() <= nth {
                counts.resize(nth + 1, 0_usize);
            }
            counts[nth] += 1;
        }
    }
    let most = counts.iter().max().copied().unwrap_or(0);
    counts.iter().position(|count| *count == most).unwrap_or(0)
}

fn take(line: &str, nth: usize, place: ListPosition, found: &mut ListContent) {
    if let Some(all) = Indicator::parse_with_ranges(line) {
        return found.indicators.extend(all);
    }
    if let Some(rest) = DNSMASQ.iter().find_map(|start| line.strip_prefix(start)) {
        return found.take(place, rest.split('/').next().unwrap_or(rest), NO_INDICATOR);
    }
    let words: Vec<&str> = line.split_whitespace().collect();
    if let [ip, names @ ..] = words.as_slice()
        && let Some(first) = names.first().filter(|_| is_nowhere(ip) || range::address(ip).is_some())
    {
        let is_own = |name: &&str| first == name || name.ends_with('-') && first.starts_with(*name);
        if OF_HOST.iter().any(is_own) || is_nowhere(ip) && is_nowhere(first) {
            return found.skip(place, line, "names of the host itself");
        }
        // A hosts file leads names to an address that is nobody's.
        if is_nowhere(ip) {
            return names.iter().for_each(|name| found.take(place, name, NO_INDICATOR));
        }
    }
    // Several values in a line are all meant if they are of one kind.
    let (all, rest) = cell::indicators(line);
    if all.len() > 1 && rest.is_empty() && all.iter().all(|it| alike(it, &all[0])) {
        return found.indicators.extend(all);
    }
    let first = words.first().copied().unwrap_or(line);
    let usual = words.get(nth).copied().unwrap_or(first);
    // `||example.com^` is how lists for browsers write a domain, `@@` an exception.
    let plain = |word: &'_ str| -> Option<Vec<Indicator>> {
        let word = word.strip_prefix("||").map_or(word, |rest| rest.split('^').next().unwrap_or(rest));
        // An address, a country and coordinates of AlienVault: `192.0.2.1#4#2#…`.
        Indicator::parse_with_ranges(word).or_else(|| Indicator::parse_with_ranges(word.split_once('#')?.0))
    };
    match plain(usual).or_else(|| plain(first)) {
        Some(all) => found.indicators.extend(all),
        None if table::take_line(line, place, found) => {}
        None => found.skip(place, line, cell::reason(line, NO_INDICATOR)),
    }
}

fn alike(one: &Indicator, other: &Indicator) -> bool {
    let group = |it: &Indicator| match it.value {
        IndicatorValue::Network(_) => 0,
        IndicatorValue::Name(_) => 1,
        IndicatorValue::Url(..) => 2,
        IndicatorValue::Sha256(_) => 3,
    };
    group(one) == group(other)
}

/// An address with which hosts files lead names nowhere.
fn is_nowhere(word: &str) -> bool {
    matches!(word, "0.0.0.0" | "127.0.0.1" | "0" | "::" | "::1")
}
