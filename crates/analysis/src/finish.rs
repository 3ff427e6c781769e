//! From the builder's maps to sorted rows.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::builder::Builder;
use super::groups::{GroupFigures, Groups};
use super::pairs::Pairs;
use super::remotes::Remotes;
use super::rows::{CountryRow, EndRow, KindRow, ProtocolRow, SelectionTotals};
use super::{Completeness, Connections, HostInternal, SelectedConnection, Summary};
use connmon_record::{AddressKind, Connection};

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
    let owned: Vec<(i64, Option<u32>, Arc<Connection>)> =
        kept.into_iter().map(|(run, c)| (run, builder.owner(run, &c), c)).collect();

    let own = builder.remotes.own(&builder.locals);
    let used = count_pairs(&mut builder);
    let Builder { mut services, process_service, remote_service, .. } = builder;
    process_service.finish(|_, service| services.at(service as usize).processes += 1);
    remote_service.finish(|_, service| services.at(service as usize).remotes += 1);
    let mut protocols = Groups::default();
    let mut figures = GroupFigures::default();
    for row in services.rows() {
        figures += row.figures;
        *protocols.row(row.proto, |_| GroupFigures::default()) += row.figures;
    }
    let services = services.ranked(|row| &row.figures).into_iter().map(|(_, row)| row).collect();
    let protocols = protocols.ranked(|figures| figures).into_iter();
    let protocols = protocols.map(|(proto, figures)| ProtocolRow { proto, figures }).collect();
    let ends = builder.ends.finish().into_iter().filter(|(_, connections)| *connections > 0);
    let mut ends: Vec<_> = ends.map(|(end, connections)| EndRow { end, connections }).collect();
    ends.sort_by_key(|row| (Reverse(row.connections), row.end.map(|end| end.name())));

    let (processes, order) = builder.processes.finish();
    let mut remotes = builder.remotes.finish();
    let in_order = |places: &Vec<u32>| {
        let mut ranks: Vec<usize> = places.iter().map(|place| order[*place as usize] as usize).collect();
        ranks.sort_unstable();
        ranks
    };
    remotes.set_processes(used.by_listed.iter().map(in_order).collect());

    let countries = countries(&remotes, &used.by_country);
    completeness.note_connections(figures.inexact, builder.preexisting);
    let own = HostInternal::of_figures(own);
    completeness.note_own(own);
    let totals = SelectionTotals {
        figures,
        preexisting: builder.preexisting,
        own,
        processes: processes.len() as u64,
        remotes: remotes.len() as u64,
        countries: countries.iter().filter(|row| row.code.is_some()).count() as u64,
    };
    let rows = owned
        .into_iter()
        .map(|(run, owner, connection)| SelectedConnection {
            run,
            process: owner.map(|place| order[place as usize] as usize),
            connection,
        })
        .collect();
    Summary {
        selection: builder.selection,
        runs: builder.runs,
        window: builder.window,
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

/// What the pairs of remote addresses and processes say.
struct Used {
    /// The processes that used the addresses that are listed, by place.
    by_listed: Vec<Vec<u32>>,
    /// The number of processes that used public addresses of no known country, and of each country by its place.
    by_country: Vec<u64>,
}

/// Counts the remote addresses and the countries of each process, and finds out who used the first addresses.
fn count_pairs(builder: &mut Builder) -> Used {
    let Builder { processes, remotes, remote_process, .. } = builder;
    let listed: HashMap<u32, usize> = remotes.first(super::LISTED).into_iter().zip(0..).collect();
    let mut by_listed = vec![Vec::new(); listed.len()];
    // A bit for each country, the lowest for those that are not known.
    let codes = remotes.countries().len() + 1;
    let words = codes.div_ceil(64);
    let mut met = vec![0_u64; words * processes.len()];
    std::mem::take::<Pairs>(remote_process).finish(|remote, process| {
        processes.add_remote(process);
        if let Some(country) = remotes.country(remote) {
            let bit = country.min(codes - 1);
            met[words * process as usize + bit / 64] |= 1 << (bit % 64);
        }
        if let Some(place) = listed.get(&remote) {
            by_listed[*place].push(process);
        }
    });
    let mut by_country = vec![0; codes];
    for (process, met) in (0..).zip(met.chunks(words)) {
        let all: u32 = met.iter().map(|word| word.count_ones()).sum();
        processes.set_countries(process, all - (met[0] & 1) as u32);
        for (first, word) in (0..).step_by(64).zip(met) {
            let mut rest = *word;
            while rest != 0 {
                by_country[first + rest.trailing_zeros() as usize] += 1;
                rest &= rest - 1;
            }
        }
    }
    Used { by_listed, by_country }
}

fn countries(remotes: &Remotes, processes: &[u64]) -> Vec<CountryRow> {
    let mut rows: BTreeMap<Option<&str>, (GroupFigures, u64)> = BTreeMap::new();
    for remote in remotes.iter().filter(|row| row.kind == AddressKind::Public) {
        let (figures, count) = rows.entry(remote.country).or_default();
        *figures += remote.figures;
        *count += 1;
    }
    let place = |code: Option<&str>| code.map_or(Some(0), |code| Some(remotes.country_place(code)? + 1));
    let mut rows: Vec<CountryRow> = rows
        .into_iter()
        .map(|(code, (figures, remotes))| CountryRow {
            code: code.map(str::to_owned),
            figures,
            remotes,
            processes: place(code).map_or(0, |place| processes[place]),
        })
        .collect();
    rows.sort_by(|a, b| (a.figures.rank(), &a.code).cmp(&(b.figures.rank(), &b.code)));
    rows
}

fn kinds(remotes: &Remotes) -> Vec<KindRow> {
    let mut rows: BTreeMap<AddressKind, KindRow> = BTreeMap::new();
    for remote in remotes.iter() {
        let kind = remote.kind;
        let row = rows.entry(kind).or_insert(KindRow { kind, figures: GroupFigures::default(), remotes: 0 });
        row.figures += remote.figures;
        row.remotes += 1;
    }
    rows.into_values().collect()
}
