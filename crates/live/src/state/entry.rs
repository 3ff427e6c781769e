//! What is remembered of a connection, and the same as the store would give it.

use std::sync::Arc;

use super::LiveState;
use super::traffic::TrafficSteps;
use crate::rate_window::RateWindow;
use connmon_record::rows::{ConnectionRow, NameRow};
use connmon_record::{Connection, Hit, Name, ObservedService};

/// A connection and all that was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveConnection {
    /// Its row.
    pub row: ConnectionRow,
    /// What was moved.
    pub(super) moved: TrafficSteps,
    pub(super) names: Vec<NameRow>,
    pub(super) observed: Option<ObservedService>,
    pub(super) label: Option<Arc<str>>,
    pub(super) hits: Vec<Hit>,
    pub(super) meter: RateWindow,
}

impl LiveConnection {
    /// A connection of which nothing but its row is known.
    pub(super) fn new(row: ConnectionRow) -> Self {
        Self {
            row,
            moved: TrafficSteps::default(),
            names: Vec::new(),
            observed: None,
            label: None,
            hits: Vec::new(),
            meter: RateWindow::default(),
        }
    }
}

impl LiveState {
    /// A connection as the store would give it.
    pub(super) fn whole(&self, row: i64, entry: &LiveConnection) -> Connection {
        let process = |row: i64| self.processes.get(&row).cloned();
        let row_names = entry.names.iter().map(|name| Name {
            name: name.name.map(str::to_owned),
            source: name.source,
            process: name.process.and_then(process),
            time: name.time,
        });
        let mut connection = Connection {
            id: self.id(row),
            facts: entry.row.facts.clone(),
            owner: entry.row.owner.and_then(process),
            country: entry.row.country.clone(),
            place: entry.row.place.clone(),
            names: row_names.collect(),
            observed: entry.observed.clone(),
            label: entry.label.clone(),
            hits: entry.hits.clone(),
            ..Connection::default()
        };
        connection.settle_end();
        connection.cut_off_at(self.cut);
        connection.add_names(self.of_addresses.get(&entry.row.remote.ip).into_iter().flatten());
        entry.moved.put_into(&mut connection, process, self.step);
        connection
    }
}
