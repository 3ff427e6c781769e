//! The bytes that a connection moved, by process and time.

use std::sync::Arc;

use connmon_record::rows::TrafficRow;
use connmon_record::{Connection, Process, STEP_LENGTHS, STEP_NS, Step, Timestamp};

/// One row for each process and step, in this order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TrafficSteps(Vec<TrafficRow>);

/// The length of a step, seconds.
fn seconds(step: usize) -> i64 {
    STEP_LENGTHS[step] * (STEP_NS / 1_000_000_000)
}

/// Adds figures.
fn add(into: &mut TrafficRow, row: &TrafficRow) {
    into.tx_bytes = into.tx_bytes.saturating_add(row.tx_bytes);
    into.rx_bytes = into.rx_bytes.saturating_add(row.rx_bytes);
    into.tx_calls = into.tx_calls.saturating_add(row.tx_calls);
    into.rx_calls = into.rx_calls.saturating_add(row.rx_calls);
}

impl TrafficSteps {
    pub(super) fn rows(&self) -> &[TrafficRow] {
        &self.0
    }

    /// Bytes sent and received.
    pub(super) fn bytes(&self) -> (u64, u64) {
        self.0
            .iter()
            .fold((0, 0), |(tx, rx), row| (tx.saturating_add(row.tx_bytes), rx.saturating_add(row.rx_bytes)))
    }

    /// Adds a row; returns whether it needed an entry of its own. `step` is an index in [`STEP_LENGTHS`].
    pub(super) fn add(&mut self, row: &TrafficRow, step: usize) -> bool {
        let length = seconds(step);
        let row = TrafficRow { bucket: row.bucket.div_euclid(length).saturating_mul(length), ..*row };
        let key = |row: &TrafficRow| (row.process, row.bucket);
        let place = self.0.partition_point(|known| key(known) < key(&row));
        match self.0.get_mut(place).filter(|known| key(known) == key(&row)) {
            Some(known) => {
                add(known, &row);
                false
            }
            None => {
                if self.0.is_empty() {
                    // Most have one row only: no room for four.
                    self.0.reserve_exact(1);
                }
                self.0.insert(place, row);
                true
            }
        }
    }

    /// Makes the steps so long.
    pub(super) fn lengthen(&mut self, step: usize) {
        let length = seconds(step);
        for row in &mut self.0 {
            row.bucket = row.bucket.div_euclid(length).saturating_mul(length);
        }
        self.0.dedup_by(|next, row| {
            let same = (next.process, next.bucket) == (row.process, row.bucket);
            if same {
                add(row, next);
            }
            same
        });
        self.0.shrink_to_fit();
    }

    /// Puts into a connection what each process moved, and when.
    pub(super) fn put_into(
        &self,
        connection: &mut Connection,
        process: impl Fn(i64) -> Option<Arc<Process>>,
        step: usize,
    ) {
        let length = seconds(step).saturating_mul(1_000_000_000);
        connection.steps.reserve_exact(self.0.len());
        for row in &self.0 {
            let Some(process) = process(row.process) else { continue };
            let TrafficRow { tx_bytes, rx_bytes, tx_calls, rx_calls, .. } = *row;
            let share = connection.add_share(&process, [tx_bytes, rx_bytes, tx_calls, rx_calls]);
            let start = Timestamp(row.bucket.saturating_mul(1_000_000_000));
            connection.steps.push(Step { start, length, share, tx_bytes, rx_bytes, tx_calls, rx_calls });
        }
    }
}
