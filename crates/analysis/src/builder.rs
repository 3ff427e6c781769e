//! Builds a [`Summary`] from connections, one by one, or from the cells of many.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::cells::{CellFigures, CellRest, Counted, cells_of, remote_names, service_key};
use super::groups::key::Boots;
use super::groups::{GroupFigures, Groups};
use super::host_internal::is_own;
use super::minutes::start_of;
use super::pairs::Pairs;
use super::processes::{OpenProcesses, ProcessSource, Program, ToldProcess};
use super::remotes::OpenRemotes;
use super::rows::ServiceRow;
use super::top_connections::TopConnections;
use super::{Activity, Indicators, Selection, Window};
use connmon_record::{Connection, End, Location, Matching, ProcessId, Proto, Run, Timestamp, Untrusted};

/// Of so many services each process and each address knows whether it has them.
const FIRST: usize = 32;

/// A cell, as a summary takes it.
#[derive(Clone, Copy, Debug)]
pub struct Cell<'a> {
    /// The process, where processes are counted, and where the rest is that is known of it.
    pub process: Option<(ToldProcess, &'a ProcessSource)>,
    /// The remote address, by the place that the summary has given it.
    pub remote: u32,
    /// Protocol and service port.
    pub service: (Proto, u16),
    /// What is counted.
    pub counted: Counted,
    /// The figures.
    pub figures: CellFigures,
}

/// Takes the selected connections, in any number, and gives the summary.
pub struct Builder {
    pub(super) selection: Selection,
    pub(super) runs: Vec<Run>,
    pub(super) window: Option<Window>,
    boots: Boots,
    pub(super) indicators: Indicators,
    pub(super) preexisting: u64,
    /// Addresses that are this host's.
    pub(super) locals: HashSet<IpAddr>,
    pub(super) unowned: GroupFigures,
    pub(super) activity: Activity,
    pub(super) keeper: TopConnections,
    pub(super) processes: OpenProcesses,
    pub(super) remotes: OpenRemotes,
    pub(super) services: Groups<(Proto, u16), ServiceRow>,
    pub(super) ends: Groups<Option<End>, u64>,
    /// Remote addresses and the processes that used them.
    pub(super) remote_process: Pairs,
    /// Processes and services, but for the first few of these.
    pub(super) process_service: Pairs,
    /// Remote addresses and services, but for the first few of these.
    pub(super) remote_service: Pairs,
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection. At most `connection_cap` single
    /// connections are kept; the figures count all.
    pub fn new(mut runs: Vec<Run>, selection: Selection, connection_cap: usize) -> Self {
        runs.sort_by_key(|run| (run.started, run.id));
        let window = Window::covering(&runs, &selection);
        Self {
            boots: Boots::new(&runs),
            activity: Activity::new(window),
            keeper: TopConnections::new(connection_cap),
            window,
            selection,
            indicators: Indicators::from_runs(&runs),
            runs,
            preexisting: 0,
            locals: HashSet::new(),
            unowned: GroupFigures::default(),
            processes: OpenProcesses::default(),
            remotes: OpenRemotes::default(),
            services: Groups::default(),
            ends: Groups::default(),
            remote_process: Pairs::default(),
            process_service: Pairs::default(),
            remote_service: Pairs::default(),
        }
    }

