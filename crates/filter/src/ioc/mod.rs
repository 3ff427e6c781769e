//! Lists of indicators of compromise: read in any of the usual formats, and matched against connections.
//!
//! A list is text, CSV, a STIX 2.1 bundle, MISP events or JSON whose keys say what is an indicator; what it is, is seen from its
//! content. What is in it is hostile and bounded: a list is read whole or refused, and what it has that is no indicator for
//! connections is counted and can be listed.
//! [`Lists`] looks an address, a name or a hash up in tables, so that a match costs the same for any number of indicators.

mod cell;
mod columns;
mod defang;
mod indicator;
mod json;
mod lenient;
mod line;
mod lists;
mod misp;
mod range;
mod read;
mod skipped;
mod stix;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use connmon_record::IndicatorList;

pub use indicator::{Indicator, IndicatorValue, UrlHost};
pub use lists::{Lists, Match};
pub use read::{Format, LARGEST, read};
pub use skipped::{ListPosition, Skipped, Unmatched};

/// Why a list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IocError {
    /// More bytes than a list may have.
    #[error("it is larger than {} MiB, the limit for a list", .0 >> 20)]
    TooLarge(u64),
    /// More indicators than a list may have.
    #[error("it has more than {0} indicators")]
    TooMany(usize),
    /// JSON that cannot be read.
    #[error("it begins like JSON, but cannot be parsed: {0}")]
    Json(String),
    /// JSON of another kind.
    #[error(
        "it is JSON, but neither a STIX 2.1 bundle nor a MISP event, and no key in it has a name by which connmon knows indicators"
    )]
    OtherJson,
    /// Nothing in it could be used.
    #[error(
        "it has no indicator that connmon supports: addresses, networks, names, URLs or SHA-256 ({})", .0.words()
    )]
    Nothing(Box<Skipped>),
}

/// A list that has been read.
#[derive(Clone, Debug)]
pub struct List {
    /// The name, digest and date of the list.
    pub about: Arc<IndicatorList>,
    /// The format of the list.
    pub format: Format,
    /// The indicators of the list.
    pub indicators: Vec<Indicator>,
    /// The entries that are not matched, by the reason.
    pub skipped: Skipped,
}

/// The results of reading a format.
#[derive(Debug, Default)]
struct ListContent {
    indicators: Vec<Indicator>,
    skipped: Skipped,
    /// When the list says that it was made, nanoseconds since 1970.
    date: Option<i64>,
}

impl ListContent {
    /// Takes a text that should be an indicator.
    fn take(&mut self, place: ListPosition, text: &str, otherwise: &'static str) {
        match Indicator::parse_with_ranges(text) {
            Some(all) => self.indicators.extend(all),
            None => self.skip(place, text, cell::reason(text, otherwise)),
        }
    }

    /// Notes a text that is not matched.
    fn skip(&mut self, place: ListPosition, text: &str, reason: &'static str) {
        self.skipped.add(place, text, reason);
    }

    /// Notes a time that the list names for itself; the latest counts.
    fn date(&mut self, nanos: Option<i64>) {
        self.date = self.date.max(nanos);
    }
}
