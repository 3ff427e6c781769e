//! What connections that go on have moved so far, by process: so that one which is never quiet is judged again and again without
//! its traffic being added up from the beginning each time.

use std::collections::{BTreeMap, HashMap};

use rusqlite::Connection as Database;

use connmon_record::rows::Batch;

/// Connections of which it is remembered; beyond, all are forgotten, and added up again when they change.
const MOST: usize = 65_536;

/// Bytes and calls, sent and received, by the id of the process.
pub(super) type Shares = BTreeMap<i64, [u64; 4]>;

/// Of connections, by their ids.
#[derive(Default)]
pub(super) struct Totals(HashMap<i64, Shares>);

impl Totals {
    /// Takes what a batch adds, which the store has already, and forgets those that are over. `base` is in the ids of all.
    pub(super) fn take(&mut self, base: i64, batch: &Batch) {
        for row in &batch.traffic {
            let Some(shares) = self.0.get_mut(&(base | row.connection)) else { continue };
            let share = shares.entry(base | row.process).or_default();
            let moved = [row.tx_bytes, row.rx_bytes, row.tx_calls, row.rx_calls];
            for (sum, moved) in share.iter_mut().zip(moved) {
                *sum = sum.saturating_add(moved);
            }
        }
    }

    /// Forgets those that do not change any more, or everything at the end of a recording.
    pub(super) fn forget(&mut self, base: i64, batch: &Batch) {
        if batch.ended {
            self.0.clear();
        }
        for row in &batch.over {
            self.0.remove(&(base | row));
        }
    }

    /// The bytes that a connection has moved.
    pub(super) fn shares_of(&mut self, db: &Database, id: i64) -> rusqlite::Result<&Shares> {
        if self.0.len() >= MOST && !self.0.contains_key(&id) {
            self.0.clear();
        }
        match self.0.entry(id) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(place) => Ok(place.insert(added_up(db, id)?)),
        }
    }
}

fn added_up(db: &Database, id: i64) -> rusqlite::Result<Shares> {
    let mut sums = db.prepare_cached(
        "SELECT process_id, sum(tx_bytes), sum(rx_bytes), sum(tx_calls), sum(rx_calls) FROM traffic
            WHERE connection_id = ?1 GROUP BY process_id",
    )?;
    let sums = sums.query_map([id], |row| {
        let figure = |column| row.get::<_, i64>(column).map(|figure| figure as u64);
        Ok((row.get(0)?, [figure(1)?, figure(2)?, figure(3)?, figure(4)?]))
    })?;
    sums.collect()
}
