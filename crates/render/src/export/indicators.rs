//! Matches of indicators, as every format says them.

use std::io::{self, Write};

use serde::Serialize;

use super::connections::{ConnectionObject, record};
use super::hit::HitFields;
use super::text::write_wrapped;
use connmon_analysis::Indicators;
use connmon_analysis::format::bytes;
use connmon_analysis::groups::key::process_name;
use connmon_record::{Connection, ConnectionId, Hit, IndicatorList, display_safe};

/// The lists, and how many connections match them.
#[derive(Serialize)]
pub(super) struct IndicatorFields {
    connections: u64,
    lists: Vec<ListFields>,
    words: String,
}

#[derive(Serialize)]
struct ListFields {
    name: String,
    sha256: String,
    date: Option<String>,
    indicators: u64,
    connections: u64,
}

impl ListFields {
    fn new(list: &IndicatorList, connections: u64) -> Self {
        Self {
            name: list.name.shown().into_owned(),
            sha256: display_safe(&list.sha256).into_owned(),
            date: list.date.map(|date| date.to_string()),
            indicators: list.indicators,
            connections,
        }
    }
}

impl IndicatorFields {
    /// `None` where no list was ever asked.
    pub(super) fn from_indicators(indicators: &Indicators) -> Option<Self> {
        let words = indicators.words()?;
        let lists =
            indicators.lists().map(|(list, connections)| ListFields::new(list, connections)).collect();
        Some(Self { connections: indicators.connections, lists, words })
    }
}

/// Writes a connection and its matches for reading.
///
/// # Errors
/// The writer's.
pub fn write_text(connection: &Connection, hits: &[Hit], room: usize, out: &mut dyn Write) -> io::Result<()> {
    let who = connection
        .owner
        .as_deref()
        .map_or_else(|| "no process".into(), |owner| format!("{} ({})", process_name(owner), owner.id.pid));
    let head = format!(
        "{} {} {} {} {}: {who}, {} sent, {} received",
        ConnectionId(connection.id),
        connection.opened,
        connection.proto,
        connection.direction.name(),
        connection.remote,
        bytes(connection.tx_bytes()),
        bytes(connection.rx_bytes()),
    );
    write_wrapped("", &head, room, out)?;
    for hit in hits {
        let found = format!("{} {} in {}", hit.kind.name(), hit.indicator.shown(), hit.list.name.shown());
        write_wrapped("  ! ", &found, room, out)?;
    }
    Ok(())
}

/// Writes a connection with its matches as one object.
///
/// # Errors
/// The writer's.
pub fn write_json(connection: &Connection, hits: &[Hit], out: &mut dyn Write) -> io::Result<()> {
    #[derive(Serialize)]
    struct Found<'a> {
        hits: Vec<HitFields<'a>>,
        connection: ConnectionObject<'a>,
    }
    let found = Found { hits: hits.iter().map(HitFields::from).collect(), connection: record(connection) };
    Ok(serde_json::to_writer(out, &found)?)
}

/// Writes the lists and their sums as one object.
///
/// # Errors
/// The writer's.
pub fn write_json_lists(indicators: &Indicators, out: &mut dyn Write) -> io::Result<()> {
    Ok(serde_json::to_writer(out, &IndicatorFields::from_indicators(indicators))?)
}
