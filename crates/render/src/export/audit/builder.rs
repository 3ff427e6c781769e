//! Builds an [`Audit`] from connections, one by one.

use std::sync::Arc;

use super::interfaces::{InterfaceComparer, InterfaceComparison};
use super::{Audit, Group, GroupBy, GroupKey, GroupSort};
use connmon_analysis::groups::key::{self, Boots, Member};
use connmon_analysis::groups::sums::{
    self, OtherEnd, SumFigures, SumKey, SumMeaning, SumSelection, Summed, is_own,
};
use connmon_analysis::groups::{self, FiguresByProtocol, GroupFigures, Groups, Newest};
use connmon_analysis::{Completeness, GeoNotes, HostInternalFinder, Indicators, Selection, pruned_until};
use connmon_record::{Connection, InterfaceSample, Process, Run, Untrusted};

/// Takes connections and samples of the interfaces, in any number, and gives the audit.
pub struct Builder {
    by: Vec<GroupBy>,
    selection: Selection,
    completeness: Completeness,
    geo: GeoNotes,
    indicators: Indicators,
    boots: Boots,
    groups: Groups<Vec<GroupKey>, GroupInProgress>,
    totals: FiguresByProtocol,
    preexisting: u64,
    /// Connections whose bytes on the wire were never counted.
    unmeasured: u64,
    own: HostInternalFinder,
    meter: InterfaceComparer,
    sums: SumSelection,
    /// Whether some sums are of a period of which only a part was asked for.
    parts_of_sums: bool,
    /// Whether a filter is set: the interfaces count all traffic, so they cannot be compared with a part of the connections.
    filtered: bool,
}

/// A group in the making.
#[derive(Default)]
struct GroupInProgress {
    figures: FiguresByProtocol,
    /// The process, and who runs the autonomous system, as of the newest connection.
    newest: Newest<(Option<Arc<Process>>, Option<Untrusted>)>,
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection; groups have all that is named by `by` in common.
    pub fn new(runs: &[Run], selection: &Selection, by: &[GroupBy]) -> Self {
        Self {
            by: by.to_vec(),
            selection: selection.clone(),
            completeness: Completeness::from_runs(runs, selection),
            geo: GeoNotes::from_runs(runs),
            indicators: Indicators::from_runs(runs),
            boots: Boots::new(runs),
            groups: Groups::default(),
            totals: FiguresByProtocol::default(),
            preexisting: 0,
            unmeasured: 0,
            own: HostInternalFinder::default(),
            meter: InterfaceComparer::default(),
            sums: SumSelection::new(selection.since, selection.until, pruned_until(runs)),
            parts_of_sums: false,
            filtered: !selection.filter.is_empty(),
        }
    }

