//! A live state as updates, for a viewer that has nothing yet.

use std::collections::HashSet;

use super::super::update::{FORMAT, Snapshot, Update};
use super::LiveState;
use connmon_record::rows::ProcessRow;

/// Connections, or processes, in a part.
const PART: usize = 2_000;

impl LiveState {
    /// Everything that is remembered, for a viewer that has nothing, in parts.
    pub fn snapshot(&self, missed: u64) -> Vec<Update> {
        let rows: Vec<&i64> = self.kept.keys().collect();
        let mut told = HashSet::new();
        let mut parts: Vec<Update> = rows.chunks(PART).map(|rows| self.part(rows, &mut told)).collect();
        // Those that have no connection.
        let mut rest: Vec<i64> = self.processes.keys().copied().filter(|row| !told.contains(row)).collect();
        rest.sort_unstable();
        let rest = rest.chunks(PART).map(|rows| Update { processes: self.rows_of(rows), ..self.empty() });
        match parts.last_mut() {
            Some(last) if rest.len() <= 1 => rest.for_each(|more| last.processes.extend(more.processes)),
            _ => parts.extend(rest),
        }
        if parts.is_empty() {
            parts.push(self.empty());
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
        self.begin(&mut parts[0]);
        parts
    }

    /// The processes of some connections, and those that led to them, but for what was told before.
    fn processes_of(&self, rows: &[&i64], told: &mut HashSet<i64>) -> Vec<ProcessRow> {
        let mut found = Vec::new();
        for entry in rows.iter().filter_map(|row| self.kept.get(row)) {
            let moved = entry.moved.rows().iter().map(|traffic| traffic.process);
            for process in entry.row.owner.into_iter().chain(moved) {
                let line = std::iter::successors(Some(process), |row| self.parents.get(row).copied());
                found.extend(line.take_while(|row| told.insert(*row)));
            }
        }
        // Parents come before their children: their rows are smaller.
        found.sort_unstable();
        self.rows_of(&found)
    }

    fn rows_of(&self, rows: &[i64]) -> Vec<ProcessRow> {
        let known = rows.iter().filter_map(|&row| Some((row, self.processes.get(&row)?)));
        let told = known.map(|(row, process)| ProcessRow {
            row,
            parent: self.parents.get(&row).copied(),
            process: (**process).clone(),
        });
        told.collect()
    }

    /// Puts in what is of the whole recording.
    fn begin(&self, first: &mut Update) {
        first.run = self.run.clone().map(Box::new);
        let names = self.of_addresses.iter();
        first.address_names =
            names.flat_map(|(ip, names)| names.iter().map(|name| (*ip, name.clone()))).collect();
        first.lookups = self.lookups.iter().cloned().collect();
        first.listeners = Some(self.listeners.clone());
    }

    fn empty(&self) -> Update {
        Update {
            format: FORMAT,
            seq: self.seq,
            time: self.now,
            step: self.step,
            totals: self.totals,
            ended: self.ended,
            ..Update::default()
        }
    }

    fn part(&self, rows: &[&i64], told: &mut HashSet<i64>) -> Update {
        let mut part = Update { processes: self.processes_of(rows, told), ..self.empty() };
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
