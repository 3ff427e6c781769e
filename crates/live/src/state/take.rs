//! Takes in the rows of an update, and says what they tell that happened.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::{LiveConnection, LiveState, MAX_STEPS};
use crate::Update;
use crate::event::{Event, EventKind};
use connmon_record::rows::{ConnectionRow, ProcessRow};
use connmon_record::{Process, Timestamp};

impl LiveState {
    /// Takes in processes; gives the rows that are new.
    pub(super) fn take_processes(
        &mut self,
        rows: &[ProcessRow],
        changed: &mut BTreeSet<i64>,
    ) -> HashSet<i64> {
        let (mut fresh, mut again) = (HashSet::new(), HashSet::new());
        for row in rows {
            if let Some(parent) = row.parent {
                self.parents.insert(row.row, parent);
            }
            let parent = self.parents.get(&row.row).and_then(|parent| self.processes.get(parent)).cloned();
            let process = Arc::new(Process { parent, ..row.process.clone() });
            match self.processes.insert(row.row, process) {
                Some(_) => again.insert(row.row),
                None => fresh.insert(row.row),
            };
        }
        if !again.is_empty() {
            let uses = |entry: &LiveConnection| {
                entry.row.owner.is_some_and(|owner| again.contains(&owner))
                    || entry.moved.rows().iter().any(|moved| again.contains(&moved.process))
            };
            changed.extend(self.kept.iter().filter(|(_, entry)| uses(entry)).map(|(row, _)| *row));
        }
        fresh
    }

    pub(super) fn take_connection(&mut self, row: &ConnectionRow, events: &mut Vec<Event>) {
        let id = self.id(row.row);
        let before = self.kept.put(row);
        let (established, over) =
            before.as_ref().map_or((false, false), |before| (before.established, before.closed));
        if before.is_none() {
            events.push(Event { time: row.opened, kind: EventKind::New(id) });
        }
        if let (false, Some(time)) = (established, row.established) {
            events.push(Event { time, kind: EventKind::Established(id) });
        }
        if let (false, Some(time)) = (over, row.closed) {
            events.push(Event { time, kind: EventKind::Closed(id) });
        }
    }

    /// Takes in what is told of connections beside their rows.
    pub(super) fn take_facts(&mut self, update: &Update, changed: &mut BTreeSet<i64>) {
        let measured = self.rates && update.snapshot.is_none();
        for traffic in &update.traffic {
            if measured {
                self.meter.add(update.time, traffic.tx_bytes, traffic.rx_bytes);
            }
            let Some(entry) = self.kept.get_mut(traffic.connection) else { continue };
            changed.insert(traffic.connection);
            if measured {
                entry.meter.add(update.time, traffic.tx_bytes, traffic.rx_bytes);
            }
            self.steps += usize::from(entry.moved.add(traffic, self.step));
        }
        while self.steps > MAX_STEPS && self.lengthen() {}
        for name in &update.names {
            let Some(entry) = self.kept.get_mut(name.connection) else { continue };
            if !entry.names.iter().any(|known| known.source == name.source && known.name == name.name) {
                entry.names.push(name.clone());
                changed.insert(name.connection);
            }
        }
        for (row, observed) in &update.observed {
            let Some(entry) = self.kept.get_mut(*row) else { continue };
            entry.observed.get_or_insert_default().renew(observed);
            changed.insert(*row);
        }
        for (row, label) in &update.labels {
            let Some(entry) = self.kept.get_mut(*row) else { continue };
            entry.label.clone_from(label);
            changed.insert(*row);
        }
        for (row, hit) in &update.hits {
            let Some(entry) = self.kept.get_mut(*row) else { continue };
            entry.hits.push(hit.clone());
            changed.insert(*row);
        }
    }

    /// Answers of DNS and new programs, among the events.
    pub(super) fn take_lookups_and_programs(
        &self,
        update: &Update,
        fresh: &HashSet<i64>,
        events: &mut Vec<Event>,
    ) {
        let lookups = update.lookups.iter();
        events.extend(lookups.map(|row| Event {
            time: row.answered.unwrap_or(row.time),
            kind: EventKind::Dns(Box::new(row.clone())),
        }));
        let began = self.run.as_ref().map_or(Timestamp(0), |run| run.started);
        let owners = update.connections.iter().filter_map(|row| row.owner);
        let users: BTreeSet<i64> = owners
            .chain(update.traffic.iter().map(|row| row.process))
            .filter(|row| fresh.contains(row))
            .collect();
        let started = users.into_iter().filter_map(|row| Some((row, self.processes.get(&row)?.started)));
        events.extend(
            started
                .filter(|(_, started)| *started >= began)
                .map(|(row, time)| Event { time, kind: EventKind::Exec(row) }),
        );
        // The sort is stable: events of the same moment keep their causal order.
        events.sort_by_key(|event| event.time);
    }
}
