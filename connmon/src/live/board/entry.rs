//! What is remembered of a connection, and the same as the store would give it.

use std::sync::Arc;

use super::Board;
use super::moved::Moved;
use crate::live::meter::Meter;
use crate::model::{CUT_OFF, Connection, End, Hit, Name, Observed};
use crate::rows::{ConnectionRow, NameRow};

/// A connection and all that was told of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its row.
    pub row: ConnectionRow,
    /// What was moved.
    pub(super) moved: Moved,
    pub(super) names: Vec<NameRow>,
    pub(super) observed: Option<Observed>,
    pub(super) label: Option<Arc<str>>,
    pub(super) hits: Vec<Hit>,
    pub(super) meter: Meter,
}

impl Entry {
    /// A connection of which nothing but its row is known.
    pub(super) fn new(row: ConnectionRow) -> Self {
        Self {
            row,
            moved: Moved::default(),
            names: Vec::new(),
            observed: None,
            label: None,
            hits: Vec::new(),
            meter: Meter::default(),
        }
    }
}

impl Board {
    /// A connection as the store would give it.
    pub(super) fn whole(&self, row: i64, entry: &Entry) -> Connection {
        let process = |row: i64| self.processes.get(&row).cloned();
        let (traffic, steps) = entry.moved.shares(process, self.step);
        let mut names: Vec<Name> = entry
            .names
            .iter()
            .map(|name| Name {
                name: name.name.raw().into(),
                source: name.source,
                process: name.process.and_then(process),
                time: name.time,
            })
            .chain(self.of_addresses.get(&entry.row.remote.ip).into_iter().flatten().cloned())
            .collect();
        names.sort_by_key(|name| name.source);
        let mut facts = entry.row.facts.clone();
        let cut_off = self.cut.filter(|_| facts.closed.is_none()).map(|cut| cut.max(facts.opened));
        facts.end = facts.end.or(facts.closed.map(|_| End::Unseen)).or(cut_off.map(|_| End::RecordingEnded));
        facts.inexact = facts.inexact.or(cut_off.map(|_| CUT_OFF.into()));
        Connection {
            id: self.id(row),
            facts,
            cut_off,
            owner: entry.row.owner.and_then(process),
            traffic,
            steps,
            within: None,
            beyond: 0,
            country: entry.row.country.clone(),
            place: entry.row.place.clone(),
            names,
            observed: entry.observed.clone(),
            label: entry.label.clone(),
            hits: entry.hits.clone(),
        }
    }
}
