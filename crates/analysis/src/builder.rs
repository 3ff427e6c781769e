//! Builds a [`Summary`] from connections, one by one, or from the cells of many.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::cells::{
    Cell, CellFigures, CellRemote, CellRest, Counted, cells_of, insert_few, remote_names, service_key,
};
use super::findings::{FindingsBuilder, minute_of, start_of};
use super::groups::key::Boots;
use super::groups::{FiguresByProtocol, GroupFigures, Groups, Newest};
use super::pairs::Pairs;
use super::rows::{ProcessKey, ProcessRow, RemoteRow, SelectionTotals, ServiceRow};
use super::top_connections::TopConnections;
use super::{Activity, HostInternalFinder, Indicators, Selection, Window};
use connmon_record::AddressKind;
use connmon_record::{Connection, End, Matching, Process, ProcessId, Proto, Run, Timestamp, Untrusted};

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
    pub(super) ends: Groups<Option<End>, u64>,
    pub(super) process_remote: Pairs,
    pub(super) service_process: Pairs,
    pub(super) service_remote: Pairs,
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
            process_remote: Pairs::default(),
            service_process: Pairs::default(),
            service_remote: Pairs::default(),
        }
    }

    /// Counts a connection of the recording `run`.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let (remote, service) = (CellRemote::of_connection(&connection), service_key(&connection));
        cells_of(&connection, Arc::clone, |process, counted, figures| {
            self.add_cell(run, &Cell { process: process.as_ref(), remote, service, counted, figures });
        });
        self.add_names(remote.ip, remote_names(&connection));
        self.indicators.add(&connection);
        self.own.add_local(connection.local.ip);
        let one = GroupFigures::of_connection(&connection);
        self.activity.add(connection.opened, one);
        self.add_ended(connection.end, one.connections);
        let until = connection.known_end().or_else(|| self.last_words.get(&run).copied());
        let lasted = until.unwrap_or(connection.opened).0.saturating_sub(connection.opened.0);
        self.watch.add_lasted(lasted);
        if connection.has_failed()
            && let Some(owner) = self.owner(run, &connection)
        {
            self.watch.add_failed(owner, minute_of(connection.opened), 1);
        }
        self.keeper.add(run, connection);
    }

    /// Counts the connections of a cell, or what a process moved on them, all of the recording `run`.
    pub fn add_cell(&mut self, run: i64, cell: &Cell<'_>) {
        let &Cell { process, remote, service, counted, figures: CellFigures { figures, preexisting, .. } } =
            cell;
        let (in_services, in_remotes) = (self.service(service), self.remote(cell));
        if counted != Counted::Process {
            self.totals.figures += figures;
            self.totals.preexisting += preexisting;
            self.own.add_figures(remote.ip, figures);
            *self.protocols.row(service.0, |_| GroupFigures::default()) += figures;
            self.services.at(in_services).figures += figures;
            self.remotes.at(in_remotes).row.figures += figures;
            self.service_remote.add(in_services, in_remotes);
        }
        if counted == Counted::Unowned {
            self.unowned += figures;
        }
        if let Some(process) = process {
            let index = self.process(run, process, cell);
            self.process_remote.add(index, in_remotes);
            self.service_process.add(in_services, index);
        }
    }

    /// Whether it can be told of cells when connections were opened.
    pub fn takes_cells(&self) -> bool {
        self.activity.is_of_minutes()
    }

    /// Adds what cells do not tell of their connections.
    pub fn add_rest(&mut self, rest: &CellRest) {
        self.keeper.count(rest.rows);
        self.watch.add_long(rest.long_lived, rest.longest_ns);
    }

    /// Counts connections that were opened in a minute, and those of them that failed.
    pub fn add_opened(&mut self, minute: i64, connections: u64, failed: u64) {
        let figures = GroupFigures { connections, failed, ..GroupFigures::default() };
        self.activity.add(start_of(minute), figures);
    }

    /// Counts connections of a process that failed in a minute. Its cells have been added.
    pub fn add_failed(&mut self, run: i64, process: ProcessId, minute: i64, connections: u32) {
        if let Some(owner) = self.processes.find(&self.key(run, process)) {
            self.watch.add_failed(owner, minute, connections);
        }
    }

    /// Takes addresses that are this host's, and how many connections match lists of indicators.
    pub fn add_known(&mut self, locals: &HashSet<IpAddr>, matching: &(u64, Matching)) {
        self.own.add_locals(locals);
        self.indicators.add_counted(matching);
    }

    /// Takes a connection whose cells have been added: it may be one of those that are shown.
    pub fn offer(&mut self, run: i64, connection: Connection) {
        self.keeper.offer(run, connection);
    }

    /// The row of the connection's owner.
    pub(super) fn owner(&self, run: i64, connection: &Connection) -> Option<usize> {
        let id = connection.owner.as_ref()?.id;
        self.processes.find(&self.key(run, id))
    }

    fn key(&self, run: i64, id: ProcessId) -> ProcessKey {
        ProcessKey { boot: self.boots.of_run(run), id }
    }

    fn service(&mut self, key: (Proto, u16)) -> usize {
        self.services.place(key, |&(proto, port)| ServiceRow {
            proto,
            port,
            figures: GroupFigures::default(),
            processes: 0,
            remotes: 0,
        })
    }

    /// The row of a process, as of its newest connection, with the cell's figures.
    fn process(&mut self, run: i64, process: &Arc<Process>, cell: &Cell<'_>) -> usize {
        let CellFigures { figures, first, last, newest: rank, .. } = cell.figures;
        let index = self.processes.place(self.key(run, process.id), |key| OpenProcess {
            row: ProcessRow {
                key: key.clone(),
                process: process.clone(),
                other_exes: BTreeSet::new(),
                figures: GroupFigures::default(),
                tcp: GroupFigures::default(),
                udp: GroupFigures::default(),
                remotes: 0,
                countries: 0,
                first_seen: first,
                last_seen: last,
            },
            figures: FiguresByProtocol::default(),
            newest: Newest::default(),
        });
        let OpenProcess { row, newest, figures: all } = self.processes.at(index);
        let mut other = process.clone();
        if newest.offer(rank, || ()) {
            std::mem::swap(&mut row.process, &mut other);
        }
        if row.process.exe != other.exe {
            insert_few(&mut row.other_exes, other.exe.clone());
        }
        all.count(cell.service.0, figures);
        row.first_seen = row.first_seen.min(first);
        row.last_seen = row.last_seen.max(last);
        index
    }

    /// The row of a remote address, without the cell's figures.
    fn remote(&mut self, cell: &Cell<'_>) -> usize {
        let &Cell { remote: CellRemote { ip, country, place }, service, .. } = cell;
        let CellFigures { first, last, newest: rank, .. } = cell.figures;
        let index = self.remotes.place(ip, |&ip| OpenRemote {
            row: RemoteRow {
                ip,
                kind: AddressKind::of_address(ip),
                names: BTreeSet::new(),
                country: None,
                place: None,
                figures: GroupFigures::default(),
                processes: Vec::new(),
                services: BTreeSet::new(),
                first_seen: first,
                last_seen: last,
            },
            newest: Newest::default(),
        });
        let OpenRemote { row, newest } = self.remotes.at(index);
        let known = country.is_some() || place.is_some();
        if row.kind == AddressKind::Public && known && newest.offer(rank, || ()) {
            row.country = country.map(str::to_owned);
            row.place = place.cloned();
        }
        insert_few(&mut row.services, service);
        row.first_seen = row.first_seen.min(first);
        row.last_seen = row.last_seen.max(last);
        index
    }

    /// Adds names of a remote address that has connections.
    pub fn add_names<'a>(&mut self, ip: IpAddr, names: impl IntoIterator<Item = &'a Untrusted>) {
        if let Some(place) = self.remotes.find(&ip) {
            let row = &mut self.remotes.at(place).row;
            names.into_iter().for_each(|name| insert_few(&mut row.names, name.clone()));
        }
    }

    /// Counts so many connections that ended so.
    pub fn add_ended(&mut self, end: Option<End>, connections: u64) {
        *self.ends.row(end, |_| 0) += connections;
    }
}
