//! A live state as updates, for a viewer that has nothing yet.

use std::collections::HashSet;

use super::super::update::{FORMAT, MAX_LINE, Snapshot, Update};
use super::LiveState;
use connmon_record::rows::ProcessRow;

/// Connections, or processes, in a part.
const PART: usize = 2_000;
/// The largest size of the line of a part in bytes, roughly: no viewer accepts a line longer than [`MAX_LINE`].
const ROOM: usize = MAX_LINE / 4;
/// The size of a row without its text, and the largest size of a character in a line.
const ROW: usize = 1024;
const ESCAPED: usize = 6;

impl LiveState {
    /// Everything that is remembered, for a viewer that has nothing, in parts.
    pub fn snapshot(&self, missed: u64) -> Vec<Update> {
        let rows: Vec<&i64> = self.kept.keys().collect();
        let mut told = HashSet::new();
        let parts = chunks(&rows, |row| self.weight(**row));
        let mut parts: Vec<Update> = parts.map(|rows| self.part(rows, &mut told)).collect();
        // Those that have no connection.
        let mut rest: Vec<i64> = self.processes.keys().copied().filter(|row| !told.contains(row)).collect();
        rest.sort_unstable();
        let rest: Vec<_> = chunks(&rest, |row| self.weight_of_process(*row)).collect();
        let rest = rest.into_iter().map(|rows| Update { processes: self.rows_of(rows), ..self.empty() });
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

    /// Bytes that a connection takes in a line, roughly, with its processes, as if each were told with it.
    fn weight(&self, row: i64) -> usize {
        let Some(entry) = self.kept.get(&row) else { return ROW };
        let text: usize = entry.names.iter().map(|name| name.name.len()).sum::<usize>()
            + entry.hits.iter().map(|hit| hit.indicator.len() + hit.list.name.len()).sum::<usize>();
        let rows = 1 + entry.names.len() + entry.hits.len() + entry.moved.rows().len() / 4;
        let moved = entry.moved.rows().iter().map(|traffic| traffic.process);
        let mut processes: Vec<i64> = entry
            .row
            .owner
            .into_iter()
            .chain(moved)
            .flat_map(|process| std::iter::successors(Some(process), |row| self.parents.get(row).copied()))
            .collect();
        processes.sort_unstable();
        processes.dedup();
        rows * ROW + text * ESCAPED + processes.iter().map(|row| self.weight_of_process(*row)).sum::<usize>()
    }

    fn weight_of_process(&self, row: i64) -> usize {
        let text = self.processes.get(&row).map_or(0, |process| {
            [&process.exe, &process.cmdline, &process.cwd, &process.cgroup]
                .map(|text| text.len())
                .iter()
                .sum()
        });
        ROW + ESCAPED * text
    }

    /// The processes of some connections and their ancestors, except those that were sent before.
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
        first.findings = Some(Box::new(self.findings.clone()));
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

/// Splits rows into parts of at most [`PART`] rows and [`ROOM`] bytes; a single row may be larger.
fn chunks<T>(rows: &[T], weight: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    let mut left = rows;
    std::iter::from_fn(move || {
        let mut room = ROOM;
        let fits = left.iter().take(PART).take_while(|row| {
            let weight = weight(row);
            let fits = room >= weight;
            room = room.saturating_sub(weight);
            fits
        });
        let count = fits.count().max(1).min(left.len());
        let (part, rest) = left.split_at(count);
        left = rest;
        (!part.is_empty()).then_some(part)
    })
}
