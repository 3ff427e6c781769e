//! Builds a [`Summary`] from connections, one by one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::findings::FindingsBuilder;
use super::groups::key::Boots;
use super::groups::{FiguresByProtocol, GroupFigures, Groups, Newest, users};
use super::rows::{ProcessKey, ProcessRow, RemoteRow, SelectionTotals, ServiceRow};
use super::top_connections::TopConnections;
use super::{Activity, HostInternalFinder, Indicators, Selection, Window, service_of};
use connmon_record::AddressKind;
use connmon_record::{Connection, End, Process, ProcessId, Proto, Run, Timestamp};

/// At most so many other executables, or service ports, are listed in a row.
const FEW: usize = 8;

/// Takes the selected connections, in any number, and gives the summary.
pub struct Builder {
    pub(super) selection: Selection,
    pub(super) runs: Vec<Run>,
    pub(super) window: Option<Window>,
    boots: Boots,
    last_words: HashMap<i64, Timestamp>,
    pub(super) indicators: Indicators,
    pub(super) totals: SelectionTotals,
    pub(super) own: HostInternalFinder,
    pub(super) unowned: GroupFigures,
    pub(super) activity: Activity,
    pub(super) keeper: TopConnections,
    pub(super) watch: FindingsBuilder,
    pub(super) processes: Groups<ProcessKey, OpenProcess>,
    pub(super) remotes: Groups<IpAddr, OpenRemote>,
    pub(super) services: Groups<(Proto, u16), ServiceRow>,
    pub(super) protocols: Groups<Proto, GroupFigures>,
    pub(super) ends: Groups<Option<End>, GroupFigures>,
    pub(super) process_remote: HashSet<(usize, usize)>,
    service_process: HashSet<(usize, usize)>,
    service_remote: HashSet<(usize, usize)>,
}

/// A process row in the making.
pub(super) struct OpenProcess {
    /// But for its figures.
    pub(super) row: ProcessRow,
    pub(super) figures: FiguresByProtocol,
    /// `row.process` is of the newest connection.
    newest: Newest<()>,
}

/// A remote row in the making.
pub(super) struct OpenRemote {
    pub(super) row: RemoteRow,
    /// `row.country` and `row.place` are of the newest connection that knows any.
    newest: Newest<()>,
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection. At most `connection_cap` single
    /// connections are kept; the figures count all.
    pub fn new(mut runs: Vec<Run>, selection: Selection, connection_cap: usize) -> Self {
        runs.sort_by_key(|run| (run.started, run.id));
        let window = Window::covering(&runs, &selection);
        Self {
            boots: Boots::new(&runs),
            last_words: runs.iter().map(|run| (run.id, run.last_flush)).collect(),
            activity: Activity::new(window),
            keeper: TopConnections::new(connection_cap),
            watch: FindingsBuilder::default(),
            window,
            selection,
            indicators: Indicators::from_runs(&runs),
            runs,
            totals: SelectionTotals::default(),
            own: HostInternalFinder::default(),
            unowned: GroupFigures::default(),
            processes: Groups::default(),
            remotes: Groups::default(),
            services: Groups::default(),
            protocols: Groups::default(),
            ends: Groups::default(),
            process_remote: HashSet::new(),
            service_process: HashSet::new(),
            service_remote: HashSet::new(),
        }
    }

    /// Counts a connection of the recording `run`.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let figures = GroupFigures::from_connection(&connection);
        self.totals.figures += figures;
        self.totals.preexisting += u64::from(connection.preexisting);
        self.indicators.add(&connection);
        self.own.add(&connection);
        self.activity.add(connection.opened, figures);
        *self.protocols.row(connection.proto, |_| GroupFigures::default()) += figures;
        *self.ends.row(connection.end, |_| GroupFigures::default()) += figures;

        let service = (connection.proto, service_of(&connection).port);
        let in_services = self.services.place(service, |&(proto, port)| ServiceRow {
            proto,
            port,
            figures: GroupFigures::default(),
            processes: 0,
            remotes: 0,
        });
        self.services.at(in_services).figures += figures;

