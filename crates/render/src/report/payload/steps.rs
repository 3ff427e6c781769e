//! What connections moved by time. Most move all of it in the step in which they were opened, and have nothing here.

use std::collections::HashMap;

use super::row::PayloadRow;
use connmon_analysis::Window;
use connmon_record::{Connection, STEP_LENGTHS, STEP_NS};

/// The largest number of entries: beyond it, steps get longer.
const MOST: usize = 500_000;
/// The number of steps that is enough for the time that a page covers.
const ENOUGH: i64 = 2_000;
/// What a process moved on a connection in one step.
#[derive(Clone, Copy)]
struct Entry {
    /// Of which share of the connection.
    share: usize,
    /// Which step since 1970.
    number: i64,
    tx: u64,
    rx: u64,
}

/// An entry as the page has it.
pub(super) struct StepRow {
    pub(super) row: u64,
    pub(super) after: u64,
    pub(super) tx: u64,
    pub(super) rx: u64,
    pub(super) share: u64,
}

/// The bytes that the connections of a page moved over time: exact sums, in steps that get longer as their number grows.
#[derive(Default)]
pub(super) struct Steps {
    /// A place in [`STEP_LENGTHS`].
    length: usize,
    entries: HashMap<i64, Vec<Entry>>,
    count: usize,
}

impl Steps {
    /// How long a step is, in nanoseconds.
    fn nanos(&self) -> i64 {
        STEP_LENGTHS[self.length] * STEP_NS
    }

    pub(super) fn add(&mut self, connection: &Connection) {
        let longest = connection.steps.iter().map(|step| step.length).max().unwrap_or(0);
        while self.nanos() < longest && self.length + 1 < STEP_LENGTHS.len() {
            self.lengthen();
        }
        let nanos = self.nanos();
        let all = connection.steps.iter().map(|step| Entry {
            share: step.share,
            number: step.start.0.div_euclid(nanos),
            tx: step.tx_bytes,
            rx: step.rx_bytes,
        });
        let entries = joined(all.filter(|entry| entry.tx > 0 || entry.rx > 0).collect());
        if is_plain(&entries, connection.opened.0.div_euclid(nanos)) {
            return;
        }
        self.count += entries.len();
        self.entries.insert(connection.id, entries);
        while self.count > MOST && self.length + 1 < STEP_LENGTHS.len() {
            self.lengthen();
        }
    }

    pub(super) fn remove(&mut self, id: i64) {
        self.count -= self.entries.remove(&id).map_or(0, |entries| entries.len());
    }

    fn lengthen(&mut self) {
        let times = STEP_LENGTHS[self.length + 1] / STEP_LENGTHS[self.length];
        self.length += 1;
        self.count = 0;
        for entries in self.entries.values_mut() {
            entries.iter_mut().for_each(|entry| entry.number = entry.number.div_euclid(times));
            *entries = joined(std::mem::take(entries));
            self.count += entries.len();
        }
    }

    /// The entries of these rows, and how many seconds a step has.
    pub(super) fn finish(mut self, rows: &[PayloadRow], window: Option<Window>) -> (Vec<StepRow>, i64) {
        let wanted = window.map_or(0, |window| i64::try_from(window.nanos()).unwrap_or(i64::MAX) / ENOUGH);
        while self.nanos() < wanted && self.length + 1 < STEP_LENGTHS.len() {
            self.lengthen();
        }
        let nanos = self.nanos();
        let mut all = Vec::with_capacity(self.count);
        for (row, of) in (0..).zip(rows) {
            let Some(entries) = self.entries.get(&of.id) else { continue };
            let first = of.opened.div_euclid(nanos);
            if !is_plain(entries, first) {
                all.extend(entries.iter().map(|entry| StepRow {
                    row,
                    after: u64::try_from(entry.number - first).unwrap_or(0),
                    tx: entry.tx,
                    rx: entry.rx,
                    share: entry.share as u64,
                }));
            }
        }
        (all, nanos / 1_000_000_000)
    }
}

/// Whether everything was moved in the step in which the connection was opened.
fn is_plain(entries: &[Entry], opened: i64) -> bool {
    entries.iter().all(|entry| entry.number == opened)
}

/// One entry a share and step, in their order.
fn joined(mut entries: Vec<Entry>) -> Vec<Entry> {
    let key = |entry: &Entry| (entry.share, entry.number);
    entries.sort_unstable_by_key(key);
    entries.dedup_by(|next, entry| {
        let same = key(next) == key(entry);
        if same {
            (entry.tx, entry.rx) = (entry.tx.saturating_add(next.tx), entry.rx.saturating_add(next.rx));
        }
        same
    });
    entries
}
