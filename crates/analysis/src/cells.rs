//! Connections by what they have in common, as far as a summary needs it: whoever has the cells of connections need not have these.

use std::collections::BTreeSet;
use std::ops::AddAssign;
use std::sync::Arc;

use super::groups::{GroupFigures, users};
use connmon_record::{Connection, Process, Proto, Timestamp, service_of};

/// What a cell counts. A connection that one process owned and used is counted at once; one that several used is counted once for
/// itself, and once for each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counted {
    /// Connections, and their process.
    Both = 0,
    /// Connections whose processes are counted in other cells.
    Shared = 1,
    /// What a process moved on connections that are counted in another cell.
    Process = 2,
    /// Connections that no process is known to have owned or used.
    Unowned = 3,
}

impl Counted {
    /// The meaning of a number in the store.
    pub fn from_number(number: i64) -> Option<Self> {
        let all = [Self::Both, Self::Shared, Self::Process, Self::Unowned];
        all.into_iter().find(|counted| *counted as i64 == number)
    }
}

/// The figures of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CellFigures {
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Of the connections, those that existed before their recording.
    pub preexisting: u64,
    /// When the first connection was opened.
    pub first: Timestamp,
    /// The last sign of life of a connection: its opening or its end.
    pub last: Timestamp,
    /// When the newest connection was opened, and its id.
    pub newest: (Timestamp, i64),
}

impl CellFigures {
    fn of_connection(connection: &Connection, figures: GroupFigures) -> Self {
        Self {
            figures,
            preexisting: u64::from(connection.preexisting),
            first: connection.opened,
            last: connection.known_end().unwrap_or(connection.opened),
            newest: (connection.opened, connection.id),
        }
    }
}

impl AddAssign for CellFigures {
    fn add_assign(&mut self, more: Self) {
        self.figures += more.figures;
        self.preexisting = self.preexisting.saturating_add(more.preexisting);
        self.first = self.first.min(more.first);
        self.last = self.last.max(more.last);
        self.newest = self.newest.max(more.newest);
    }
}

/// What connections add to a summary beyond their cells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CellRest {
    /// Connections, each part of a multipath one by itself.
    pub rows: u64,
}

/// Gives the cells of a connection: the process, what is counted, and the figures. Processes are told apart by `key`.
pub fn cells_of<K: PartialEq>(
    connection: &Connection,
    key: impl FnMut(&Arc<Process>) -> K,
    mut each: impl FnMut(Option<K>, Counted, CellFigures),
) {
    let all = GroupFigures::from_connection(connection);
    let of = |figures| CellFigures::of_connection(connection, figures);
    let mut users = users(connection, key);
    if let [(_, figures)] = users.as_slice()
        && *figures == all
    {
        return users
            .drain(..)
            .for_each(|(process, figures)| each(Some(process), Counted::Both, of(figures)));
    }
    each(None, if users.is_empty() { Counted::Unowned } else { Counted::Shared }, of(all));
    for (process, figures) in users {
        each(Some(process), Counted::Process, of(figures));
    }
}

/// Protocol and service port of a connection.
pub fn service_key(connection: &Connection) -> (Proto, u16) {
    (connection.proto, service_of(connection).port)
}

/// The names of a remote address that a connection tells.
pub fn remote_names(connection: &Connection) -> impl Iterator<Item = &connmon_record::Untrusted> {
    connection.names.iter().filter(|name| name.is_of_remote()).map(|name| &name.name)
}

/// At most so many names, executables or ports are listed in a row.
pub(super) const FEW: usize = 8;

/// Keeps the few lowest, so that the order of arrival does not matter.
pub fn insert_few<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    set.insert(item);
    if set.len() > FEW {
        set.pop_last();
    }
}
