//! From the builder's maps to sorted rows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::builder::Builder;
use super::rows::{CountryRow, EndRow, Figures, KindRow, ProtocolRow, RemoteRow};
use super::{Completeness, Connections, Kept, Summary};
use crate::model::AddressKind;
use crate::model::Connection;

pub(super) fn finish(mut builder: Builder, mut completeness: Completeness) -> Summary {
    let keeper = std::mem::replace(&mut builder.keeper, super::kept::Keeper::new(0));
    let (kept, by_bytes, total) = keeper.finish();
    let owned: Vec<(i64, Option<usize>, Arc<Connection>)> =
        kept.into_iter().map(|(run, c)| (run, builder.owner(run, &c), c)).collect();

    count_pairs(&mut builder);
    let order = sorted(&builder.processes, |open| (rank(&open.row.figures), open.row.key.clone()));
    let mut place = vec![0; order.len()];
    for (to, &from) in order.iter().enumerate() {
        place[from] = to;
    }
    let (long_lived, bursts) = (builder.watch.long(), builder.watch.bursts(&place));
    let mut processes: Vec<_> = builder.processes.into_iter().map(|open| open.row).collect();
    processes.sort_by_cached_key(|row| (rank(&row.figures), row.key.clone()));
    let mut remotes: Vec<RemoteRow> = builder.remotes.into_iter().map(|open| open.row).collect();
    for row in &mut remotes {
        row.processes = row.processes.iter().map(|&index| place[index]).collect();
        row.processes.sort_unstable();
    }
    remotes.sort_by_key(|row| (rank(&row.figures), row.ip));

    let mut services: Vec<_> = builder.services.into_values().collect();
    services.sort_by_key(|row| (rank(&row.figures), row.proto, row.port));
    let mut protocols: Vec<_> =
        builder.protocols.into_iter().map(|(proto, figures)| ProtocolRow { proto, figures }).collect();
    protocols.sort_by_key(|row| (rank(&row.figures), row.proto));
    let mut ends: Vec<_> =
        builder.ends.into_iter().map(|(end, connections)| EndRow { end, connections }).collect();
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
        .map(|(run, owner, connection)| Kept { run, process: owner.map(|index| place[index]), connection })
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

/// Most bytes first, then most connections.
fn rank(figures: &Figures) -> impl Ord + Copy + use<> {
    (Reverse(figures.bytes()), Reverse(figures.connections))
}

/// The indexes of `items` in the order of their keys.
fn sorted<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    order.sort_by_cached_key(|&index| key(&items[index]));
    order
}

/// Fills what the pairs of process and remote say: who used a remote, and how many remotes a process has.
fn count_pairs(builder: &mut Builder) {
    let mut countries: BTreeSet<(usize, &str)> = BTreeSet::new();
    for &(process, remote) in &builder.process_remote {
        builder.processes[process].row.remotes += 1;
        if let Some(code) = &builder.remotes[remote].row.country {
            countries.insert((process, code));
        }
    }
    for (process, _) in countries {
        builder.processes[process].row.countries += 1;
    }
    for &(process, remote) in &builder.process_remote {
        builder.remotes[remote].row.processes.push(process);
    }
}

fn countries(remotes: &[RemoteRow]) -> Vec<CountryRow> {
    let mut rows: BTreeMap<Option<&str>, (Figures, u64, BTreeSet<usize>)> = BTreeMap::new();
    for remote in remotes.iter().filter(|row| row.kind == AddressKind::Public) {
        let (figures, count, processes) = rows.entry(remote.country.as_deref()).or_default();
        figures.merge(&remote.figures);
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
    rows.sort_by(|a, b| (rank(&a.figures), &a.code).cmp(&(rank(&b.figures), &b.code)));
    rows
}

fn kinds(remotes: &[RemoteRow]) -> Vec<KindRow> {
    let mut rows: BTreeMap<AddressKind, KindRow> = BTreeMap::new();
    for remote in remotes {
        let kind = remote.kind;
        let row = rows.entry(kind).or_insert(KindRow { kind, figures: Figures::default(), remotes: 0 });
        row.figures.merge(&remote.figures);
        row.remotes += 1;
    }
    rows.into_values().collect()
}
