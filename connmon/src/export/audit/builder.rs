//! Builds an [`Audit`] from connections, one by one.

use std::collections::HashMap;
use std::sync::Arc;

use super::figures::has_wire;
use super::interfaces::{Comparison, Meter};
use super::key::{self, Member};
use super::{Audit, By, Group, Key, Sort, Split};
use crate::model::{Connection, InterfaceSample, Process, Run, Timestamp, Untrusted};
use crate::summary::{Completeness, GeoNotes, Indicators, OwnEnds, Selection};

/// Takes connections and samples of the interfaces, in any number, and gives the audit.
pub struct Builder {
    by: Vec<By>,
    selection: Selection,
    completeness: Completeness,
    geo: GeoNotes,
    indicators: Indicators,
    boots: HashMap<i64, Arc<str>>,
    groups: HashMap<Vec<Key>, Open>,
    totals: Split,
    inexact: u64,
    preexisting: u64,
    /// Connections of which it was never known what they put on the wire.
    unmeasured: u64,
    own: OwnEnds,
    meter: Meter,
    /// A filter is set: the interfaces, which count everything, are no match for the rest.
    filtered: bool,
}

/// A group in the making; `newest` is the rank of the connection that `process` or `org` is from.
#[derive(Default)]
struct Open {
    figures: Split,
    process: Option<Arc<Process>>,
    org: Option<Untrusted>,
    newest: Option<(Timestamp, i64)>,
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection; groups have all that is named by `by` in common.
    pub fn new(runs: &[Run], selection: &Selection, by: &[By]) -> Self {
        Self {
            by: by.to_vec(),
            selection: selection.clone(),
            completeness: Completeness::of(runs, selection),
            geo: GeoNotes::of(runs),
            indicators: Indicators::of(runs),
            boots: runs.iter().map(|run| (run.id, Arc::from(run.boot_id.as_str()))).collect(),
            groups: HashMap::new(),
            totals: Split::default(),
            inexact: 0,
            preexisting: 0,
            unmeasured: 0,
            own: OwnEnds::default(),
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
        self.own.add(connection);
        self.inexact += u64::from(connection.inexact.is_some());
        self.preexisting += u64::from(connection.preexisting);
        self.unmeasured += u64::from(connection.wire.is_none() && has_wire(connection));
        self.meter.add_connection(connection, tx, rx);
        let opened = self.selection.since.map_or(connection.opened, |since| since.max(connection.opened));
        // What it put on the wire is known of all its time only, which must be within the group's.
        let whole = match self.by.iter().filter_map(|by| by.period()).min() {
            Some(period) => {
                let start = opened.0.div_euclid(period).saturating_mul(period);
                let end = Timestamp(start.saturating_add(period));
                whole && connection.lies_within(Some(Timestamp(start)), Some(end))
            }
            None => whole,
        };
        let boot =
            self.boots.entry(run).or_insert_with(|| Arc::from(format!("recording {run}").as_str())).clone();
        let member = |process, time| Member { boot: &boot, connection, process, time };
        self.group(&member(connection.owner.as_ref(), opened)).add_connection(connection, whole);
        for step in &connection.steps {
            let process = connection.traffic.get(step.share).map(|share| &share.process);
            self.group(&member(process, step.start)).add_bytes(proto, step.tx_bytes, step.rx_bytes);
        }
    }

    /// The figures of the group that a member is in.
    fn group(&mut self, member: &Member<'_>) -> &mut Split {
        let keys = self.by.iter().map(|by| key::of(*by, member)).collect();
        let open = self.groups.entry(keys).or_default();
        let rank = Some((member.connection.opened, member.connection.id));
        if rank >= open.newest {
            open.newest = rank;
            if self.by.contains(&By::Process) {
                open.process = member.process.cloned();
            }
            if self.by.contains(&By::Asn) {
                open.org = member.connection.place.as_ref().and_then(|place| place.org.clone());
            }
        }
        &mut open.figures
    }

    /// Takes what the interfaces had counted at a moment of the recording `run`; the samples of a run one after another.
    pub fn add_sample(&mut self, run: i64, sample: InterfaceSample) {
        if !self.filtered {
            self.meter.add_sample(run, sample);
        }
    }

    /// The audit of everything added: groups in the order of `sort`, at most `top` of them one by one.
    pub fn finish(self, sort: Sort, top: Option<usize>) -> Audit {
        let mut completeness = self.completeness;
        completeness.note_connections(self.inexact, self.preexisting);
        let own = self.own.finish();
        completeness.note_own(own);
        let unknown: u64 = self.groups.values().map(|open| open.figures.all.wire_unknown).sum();
        completeness.note_wire(unknown - self.unmeasured, self.unmeasured);
        let mut groups: Vec<Group> = self
            .groups
            .into_iter()
            .map(|(keys, open)| Group { keys, process: open.process, org: open.org, figures: open.figures })
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
            own,
            groups,
            rest,
            comparison,
        }
    }
}