    /// Counts a connection of the recording `run`.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let rank = (connection.opened, connection.id);
        let remote = self.remote(connection.remote.ip);
        self.tell_remote(remote, rank, connection.country.as_deref(), connection.place.as_ref());
        let (service, boot) = (service_key(&connection), self.boots.of_run(run));
        cells_of(&connection, Arc::clone, |process, counted, figures| {
            let told = process.as_ref().map(|process| self.processes.tell_known(&boot, process));
            let source = process.map_or(ProcessSource::Stored(0), ProcessSource::Known);
            let process = told.map(|told| (told, &source));
            self.add_cell(&Cell { process, remote, service, counted, figures });
        });
        self.add_names(remote, remote_names(&connection).map(Untrusted::borrowed));
        self.indicators.add(&connection);
        self.locals.extend(Some(connection.local.ip).filter(is_own));
        let one = GroupFigures::of_connection(&connection);
        self.activity.add(connection.opened, one);
        self.add_ended(connection.end, one.connections);
        self.keeper.add(run, connection);
    }

    /// The place of a remote address.
    pub fn remote(&mut self, ip: IpAddr) -> u32 {
        self.remotes.place(ip)
    }

    /// Takes what is known of a remote address. `rank` tells of which connection: when that was opened, and its id.
    pub fn tell_remote(
        &mut self,
        remote: u32,
        rank: (Timestamp, i64),
        country: Option<&str>,
        location: Option<&Arc<Location>>,
    ) {
        self.remotes.tell(remote, rank, country, location);
    }

    /// A process of the recording `run`, with what it ran and when it started.
    pub fn process(&mut self, run: i64, id: ProcessId, program: Program, started: Timestamp) -> ToldProcess {
        let boot = self.boots.of_run(run);
        self.processes.tell(&boot, id, program, started)
    }

    /// Counts the connections of a cell, or what a process moved on them.
    pub fn add_cell(&mut self, cell: &Cell<'_>) {
        let &Cell { process, remote, service, counted, figures: all } = cell;
        let CellFigures { figures, preexisting, .. } = all;
        let in_services = self.services.place(service, |&(proto, port)| ServiceRow {
            proto,
            port,
            figures: GroupFigures::default(),
            processes: 0,
            remotes: 0,
        });
        let (has, first) = (self.remotes.has_service(remote, in_services, service), in_services < FIRST);
        let counts = counted != Counted::Process;
        self.remotes.add(remote, if counts { figures } else { GroupFigures::default() }, &all);
        if counts {
            self.preexisting = self.preexisting.saturating_add(preexisting);
            self.services.at(in_services).figures += figures;
        }
        // A service has the addresses of connections, of which what processes moved is a part.
        if first && !has {
            self.services.at(in_services).remotes += 1;
        } else if !first {
            self.remote_service.add(remote, in_services as u32);
        }
        if counted == Counted::Unowned {
            self.unowned += figures;
        }
        if let Some(process) = process {
            let place = self.processes.add(process, service.0, &all);
            self.remote_process.add(remote, place);
            if !first {
                self.process_service.add(place, in_services as u32);
            } else if !self.processes.has_service(place, in_services) {
                self.services.at(in_services).processes += 1;
            }
        }
    }

    /// Whether it can be told of cells when connections were opened.
    pub fn takes_cells(&self) -> bool {
        self.activity.is_of_minutes()
    }

    /// Adds what cells do not tell of their connections.
    pub fn add_rest(&mut self, rest: &CellRest) {
        self.keeper.count(rest.rows);
    }

    /// Counts connections that were opened in a minute, and those of them that failed.
    pub fn add_opened(&mut self, minute: i64, connections: u64, failed: u64) {
        let figures = GroupFigures { connections, failed, ..GroupFigures::default() };
        self.activity.add(start_of(minute), figures);
    }

    /// Takes addresses that are this host's, and how many connections match lists of indicators.
    pub fn add_known(&mut self, locals: &HashSet<IpAddr>, matching: &(u64, Matching)) {
        self.locals.extend(locals);
        self.indicators.add_counted(matching);
    }

    /// Takes a connection whose cells have been added: it may be one of those that are shown.
    pub fn offer(&mut self, run: i64, connection: Connection) {
        self.keeper.offer(run, connection);
    }

    /// The place of the connection's owner.
    pub(super) fn owner(&self, run: i64, connection: &Connection) -> Option<u32> {
        self.processes.find(&self.boots.of_run(run), connection.owner.as_ref()?.id)
    }

    /// Adds names of a remote address.
    pub fn add_names<'a>(&mut self, remote: u32, names: impl Iterator<Item = Untrusted<&'a str>>) {
        self.remotes.add_names(remote, names);
    }

    /// Counts so many connections that ended so.
    pub fn add_ended(&mut self, end: Option<End>, connections: u64) {
        *self.ends.row(end, |_| 0) += connections;
    }
}
