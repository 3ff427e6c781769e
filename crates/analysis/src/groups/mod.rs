//! The group-by engine: what connections add up to, by what they have in common. Audit, summary and terminal make their
//! groups with it, and the page's script is held to the same cases (`groups/cases.json` of `connmon-fixtures`).
//!
//! - A connection counts once in the group of its owner ([`parts`]), or once for each process that owned or used it
//!   ([`users`]); its bytes are always those of the process that moved them.
//! - A subflow is a part of an MPTCP connection that counts itself: it is no connection of its own.
//! - Sums stop at the highest number instead of beginning again.

mod figures;
pub mod key;
pub mod sums;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use connmon_record::{Connection, Process, Timestamp};
pub(crate) use figures::CallFigures;
pub use figures::{FiguresByProtocol, GroupFigures};

/// Groups by what their members have in common, in the order in which they were first met. A row is whatever is known of a
/// group.
#[derive(Debug)]
pub struct Groups<K, R> {
    places: HashMap<K, usize>,
    rows: Vec<R>,
}

impl<K, R> Default for Groups<K, R> {
    fn default() -> Self {
        Self { places: HashMap::new(), rows: Vec::new() }
    }
}

impl<K: Eq + Hash, R> Groups<K, R> {
    /// The place of a group, which is made if there is none.
    pub fn place(&mut self, key: K, make: impl FnOnce(&K) -> R) -> usize {
        *self.places.entry(key).or_insert_with_key(|key| {
            self.rows.push(make(key));
            self.rows.len() - 1
        })
    }

    /// The row of a group, which is made if there is none.
    pub fn row(&mut self, key: K, make: impl FnOnce(&K) -> R) -> &mut R {
        let place = self.place(key, make);
        &mut self.rows[place]
    }

    /// The place of a group, if there is one.
    pub fn find(&self, key: &K) -> Option<usize> {
        self.places.get(key).copied()
    }

    /// The row at a place that [`Groups::place`] gave.
    pub fn at(&mut self, place: usize) -> &mut R {
        &mut self.rows[place]
    }

    /// The rows, by their places.
    pub fn rows(&self) -> &[R] {
        &self.rows
    }

    /// The rows with their keys, by their places.
    pub fn finish(self) -> Vec<(K, R)> {
        let mut keys: Vec<(K, usize)> = self.places.into_iter().collect();
        keys.sort_unstable_by_key(|(_, place)| *place);
        keys.into_iter().map(|(key, _)| key).zip(self.rows).collect()
    }

    /// The rows with their keys, by their keys.
    pub fn sorted(self) -> Vec<(K, R)>
    where
        K: Ord,
    {
        let mut all = self.finish();
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all
    }

    /// The rows with their keys, most bytes first, then most connections, then by their keys.
    pub fn ranked(self, figures: impl Fn(&R) -> &GroupFigures) -> Vec<(K, R)>
    where
        K: Ord,
    {
        let mut all = self.finish();
        all.sort_by(|a, b| (figures(&a.1).rank(), &a.0).cmp(&(figures(&b.1).rank(), &b.0)));
        all
    }
}

/// The values of a group's newest connection; of several opened at once, the one with the highest id.
#[derive(Clone, Debug, Default)]
pub struct Newest<T> {
    rank: Option<(Timestamp, i64)>,
    /// The values of that connection.
    pub value: T,
}

impl<T> Newest<T> {
    /// The value until a connection provides one.
    pub fn new(value: T) -> Self {
        Self { rank: None, value }
    }

    /// Takes what a connection says, unless a newer one has spoken; whether it was taken. `rank` is when it was opened, and its id.
    pub fn offer(&mut self, rank: (Timestamp, i64), value: impl FnOnce() -> T) -> bool {
        let newer = Some(rank) >= self.rank;
        if newer {
            (self.rank, self.value) = (Some(rank), value());
        }
        newer
    }
}

/// The processes that own or used a connection, each once by what stands for it, with the connection and the bytes that it
/// moved itself: an owner that moved none is among them.
pub fn users<K: PartialEq>(
    connection: &Connection,
    mut key: impl FnMut(&Arc<Process>) -> K,
) -> Vec<(K, GroupFigures)> {
    let one = GroupFigures::of_connection(connection);
    let mut users: Vec<(K, GroupFigures)> = Vec::with_capacity(connection.traffic.len() + 1);
    let shares = connection.traffic.iter().map(|share| (&share.process, GroupFigures::of_bytes(share)));
    for (process, moved) in
        connection.owner.iter().map(|owner| (owner, GroupFigures::default())).chain(shares)
    {
        let key = key(process);
        match users.iter_mut().find(|user| user.0 == key) {
            Some(user) => user.1 += moved,
            None => users.push((key, one + moved)),
        }
    }
    users
}

/// Tells what a connection adds to which group, where it counts once: itself, which is `own`, to the group of its owner when
/// it was opened, its bytes to those of who moved them, when they did.
pub fn parts(
    connection: &Connection,
    own: GroupFigures,
    opened: Timestamp,
    mut each: impl FnMut(Option<&Arc<Process>>, Timestamp, GroupFigures),
) {
    each(connection.owner.as_ref(), opened, own);
    for step in &connection.steps {
        let process = connection.traffic.get(step.share).map(|share| &share.process);
        each(process, step.start, GroupFigures::of_bytes(step));
    }
}
