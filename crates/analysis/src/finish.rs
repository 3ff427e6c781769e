//! From the builder's maps to sorted rows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::builder::{Builder, OpenProcess};
use super::groups::{FiguresByProtocol, GroupFigures};
use super::pairs::Pairs;
use super::rows::{CountryRow, EndRow, KindRow, ProcessRow, ProtocolRow, RemoteRow};
use super::{Completeness, Connections, SelectedConnection, Summary};
use connmon_record::AddressKind;
use connmon_record::Connection;

impl Builder {
    /// The summary of everything added.
    pub fn finish(self) -> Summary {
        let completeness = Completeness::from_runs(&self.runs, &self.selection);
        finish(self, completeness)
    }
}

fn finish(mut builder: Builder, mut completeness: Completeness) -> Summary {
    let keeper = std::mem::replace(&mut builder.keeper, super::top_connections::TopConnections::new(0));
    let (kept, by_bytes, total) = keeper.finish();
    let owned: Vec<(i64, Option<usize>, Arc<Connection>)> =
        kept.into_iter().map(|(run, c)| (run, builder.owner(run, &c), c)).collect();

    count_pairs(&mut builder);
    let order = ranks(builder.processes.rows());
    let (long_lived, bursts) = (builder.watch.long(), builder.watch.bursts(&order));
    let processes = builder.processes.ranked(|open| &open.figures.all).into_iter();
    let processes: Vec<_> = processes
        .map(|(_, OpenProcess { row, figures: FiguresByProtocol { all: figures, tcp, udp }, .. })| {
            ProcessRow { figures, tcp, udp, ..row }
        })
        .collect();
    let mut remotes: Vec<RemoteRow> =
        builder.remotes.ranked(|open| &open.row.figures).into_iter().map(|(_, open)| open.row).collect();
    for row in &mut remotes {
        row.processes = row.processes.iter().map(|&index| order[index]).collect();
        row.processes.sort_unstable();
    }
    let services = builder.services.ranked(|row| &row.figures).into_iter().map(|(_, row)| row).collect();
    let protocols = builder.protocols.ranked(|figures| figures).into_iter();
    let protocols = protocols.map(|(proto, figures)| ProtocolRow { proto, figures }).collect();
    let ends = builder.ends.finish().into_iter().filter(|(_, connections)| *connections > 0);
    let mut ends: Vec<_> = ends.map(|(end, connections)| EndRow { end, connections }).collect();
    ends.sort_by_key(|row| (Reverse(row.connections), row.end.map(|end| end.name())));

    let countries = countries(&remotes);
    let mut totals = builder.totals;
    completeness.note_connections(totals.figures.inexact, totals.preexisting);
    totals.own = builder.own.finish();
    completeness.note_own(totals.own);
    totals.processes = processes.len() as u64;
    totals.remotes = remotes.len() as u64;
    totals.countries = countries.iter().filter(|row| row.code.is_some()).count() as u64;
    let rows = owned
        .into_iter()
        .map(|(run, owner, connection)| SelectedConnection {
            run,
            process: owner.map(|index| order[index]),
            connection,
        })
        .collect();
    Summary {
        selection: builder.selection,
        runs: builder.runs,
        window: builder.window,
        long_lived,
        bursts,
        completeness,
        indicators: builder.indicators,
        totals,
        processes,
        unowned: builder.unowned,
        kinds: kinds(&remotes),
        remotes,
        countries,
        services,
        protocols,
        ends,
        activity: builder.activity,
        connections: Connections { rows, total, by_bytes },
    }
}

/// The place that each process has among all of them, most bytes first.
fn ranks(processes: &[OpenProcess]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..processes.len()).collect();
    order.sort_by_key(|&index| (processes[index].figures.all.rank(), &processes[index].row.key));
    let mut ranks = vec![0; order.len()];
    for (rank, index) in order.into_iter().enumerate() {
        ranks[index] = rank;
    }
    ranks
}

/// Fills what the pairs say: who used a remote, how many remotes a process has, and how many of both a service.
fn count_pairs(builder: &mut Builder) {
    let take = std::mem::take::<Pairs>;
    for (service, _) in take(&mut builder.service_process).finish() {
        builder.services.at(service).processes += 1;
    }
    for (service, _) in take(&mut builder.service_remote).finish() {
        builder.services.at(service).remotes += 1;
    }
    let pairs = take(&mut builder.process_remote).finish();
    let Builder { processes, remotes, .. } = builder;
    let mut countries: BTreeSet<(usize, &str)> = BTreeSet::new();
    for &(process, remote) in &pairs {
        processes.at(process).row.remotes += 1;
        if let Some(code) = &remotes.rows()[remote].row.country {
            countries.insert((process, code));
        }
    }
    for (process, _) in countries {
        processes.at(process).row.countries += 1;
    }
    for (process, remote) in pairs {
        remotes.at(remote).row.processes.push(process);
    }
}

fn countries(remotes: &[RemoteRow]) -> Vec<CountryRow> {
    let mut rows: BTreeMap<Option<&str>, (GroupFigures, u64, BTreeSet<usize>)> = BTreeMap::new();
    for remote in remotes.iter().filter(|row| row.kind == AddressKind::Public) {
        let (figures, count, processes) = rows.entry(remote.country.as_deref()).or_default();
        *figures += remote.figures;
        *count += 1;
        processes.extend(&remote.processes);
    }
    let mut rows: Vec<CountryRow> = rows
        .into_iter()
        .map(|(code, (figures, remotes, processes))| CountryRow {
            code: code.map(str::to_owned),
            figures,
            remotes,
            processes: processes.len() as u64,
        })
        .collect();
    rows.sort_by(|a, b| (a.figures.rank(), &a.code).cmp(&(b.figures.rank(), &b.code)));
    rows
}

fn kinds(remotes: &[RemoteRow]) -> Vec<KindRow> {
    let mut rows: BTreeMap<AddressKind, KindRow> = BTreeMap::new();
    for remote in remotes {
        let kind = remote.kind;
        let row = rows.entry(kind).or_insert(KindRow { kind, figures: GroupFigures::default(), remotes: 0 });
        row.figures += remote.figures;
        row.remotes += 1;
    }
    rows.into_values().collect()
}
