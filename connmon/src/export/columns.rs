//! A connection as a flat row: the columns that CSV, Parquet and Timesketch share.

use crate::model::facts::{Cell, FACTS, Source};
use crate::model::{Connection, Process, display_safe};

impl Cell<'_> {
    /// As JSON, made visible; nothing where it is not known.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        match self {
            Self::Text(text) => text.as_deref().map(|text| display_safe(text).into()),
            Self::Count(count) => count.map(Into::into),
            Self::Number(number) => number.map(Into::into),
            Self::Flag(flag) => flag.map(Into::into),
            Self::Time(time) => time.map(|time| time.to_string().into()),
        }
    }
}

/// All columns with their cells; without a connection, the columns alone.
pub(super) fn cells(connection: Option<&Connection>) -> impl Iterator<Item = (&'static str, Cell<'_>)> {
    let columns = FACTS.iter().filter(|fact| !fact.csv.is_empty());
    columns.map(move |fact| (fact.csv, connection.map_or_else(|| fact.empty(), |of| fact.of(of))))
}

/// The columns of a process with their cells; without one, the columns alone.
pub(super) fn of_process(process: Option<&Process>) -> impl Iterator<Item = (&'static str, Cell<'_>)> {
    FACTS.iter().filter(|fact| !fact.csv.is_empty()).filter_map(move |fact| match &fact.source {
        Source::Owner(read) => Some((fact.csv, read.cell(process))),
        _ => None,
    })
}
