//! A bounded choice of single connections: half for their bytes, half for being new.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::sync::Arc;

use connmon_record::Connection;

/// A connection with its rank; heaps keep the best ranks.
struct Ranked {
    rank: (u64, i64),
    run: i64,
    connection: Arc<Connection>,
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.rank == other.rank
    }
}
impl Eq for Ranked {}
impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// Keeps at most `cap` connections of each kind while any number passes by.
pub(super) struct TopConnections {
    cap: usize,
    total: u64,
    by_bytes: BinaryHeap<Reverse<Ranked>>,
    newest: BinaryHeap<Reverse<Ranked>>,
}

impl TopConnections {
    pub(super) fn new(cap: usize) -> Self {
        Self { cap, total: 0, by_bytes: BinaryHeap::new(), newest: BinaryHeap::new() }
    }

    /// Counts a connection, which may be chosen.
    pub(super) fn add(&mut self, run: i64, connection: Connection) {
        self.count(1);
        self.offer(run, connection);
    }

    /// Counts connections of which those that may be chosen are offered.
    pub(super) fn count(&mut self, connections: u64) {
        self.total += connections;
    }

    /// Chooses among connections that are counted.
    pub(super) fn offer(&mut self, run: i64, connection: Connection) {
        let bytes = connection.bytes();
        let id = connection.id;
        let connection = Arc::new(connection);
        let cap = self.cap;
        let offer = |heap: &mut BinaryHeap<Reverse<Ranked>>, rank| {
            if heap.len() < cap {
                heap.push(Reverse(Ranked { rank, run, connection: connection.clone() }));
            } else if let Some(mut least) = heap.peek_mut().filter(|least| least.0.rank < rank) {
                *least = Reverse(Ranked { rank, run, connection: connection.clone() });
            }
        };
        offer(&mut self.by_bytes, (bytes, id));
        offer(&mut self.newest, (0, id));
    }

    /// The choice by time of opening, how many of it were chosen for their bytes, and how many passed by.
    pub(super) fn finish(self) -> (Vec<(i64, Arc<Connection>)>, usize, u64) {
        let best = |heap: BinaryHeap<Reverse<Ranked>>| {
            heap.into_sorted_vec().into_iter().map(|Reverse(ranked)| (ranked.run, ranked.connection))
        };
        let all = self.total <= self.cap as u64;
        let for_bytes = if all { self.cap } else { self.cap.div_ceil(2) };
        let mut rows: Vec<_> = best(self.by_bytes).take(for_bytes).collect();
        let by_bytes = rows.len();
        let mut taken: std::collections::HashSet<i64> = rows.iter().map(|(_, c)| c.id).collect();
        let newest: Vec<_> = best(self.newest).filter(|(_, c)| taken.insert(c.id)).collect();
        rows.extend(newest.into_iter().take(self.cap - by_bytes));
        rows.sort_by_key(|(_, c)| (c.opened, c.id));
        (rows, by_bytes, self.total)
    }
}
