//! What happened on connections, in words.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;

use crate::live::Board;
use crate::live::event::{Event, What};
use crate::model::{Connection, Timestamp};
use crate::summary::format;

/// What happened on a connection: which, when in milliseconds since 1970, and what.
#[derive(Clone, Serialize)]
pub(super) struct Line(i64, f64, String);

/// What was known of connections, to see what is new.
#[derive(Default)]
pub(super) struct Known {
    pub(super) of: HashMap<i64, Facts>,
    /// Rows that were told since memory was handed back.
    pub(super) told: usize,
}

#[derive(Default)]
pub(super) struct Facts {
    names: usize,
    hits: usize,
    label: Option<Arc<str>>,
}

/// An event of a connection, in words.
pub(super) fn line(board: &Board, event: &Event) -> Option<Line> {
    let id = event.what.connection()?;
    // It may have been left out since.
    let connection = board.connection(id)?;
    let end = connection.end.map_or("its end was not recorded", |end| end.name());
    let words = match event.what {
        What::New(_) => "opened".to_owned(),
        What::Established(_) => "established".to_owned(),
        What::Failed(_) => format!("failed: {end}"),
        _ => {
            let (tx, rx) = (connection.tx_bytes(), connection.rx_bytes());
            format!("closed ({end}): {} sent, {} received", format::bytes(tx), format::bytes(rx))
        }
    };
    Some(Line(id, milliseconds(event.time), words))
}

impl Known {
    /// What is new of a connection besides its events.
    pub(super) fn learn(&mut self, connection: &Connection, now: Timestamp) -> Vec<Line> {
        let facts = self.of.entry(connection.id).or_default();
        let line = |time, words| Line(connection.id, milliseconds(time), words);
        let mut lines = Vec::new();
        if connection.names.len() > facts.names {
            let names = connection.names.iter().map(|name| format!("{} ({})", name.name, name.source.name()));
            lines.push(line(now, format!("named {}", names.collect::<Vec<_>>().join(", "))));
        }
        if connection.label != facts.label {
            let label = connection.label.as_deref().unwrap_or("none");
            lines.push(line(now, format!("label: {label}")));
        }
        for hit in connection.hits.iter().skip(facts.hits) {
            lines.push(line(now, format!("matches {} of {}", hit.indicator, hit.list.name)));
        }
        *facts = Facts {
            names: connection.names.len(),
            hits: connection.hits.len(),
            label: connection.label.clone(),
        };
        lines
    }
}

fn milliseconds(time: Timestamp) -> f64 {
    time.0.div_euclid(1_000) as f64 / 1_000.0
}
