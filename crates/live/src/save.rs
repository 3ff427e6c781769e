//! The report of what a live state has: the same page as of a store with the same connections.

use std::io::{self, Write};

use super::LiveState;
use connmon_analysis::{Builder, DEFAULT_CONNECTION_CAP, Selection, Summary};
use connmon_filter::{Filter, FilterRow};
use connmon_record::{Connection, Run};
use connmon_render::report::payload::Payload;
use connmon_render::report::{PictureOptions, html};

/// The summary of these connections, and the data of a page about them, limited to `rows` of them.
pub fn collect(
    runs: Vec<Run>,
    selection: Selection,
    connections: impl Iterator<Item = (i64, Connection)>,
    rows: usize,
) -> (Summary, Payload) {
    let mut payload = Payload::new(&runs, rows);
    let connections = connections.inspect(|(run, connection)| payload.add(*run, connection));
    let summary = summarise(runs, selection, connections);
    (summary, payload)
}

/// The summary alone.
pub fn summarise(
    runs: Vec<Run>,
    selection: Selection,
    connections: impl Iterator<Item = (i64, Connection)>,
) -> Summary {
    let mut builder = Builder::new(runs, selection, DEFAULT_CONNECTION_CAP);
    connections.for_each(|(run, connection)| builder.add(run, connection));
    builder.finish()
}

/// Writes the page of the connections that fit.
///
/// # Errors
/// The writer's.
pub fn write(live: &LiveState, filter: &Filter, rows: usize, out: &mut impl Write) -> io::Result<()> {
    let runs = live.run().cloned().into_iter().collect();
    let selection = Selection { filter: filter.text().to_owned(), ..Selection::default() };
    let fits = |connection: &Connection| {
        filter.is_everything() || filter.fits(&FilterRow::from_connection(connection, live.now()))
    };
    let connections = live.connections().filter(|(_, connection)| fits(connection));
    let (mut summary, payload) = collect(runs, selection, connections, rows);
    summary.completeness.note_elsewhere(live.forgotten(), live.totals().unseen);
    let options = PictureOptions { found: live.findings().found(), ..PictureOptions::for_summary(&summary) };
    html::write(&summary, payload, &options, out)
}
