//! Builds an [`Audit`] from connections, one by one.

use std::collections::HashMap;
use std::sync::Arc;

use super::interfaces::{Comparison, Meter};
use super::{Audit, By, Group, Key, Sort, Split, key};
use crate::model::{Connection, InterfaceSample, Process, Run, Timestamp};
use crate::summary::{Completeness, GeoNotes, Indicators, Selection};

/// Takes connections and samples of the interfaces, in any number, and gives the audit.
pub struct Builder {
    by: By,
    selection: Selection,
    completeness: Completeness,
    geo: GeoNotes,
    indicators: Indicators,
    boots: HashMap<i64, Arc<str>>,
    groups: HashMap<Key, Open>,
    totals: Split,
    inexact: u64,
    preexisting: u64,
    meter: Meter,
    /// A filter is set: the interfaces, which count everything, are no match for the rest.
    filtered: bool,
}

/// A group in the making; `newest` is the rank of the connection that `process` or `org` is from.
#[derive(Default)]
struct Open {
    figures: Split,
    process: Option<Arc<Process>>,
    org: Option<String>,
    newest: Option<(Timestamp, i64)>,
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection.
    pub fn new(runs: &[Run], selection: &Selection, by: By) -> Self {
        Self {
            by,
            selection: selection.clone(),
            completeness: Completeness::of(runs, selection),
            geo: GeoNotes::of(runs),
            indicators: Indicators::of(runs),
            boots: runs.iter().map(|run| (run.id, Arc::from(run.boot_id.as_str()))).collect(),
            groups: HashMap::new(),
            totals: Split::default(),
            inexact: 0,
            preexisting: 0,
            meter: Meter::default(),
            filtered: !selection.filter.is_empty(),
        }
    }

    /// Counts what a connection of the recording `run` moved in the interval.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let whole = connection.lies_within(self.selection.since, self.selection.until);
        let connection = &self.selection.part_of(connection);
        let (proto, tx, rx) = (connection.proto, connection.tx_bytes(), connection.rx_bytes());
        self.totals.add_connection(connection, whole);
        self.totals.add_bytes(proto, tx, rx);
        self.indicators.add(connection);
        self.inexact += u64::from(connection.inexact.is_some());
        self.preexisting += u64::from(connection.preexisting);
        self.meter.add_connection(connection, tx, rx);
        if let Some(period) = self.by.period() {
            self.by_time(period, connection);
            return;
        }
        if let Some(key) = key::of_connection(self.by, connection) {
            let open = self.groups.entry(key).or_default();
            open.figures.add_connection(connection, whole);
            open.figures.add_bytes(proto, tx, rx);
            let rank = Some((connection.opened, connection.id));
            if let (By::Asn, Some(place), true) = (self.by, &connection.place, rank >= open.newest) {
                open.newest = rank;
                open.org.clone_from(&place.org);
            }
            return;
        }
        match &connection.owner {
            Some(owner) => self.user(run, connection, owner).add_connection(connection, whole),
            None => self.groups.entry(Key::Nobody).or_default().figures.add_connection(connection, whole),
        }
        for share in &connection.traffic {
            self.user(run, connection, &share.process).add_bytes(proto, share.tx_bytes, share.rx_bytes);
        }
    }

    /// Counts bytes in the period in which they were moved, and the connection in the one in which it was opened, or the first
    /// of the interval.
    fn by_time(&mut self, period: i64, connection: &Connection) {
        let opened = self.selection.since.map_or(connection.opened, |since| since.max(connection.opened));
        let start = opened.0.div_euclid(period).saturating_mul(period);
        let whole =
            connection.lies_within(Some(Timestamp(start)), Some(Timestamp(start.saturating_add(period))));
        let key = |time| key::of_time(self.by, time);
        self.groups.entry(key(opened)).or_default().figures.add_connection(connection, whole);
        for step in &connection.steps {
            let figures = &mut self.groups.entry(key(step.start)).or_default().figures;
            figures.add_bytes(connection.proto, step.tx_bytes, step.rx_bytes);
        }
    }

    /// Takes what the interfaces had counted at a moment of the recording `run`; the samples of a run one after another.
    pub fn add_sample(&mut self, run: i64, sample: InterfaceSample) {
        if !self.filtered {
            self.meter.add_sample(run, sample);
        }
    }

    /// The figures of the group of a process that owns or used a connection.
    fn user(&mut self, run: i64, connection: &Connection, process: &Arc<Process>) -> &mut Split {
        let boot =
            self.boots.entry(run).or_insert_with(|| Arc::from(format!("recording {run}").as_str())).clone();
        let key = key::of_process(self.by, &boot, process).unwrap_or(Key::Nobody);
        let keeps = matches!(key, Key::Process(..));
        let open = self.groups.entry(key).or_default();
        let rank = Some((connection.opened, connection.id));
        if keeps && rank >= open.newest {
            open.newest = rank;
            open.process = Some(process.clone());
        }
        &mut open.figures
    }

    /// The audit of everything added: groups in the order of `sort`, at most `top` of them one by one.
    pub fn finish(self, sort: Sort, top: Option<usize>) -> Audit {
        let mut completeness = self.completeness;
        completeness.note_connections(self.inexact, self.preexisting);
        let parts: u64 = self.groups.values().map(|open| open.figures.all.wire_unknown).sum();
        completeness.note_wire(parts);
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(key, open)| Group { key, process: open.process, org: open.org, figures: open.figures })
            .collect();
        groups.sort_by(|a, b| a.compare(b, sort));
        let cut = groups.split_off(top.unwrap_or(usize::MAX).min(groups.len()));
        let mut rest = (cut.len() as u64, Split::default());
        cut.iter().for_each(|group| rest.1.merge(&group.figures));
        let comparison = Comparison { filtered: self.filtered, ..self.meter.finish() };
        Audit {
            by: self.by,
            completeness,
            geo: self.geo,
            indicators: self.indicators,
            totals: self.totals,
            groups,
            rest,
            comparison,
        }
    }
}