        let remote = self.remote(&connection, service, figures);
        if self.service_remote.insert((in_services, remote)) {
            self.services.at(in_services).remotes += 1;
        }
        let users = users(&connection, |process| self.intern(run, &connection, process));
        if users.is_empty() {
            self.unowned += figures;
        }
        for (process, figures) in users {
            self.process(process, &connection, figures);
            self.process_remote.insert((process, remote));
            if self.service_process.insert((in_services, process)) {
                self.services.at(in_services).processes += 1;
            }
        }
        let until = connection.known_end().or_else(|| self.last_words.get(&run).copied());
        let lasted = until.unwrap_or(connection.opened).0.saturating_sub(connection.opened.0);
        self.watch.add(&connection, self.owner(run, &connection), lasted);
        self.keeper.add(run, connection);
    }

    /// The row of the connection's owner.
    pub(super) fn owner(&self, run: i64, connection: &Connection) -> Option<usize> {
        let id = connection.owner.as_ref()?.id;
        self.processes.find(&self.key(run, id))
    }

    fn key(&self, run: i64, id: ProcessId) -> ProcessKey {
        ProcessKey { boot: self.boots.of_run(run), id }
    }

    /// The row of a process, as of its newest connection.
    fn intern(&mut self, run: i64, connection: &Connection, process: &Arc<Process>) -> usize {
        let key = self.key(run, process.id);
        let index = self.processes.place(key, |key| OpenProcess {
            row: ProcessRow {
                key: key.clone(),
                process: process.clone(),
                other_exes: BTreeSet::new(),
                figures: GroupFigures::default(),
                tcp: GroupFigures::default(),
                udp: GroupFigures::default(),
                remotes: 0,
                countries: 0,
                first_seen: connection.opened,
                last_seen: connection.opened,
            },
            figures: FiguresByProtocol::default(),
            newest: Newest::default(),
        });
        let OpenProcess { row, newest, .. } = self.processes.at(index);
        let mut other = process.clone();
        if newest.offer(connection, || ()) {
            std::mem::swap(&mut row.process, &mut other);
        }
        if row.process.exe != other.exe {
            insert_few(&mut row.other_exes, other.exe.clone());
        }
        index
    }

    fn process(&mut self, index: usize, connection: &Connection, figures: GroupFigures) {
        let OpenProcess { row, figures: all, .. } = self.processes.at(index);
        all.count(connection.proto, figures);
        row.first_seen = row.first_seen.min(connection.opened);
        row.last_seen = row.last_seen.max(connection.known_end().unwrap_or(connection.opened));
    }

    fn remote(&mut self, connection: &Connection, service: (Proto, u16), figures: GroupFigures) -> usize {
        let index = self.remotes.place(connection.remote.ip, |&ip| OpenRemote {
            row: RemoteRow {
                ip,
                kind: AddressKind::of_address(ip),
                names: BTreeSet::new(),
                country: None,
                place: None,
                figures: GroupFigures::default(),
                processes: Vec::new(),
                services: BTreeSet::new(),
                first_seen: connection.opened,
                last_seen: connection.opened,
            },
            newest: Newest::default(),
        });
        let OpenRemote { row, newest } = self.remotes.at(index);
        let known = connection.country.is_some() || connection.place.is_some();
        if row.kind == AddressKind::Public && known && newest.offer(connection, || ()) {
            row.country.clone_from(&connection.country);
            row.place.clone_from(&connection.place);
        }
        row.figures += figures;
        let names = connection.names.iter().filter(|name| name.is_of_remote());
        names.for_each(|name| insert_few(&mut row.names, name.name.clone()));
        insert_few(&mut row.services, service);
        row.first_seen = row.first_seen.min(connection.opened);
        row.last_seen = row.last_seen.max(connection.known_end().unwrap_or(connection.opened));
        index
    }
}

/// Keeps the few lowest, so that the order of arrival does not matter.
fn insert_few<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    set.insert(item);
    if set.len() > FEW {
        set.pop_last();
    }
}
