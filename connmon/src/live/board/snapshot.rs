//! A board as updates, for a viewer that has nothing yet.

use super::super::update::{FORMAT, Snapshot, Update};
use super::Board;
use crate::track::ProcessRow;

/// Connections in a part.
const PART: usize = 2_000;

impl Board {
    /// Everything that is remembered, for a viewer that has nothing, in parts.
    pub fn snapshot(&self, missed: u64) -> Vec<Update> {
        let rows: Vec<&i64> = self.kept.keys().collect();
        let mut parts: Vec<Update> = rows.chunks(PART).map(|rows| self.part(rows)).collect();
        if parts.is_empty() {
            parts.push(self.part(&[]));
        }
        let last = parts.len() - 1;
        for (place, part) in parts.iter_mut().enumerate() {
            part.snapshot = Some(Snapshot {
                first: place == 0,
                last: place == last,
                missed,
                forgotten: self.forgotten(),
            });
        }
        // Parents come before their children: their rows are smaller.
        let first = &mut parts[0];
        first.run = self.run.clone().map(Box::new);
        let mut processes: Vec<_> = self.processes.iter().collect();
        processes.sort_unstable_by_key(|(row, _)| **row);
        first.processes = processes
            .into_iter()
            .map(|(row, process)| ProcessRow {
                row: *row,
                parent: self.parents.get(row).copied(),
                process: (**process).clone(),
            })
            .collect();
        let names = self.of_addresses.iter();
        first.address_names =
            names.flat_map(|(ip, names)| names.iter().map(|name| (*ip, name.clone()))).collect();
        first.lookups = self.lookups.iter().cloned().collect();
        first.listeners = Some(self.listeners.clone());
        parts
    }

    fn part(&self, rows: &[&i64]) -> Update {
        let mut part = Update {
            format: FORMAT,
            seq: self.seq,
            time: self.now,
            step: self.step,
            totals: self.totals,
            ended: self.ended,
            ..Update::default()
        };
        for (row, entry) in rows.iter().filter_map(|row| Some((**row, self.kept.get(row)?))) {
            part.connections.push(entry.row.clone());
            part.traffic.extend(entry.moved.rows());
            part.names.extend(entry.names.iter().cloned());
            part.observed.extend(entry.observed.clone().map(|observed| (row, observed)));
            part.labels.extend(entry.label.clone().map(|label| (row, Some(label))));
            part.hits.extend(entry.hits.iter().map(|hit| (row, hit.clone())));
        }
        part
    }
}
