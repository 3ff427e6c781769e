//! A remembered connection, and its conversion to the form in which the store gives it.

use std::sync::Arc;

use super::LiveState;
use super::traffic::TrafficSteps;
use crate::rate_window::RateWindow;
use connmon_record::rows::{ConnectionRow, NameRow};
use connmon_record::{Connection, Hit, ObservedService, Untrusted};

/// A connection and all that was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct LiveConnection {
    /// Its row.
    pub row: ConnectionRow,
    /// The bytes that were moved.
    pub(super) moved: TrafficSteps,
    pub(super) names: Vec<NameRow>,
    pub(super) observed: Option<ObservedService>,
    pub(super) label: Option<Untrusted<Arc<str>>>,
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
        let ConnectionRow { facts, owner, country, place, .. } = &entry.row;
        let mut connection = Connection::new(
            self.id(row),
            facts.clone(),
            owner.and_then(process),
            country.clone(),
            place.clone(),
        );
        connection.cut_off_at(self.cut);
        connection.observed.clone_from(&entry.observed);
        connection.label.clone_from(&entry.label);
        connection.hits.clone_from(&entry.hits);
        connection.names =
            entry.names.iter().map(|name| name.told_by(name.process.and_then(process))).collect();
        connection.add_names(self.of_addresses.get(&entry.row.remote.ip).into_iter().flatten());
        entry.moved.put_into(&mut connection, process, self.step);
        connection
    }
}