    /// Counts what a connection of the recording `run` moved in the interval.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let whole = connection.lies_within(self.selection.since, self.selection.until);
        let connection = &self.selection.part_of(connection);
        let (proto, figures) = (connection.proto, GroupFigures::from_connection(connection));
        let one = GroupFigures { tx_bytes: 0, rx_bytes: 0, ..figures };
        self.totals.count(proto, figures + GroupFigures::of_wire(connection, whole));
        self.unmeasured += GroupFigures::of_wire(connection, true).wire_unknown;
        self.indicators.add(connection);
        self.own.add(connection);
        self.preexisting += u64::from(connection.preexisting);
        self.meter.add_figures(is_own(connection), figures);
        let opened = self.selection.since.map_or(connection.opened, |since| since.max(connection.opened));
        // The bytes on the wire are known only for the connection's whole lifetime, which must lie within the group's period.
        let lies_in = |(from, to)| connection.lies_within(Some(from), Some(to));
        let whole = whole && self.by.iter().filter_map(|by| by.period(opened)).all(lies_in);
        let boot = self.boots.of_run(run);
        let own = one + GroupFigures::of_wire(connection, whole);
        groups::parts(connection, own, opened, |process, time, figures| {
            self.group(&Member { boot: &boot, connection, process, time }).count(proto, figures);
        });
    }

    /// The figures of the group that a member is in.
    fn group(&mut self, member: &Member<'_>) -> &mut FiguresByProtocol {
        let Self { by, groups, .. } = self;
        let keys = by.iter().map(|by| key::group_key(*by, member)).collect();
        let open = groups.row(keys, |_| GroupInProgress::default());
        open.newest.offer((member.connection.opened, member.connection.id), || {
            let place = member.connection.place.as_ref().filter(|_| by.contains(&GroupBy::Asn));
            let process = member.process.filter(|_| by.contains(&GroupBy::Process));
            (process.cloned(), place.and_then(|place| place.org.clone()))
        });
        &mut open.figures
    }

    /// Adds a sum of pruned connections; sums come in the order of their periods. They are ignored if there is a filter, which cannot be
    /// applied to them.
    pub fn add_sum(&mut self, key: &SumKey, sum: &SumFigures) {
        match self.sums.meaning(key) {
            _ if self.filtered => {}
            SumMeaning::None => {}
            SumMeaning::Part => self.parts_of_sums = true,
            SumMeaning::Counts(whole) => self.count_sum(key, sum, whole),
        }
    }

    /// Adds the sums of connections that all lie within the interval, instead of the connections themselves. Requires
    /// [`has_sums`](Self::has_sums).
    pub fn add_summed(&mut self, summed: &Summed) {
        for (key, sum) in &summed.sums {
            self.count_sum(key, sum, true);
        }
        self.own.add_locals(&summed.locals);
        self.indicators.add_counted(&summed.matching);
    }

    /// Whether sums of days are enough for this audit: there is no filter, and they contain everything that is grouped by.
    pub fn has_sums(&self) -> bool {
        !self.filtered && self.by.iter().all(|by| sums::tells(*by))
    }

    /// Adds a sum; `whole` says whether its figures on the wire count as well.
    fn count_sum(&mut self, key: &SumKey, sum: &SumFigures, whole: bool) {
        let figures = sum.of_wire(whole);
        self.totals.count(key.proto, figures);
        self.unmeasured += sum.figures.wire_unknown;
        self.preexisting += sum.preexisting;
        self.meter.add_figures(key.owner.other_end == OtherEnd::Same, figures);
        if key.owner.other_end != OtherEnd::Elsewhere {
            self.own.add_pruned(figures);
        }
        let keys: Vec<(GroupKey, bool)> = self.by.iter().map(|by| sums::key_of_sum(*by, key)).collect();
        let figures = sum.of_wire(whole && keys.iter().all(|(_, whole)| *whole));
        let keys = keys.into_iter().map(|(key, _)| key).collect();
        self.groups.row(keys, |_| GroupInProgress::default()).figures.count(key.proto, figures);
    }

    /// Adds what the interfaces had counted at one moment of the recording `run`. The samples of a run must follow one another.
    pub fn add_sample(&mut self, run: i64, sample: InterfaceSample) {
        if !self.filtered {
            self.meter.add_sample(run, sample);
        }
    }

    /// The audit of everything added: groups in the order of `sort`, at most `top` of them one by one.
    pub fn finish(self, sort: GroupSort, top: Option<usize>) -> Audit {
        let mut completeness = self.completeness;
        completeness.note_connections(self.totals.all.inexact, self.preexisting);
        if !self.filtered {
            completeness.note_sums(self.parts_of_sums);
        }
        completeness
            .note_periods(|time| self.by.iter().filter_map(|by| by.period(time)).map(|(_, end)| end).min());
        let own = self.own.finish();
        completeness.note_own(own);
        let groups = self.groups.finish();
        let wire: GroupFigures = groups.iter().map(|(_, open)| open.figures.all).sum();
        completeness.note_wire(wire.wire_unknown - self.unmeasured, self.unmeasured);
        let mut groups: Vec<Group> = groups
            .into_iter()
            .map(|(keys, GroupInProgress { figures, newest })| {
                let (process, org) = newest.value;
                Group { keys, process, org, figures }
            })
            .collect();
        groups.sort_by(|a, b| a.compare(b, sort));
        let cut = groups.split_off(top.unwrap_or(usize::MAX).min(groups.len()));
        let mut rest = (cut.len() as u64, FiguresByProtocol::default());
        cut.iter().for_each(|group| rest.1 += group.figures);
        let comparison = InterfaceComparison { filtered: self.filtered, ..self.meter.finish() };
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
