//! Connections while they are read: in the order of their ids, as are the rows of other tables that belong to them.

use std::sync::Arc;

use super::remotes::Remote;
use connmon_record::Connection;

/// A connection that is being read, with the number of its run.
pub(super) struct Reading {
    pub(super) run: i64,
    pub(super) remote: Arc<Remote>,
    pub(super) connection: Connection,
}

/// The first and the last id.
pub(super) fn ends(near: &[Reading]) -> [i64; 2] {
    let id = |reading: Option<&Reading>| reading.map_or(0, |reading| reading.connection.id);
    [id(near.first()), id(near.last())]
}

/// Connections in the order of their ids, met by rows in the same order.
pub(super) struct Along<'a>(pub(super) &'a mut [Reading]);

impl Along<'_> {
    /// The connection of this id, if it is among them. Those before it are not met again.
    pub(super) fn find(&mut self, id: i64) -> Option<&mut Connection> {
        self.find_with_run(id).map(|(_, connection)| connection)
    }

    /// The same, with the number of its run.
    pub(super) fn find_with_run(&mut self, id: i64) -> Option<(i64, &mut Connection)> {
        let before = self.0.iter().take_while(|reading| reading.connection.id < id).count();
        self.0 = &mut std::mem::take(&mut self.0)[before..];
        let first = self.0.first_mut().filter(|reading| reading.connection.id == id);
        first.map(|reading| (reading.run, &mut reading.connection))
    }
}
