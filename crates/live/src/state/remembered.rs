//! The remembered connections: all open ones, and the last of those that ended.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Deref;

use super::LiveConnection;
use connmon_record::rows::ConnectionRow;

/// Rows that are no longer remembered are removed from `over` when it has this many more than twice the ended connections.
const SLACK: usize = 1_000;

/// Connections by their rows, and how many there were.
#[derive(Clone, Debug, Default)]
pub(super) struct RememberedConnections {
    /// Boxed, because the nodes of a map that only grows at its end are half empty.
    entries: BTreeMap<i64, Box<LiveConnection>>,
    /// The ended connections in the order of their ends, and some that are no longer remembered.
    over: VecDeque<i64>,
    open: usize,
    forgotten: u64,
}

/// The known facts about a connection before a row of it came.
pub(super) struct PreviousPhase {
    pub established: bool,
    pub closed: bool,
}

impl Deref for RememberedConnections {
    type Target = BTreeMap<i64, Box<LiveConnection>>;

    fn deref(&self) -> &Self::Target {
        &self.entries
    }
}

impl RememberedConnections {
    /// No connections yet, of a recording that has already pushed out `forgotten` of them.
    pub(super) fn after(forgotten: u64) -> Self {
        Self { forgotten, ..Self::default() }
    }

    /// The number of open connections.
    pub(super) fn open(&self) -> usize {
        self.open
    }

    /// The open connections.
    pub(super) fn open_rows(&self) -> impl Iterator<Item = i64> + '_ {
        self.entries.iter().filter(|(_, entry)| entry.row.closed.is_none()).map(|(row, _)| *row)
    }

    /// The number of ended connections.
    pub(super) fn closed(&self) -> usize {
        self.entries.len().saturating_sub(self.open)
    }

    /// The length of the queue of ended connections.
    #[cfg(test)]
    pub(super) fn over(&self) -> usize {
        self.over.len()
    }

    /// The number of connections that were remembered and then replaced by newer ones.
    pub(super) fn forgotten(&self) -> u64 {
        self.forgotten
    }

    pub(super) fn get_mut(&mut self, row: i64) -> Option<&mut LiveConnection> {
        self.entries.get_mut(&row).map(Box::as_mut)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut LiveConnection> {
        self.entries.values_mut().map(Box::as_mut)
    }

    /// Takes in a row; gives what was known of its connection, unless it is new.
    pub(super) fn put(&mut self, row: &ConnectionRow) -> Option<PreviousPhase> {
        let before = match self.entries.get_mut(&row.row) {
            Some(entry) => {
                let before = std::mem::replace(&mut entry.row, row.clone());
                Some(PreviousPhase {
                    established: before.established.is_some(),
                    closed: before.closed.is_some(),
                })
            }
            None => {
                self.entries.insert(row.row, Box::new(LiveConnection::new(row.clone())));
                None
            }
        };
        self.open += usize::from(row.closed.is_none());
        self.open -= usize::from(before.as_ref().is_some_and(|before| !before.closed));
        if row.closed.is_some() && before.as_ref().is_none_or(|before| !before.closed) {
            self.over.push_back(row.row);
        }
        before
    }

    /// Takes out a connection that the store does not have either.
    pub(super) fn remove(&mut self, row: i64) -> Option<Box<LiveConnection>> {
        let entry = self.entries.remove(&row)?;
        self.open -= usize::from(entry.row.closed.is_none());
        Some(entry)
    }

    /// Takes out the oldest of those that are over until so many are left, and counts them.
    pub(super) fn push_out(&mut self, keep: usize) -> Vec<(i64, Box<LiveConnection>)> {
        let mut out = Vec::new();
        while self.closed() > keep {
            let Some(row) = self.over.pop_front() else { break };
            if self.entries.get(&row).is_some_and(|entry| entry.row.closed.is_some()) {
                self.forgotten += 1;
                out.extend(self.remove(row).map(|entry| (row, entry)));
            }
        }
        // Connections that `remove` has taken out are still in the queue.
        if self.over.len() > 2 * self.closed() + SLACK {
            self.over.retain(|row| self.entries.contains_key(row));
        }
        out
    }
}
