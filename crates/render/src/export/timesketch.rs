//! Timesketch: JSON Lines in which the beginning and the end of a connection are events of their own.

use std::io;

use serde_json::{Map, Value, json};

use super::columns::{self, cells};
use super::completeness::CompletenessFields;
use super::{Closing, Out, Sink, event};
use connmon_record::{Connection, End, Run, Timestamp, display_safe};

/// The export.
pub struct Timesketch<'a>(pub Out<'a>);

impl<'a> Timesketch<'a> {
    /// Writes one event: what Timesketch demands, and `fields`.
    fn event(
        &mut self,
        (time, what): (Timestamp, &str),
        message: String,
        fields: Map<String, Value>,
    ) -> io::Result<()> {
        let mut event = fields;
        event.insert("message".into(), message.into());
        event.insert("datetime".into(), time.to_string().into());
        event.insert("timestamp".into(), time.0.div_euclid(1_000).into());
        event.insert("timestamp_desc".into(), what.into());
        serde_json::to_writer(&mut self.0, &event)?;
        self.0.write_all(b"\n")
    }
}

impl Sink for Timesketch<'_> {
    fn connection(&mut self, run: Option<&Run>, connection: &Connection) -> io::Result<()> {
        let known =
            cells(Some(connection)).filter_map(|(name, cell)| Some((name.to_owned(), columns::json(&cell)?)));
        let mut fields: Map<String, Value> = known.collect();
        fields.insert("data_type".into(), "connmon:connection".into());
        // `uid` is the number of the user, as in the other tables of columns.
        fields.insert("connection_uid".into(), event::uid(run, connection).into());
        if let Some(run) = run {
            fields.insert("hostname".into(), display_safe(&run.host).into());
        }
        let message = event::message(connection);
        let first = if connection.preexisting { "Connection First Seen" } else { "Connection Opened" };
        self.event((connection.opened, first), message.clone(), fields.clone())?;
        match (connection.closed, connection.end) {
            (Some(time), Some(End::Unseen)) => self.event((time, "Connection Found Closed"), message, fields),
            (Some(time), Some(end)) => {
                self.event((time, "Connection Closed"), format!("{message}, ended by {end}"), fields)
            }
            _ => Ok(()),
        }
    }

    /// How complete the events are is an event at the end of the recordings.
    fn finish(mut self: Box<Self>, closing: &Closing<'_>) -> io::Result<()> {
        let Some(time) = event::last_written(closing.runs) else { return Ok(()) };
        let completeness = CompletenessFields::from(closing.completeness);
        let message = completeness.words().join(" ");
        let mut fields = Map::new();
        fields.insert("data_type".into(), "connmon:completeness".into());
        fields.insert("completeness".into(), json!(completeness).to_string().into());
        self.event((time, "Recording Last Written"), message, fields)
    }
}
