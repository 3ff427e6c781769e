//! Builds a [`Summary`] from connections, one by one.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::findings::Watch;
use super::kept::Keeper;
use super::rows::{Figures, ProcessKey, ProcessRow, RemoteRow, ServiceRow, Totals};
use super::{Activity, Completeness, Indicators, OwnEnds, Selection, Summary, Window, service_of};
use crate::model::AddressKind;
use crate::model::{Connection, End, Process, ProcessId, Proto, Run, Timestamp};

/// At most so many other executables, or service ports, are listed in a row.
const FEW: usize = 8;

/// Takes the selected connections, in any number, and gives the summary.
pub struct Builder {
    pub(super) selection: Selection,
    pub(super) runs: Vec<Run>,
    pub(super) window: Option<Window>,
    boots: HashMap<i64, Arc<str>>,
    last_words: HashMap<i64, Timestamp>,
    pub(super) indicators: Indicators,
    pub(super) totals: Totals,
    pub(super) own: OwnEnds,
    pub(super) unowned: Figures,
    pub(super) activity: Activity,
    pub(super) keeper: Keeper,
    pub(super) watch: Watch,
    process_index: HashMap<ProcessKey, usize>,
    pub(super) processes: Vec<OpenProcess>,
    remote_index: HashMap<IpAddr, usize>,
    pub(super) remotes: Vec<OpenRemote>,
    pub(super) services: HashMap<(Proto, u16), ServiceRow>,
    pub(super) protocols: HashMap<Proto, Figures>,
    pub(super) ends: HashMap<Option<End>, u64>,
    pub(super) process_remote: HashSet<(usize, usize)>,
    service_process: HashSet<(Proto, u16, usize)>,
    service_remote: HashSet<(Proto, u16, usize)>,
}

/// A process row in the making; `newest` is the rank of the connection that `row.process` is from.
pub(super) struct OpenProcess {
    pub(super) row: ProcessRow,
    newest: (Timestamp, i64),
}

/// A remote row in the making; `newest` is the rank of the connection that `row.country` and `row.place` are from.
pub(super) struct OpenRemote {
    pub(super) row: RemoteRow,
    newest: (Timestamp, i64),
}

impl Builder {
    /// A builder for the connections of these recordings that fit the selection. At most `connection_cap` single
    /// connections are kept; the figures count all.
    pub fn new(mut runs: Vec<Run>, selection: Selection, connection_cap: usize) -> Self {
        runs.sort_by_key(|run| (run.started, run.id));
        let window = Window::of(&runs, &selection);
        Self {
            boots: runs.iter().map(|run| (run.id, Arc::from(run.boot_id.as_str()))).collect(),
            last_words: runs.iter().map(|run| (run.id, run.last_flush)).collect(),
            activity: Activity::new(window),
            keeper: Keeper::new(connection_cap),
            watch: Watch::default(),
            window,
            selection,
            indicators: Indicators::of(&runs),
            runs,
            totals: Totals::default(),
            own: OwnEnds::default(),
            unowned: Figures::default(),
            process_index: HashMap::new(),
            processes: Vec::new(),
            remote_index: HashMap::new(),
            remotes: Vec::new(),
            services: HashMap::new(),
            protocols: HashMap::new(),
            ends: HashMap::new(),
            process_remote: HashSet::new(),
            service_process: HashSet::new(),
            service_remote: HashSet::new(),
        }
    }

    /// Counts a connection of the recording `run`.
    pub fn add(&mut self, run: i64, connection: Connection) {
        let (tx, rx) = (connection.tx_bytes(), connection.rx_bytes());
        self.totals.figures.add(&connection, tx, rx);
        self.totals.preexisting += u64::from(connection.preexisting);
        self.totals.open += u64::from(connection.is_open());
        self.indicators.add(&connection);
        self.own.add(&connection);
        self.activity.add(&connection);
        self.protocols.entry(connection.proto).or_default().add(&connection, tx, rx);
        *self.ends.entry(connection.end).or_default() += 1;

        let service = (connection.proto, service_of(&connection).port);
        let row = self.services.entry(service).or_insert_with(|| ServiceRow {
            proto: service.0,
            port: service.1,
            figures: Figures::default(),
            processes: 0,
            remotes: 0,
        });
        row.figures.add(&connection, tx, rx);

        let remote = self.remote(&connection, service, tx, rx);
        if self.service_remote.insert((service.0, service.1, remote)) {
            row_of(&mut self.services, service).remotes += 1;
        }
        let users = self.users(run, &connection);
        if users.is_empty() {
            self.unowned.add(&connection, tx, rx);
        }
        for (process, tx, rx) in users {
            self.process(process, &connection, tx, rx);
            self.process_remote.insert((process, remote));
            if self.service_process.insert((service.0, service.1, process)) {
                row_of(&mut self.services, service).processes += 1;
            }
        }
        let until = connection.known_end().or_else(|| self.last_words.get(&run).copied());
        let lasted = until.unwrap_or(connection.opened).0.saturating_sub(connection.opened.0);
        self.watch.add(&connection, self.owner(run, &connection), lasted);
        self.keeper.add(run, connection);
    }

    /// The summary of everything added.
    pub fn finish(self) -> Summary {
        let completeness = Completeness::of(&self.runs, &self.selection);
        super::finish::finish(self, completeness)
    }

    /// The row of the connection's owner.
    pub(super) fn owner(&self, run: i64, connection: &Connection) -> Option<usize> {
        let id = connection.owner.as_ref()?.id;
        self.process_index.get(&self.key(run, id)).copied()
    }

    fn key(&self, run: i64, id: ProcessId) -> ProcessKey {
        let boot = self.boots.get(&run).cloned();
        ProcessKey { boot: boot.unwrap_or_else(|| Arc::from(format!("recording {run}").as_str())), id }
    }

    /// The processes that own or used a connection, each once, with their bytes.
    fn users(&mut self, run: i64, connection: &Connection) -> Vec<(usize, u64, u64)> {
        let mut users: Vec<(usize, u64, u64)> = Vec::with_capacity(connection.traffic.len() + 1);
        let shares = connection.traffic.iter().map(|share| (&share.process, share.tx_bytes, share.rx_bytes));
        for (process, tx, rx) in connection.owner.iter().map(|owner| (owner, 0, 0)).chain(shares) {
            let index = self.intern(run, connection, process);
            match users.iter_mut().find(|user| user.0 == index) {
                Some(user) => (user.1, user.2) = (user.1.saturating_add(tx), user.2.saturating_add(rx)),
                None => users.push((index, tx, rx)),
            }
        }
        users
    }

    /// The row of a process, as of its newest connection.
    fn intern(&mut self, run: i64, connection: &Connection, process: &Arc<Process>) -> usize {
        let key = self.key(run, process.id);
        let newest = (connection.opened, connection.id);
        let index = *self.process_index.entry(key).or_insert_with_key(|key| {
            let row = ProcessRow {
                key: key.clone(),
                process: process.clone(),
                other_exes: BTreeSet::new(),
                figures: Figures::default(),
                tcp: Figures::default(),
                udp: Figures::default(),
                remotes: 0,
                countries: 0,
                first_seen: connection.opened,
                last_seen: connection.opened,
            };
            self.processes.push(OpenProcess { row, newest });
            self.processes.len() - 1
        });
        let open = &mut self.processes[index];
        if open.row.process.exe != process.exe {
            let newer = newest >= open.newest;
            let other = if newer { &open.row.process.exe } else { &process.exe };
            insert_few(&mut open.row.other_exes, other.clone());
        }
        if newest >= open.newest {
            open.newest = newest;
            open.row.process = process.clone();
        }
        index
    }

    fn process(&mut self, index: usize, connection: &Connection, tx: u64, rx: u64) {
        let row = &mut self.processes[index].row;
        row.figures.add(connection, tx, rx);
        match connection.proto {
            Proto::TCP => row.tcp.add(connection, tx, rx),
            Proto::UDP => row.udp.add(connection, tx, rx),
            _ => {}
        }
        row.first_seen = row.first_seen.min(connection.opened);
        row.last_seen = row.last_seen.max(connection.known_end().unwrap_or(connection.opened));
    }

    fn remote(&mut self, connection: &Connection, service: (Proto, u16), tx: u64, rx: u64) -> usize {
        let ip = connection.remote.ip;
        let index = *self.remote_index.entry(ip).or_insert_with(|| {
            let row = RemoteRow {
                ip,
                kind: AddressKind::of(ip),
                names: BTreeSet::new(),
                country: None,
                place: None,
                figures: Figures::default(),
                processes: Vec::new(),
                services: BTreeSet::new(),
                first_seen: connection.opened,
                last_seen: connection.opened,
            };
            self.remotes.push(OpenRemote { row, newest: (Timestamp(i64::MIN), i64::MIN) });
            self.remotes.len() - 1
        });
        let open = &mut self.remotes[index];
        let newest = (connection.opened, connection.id);
        let known = connection.country.is_some() || connection.place.is_some();
        if open.row.kind == AddressKind::Public && known && newest >= open.newest {
            open.newest = newest;
            open.row.country.clone_from(&connection.country);
            open.row.place.clone_from(&connection.place);
        }
        open.row.figures.add(connection, tx, rx);
        let names = connection.names.iter().filter(|name| name.is_of_remote());
        names.for_each(|name| insert_few(&mut open.row.names, name.name.clone()));
        insert_few(&mut open.row.services, service);
        open.row.first_seen = open.row.first_seen.min(connection.opened);
        open.row.last_seen = open.row.last_seen.max(connection.known_end().unwrap_or(connection.opened));
        index
    }
}

fn row_of(services: &mut HashMap<(Proto, u16), ServiceRow>, service: (Proto, u16)) -> &mut ServiceRow {
    services.get_mut(&service).expect("`add` has made this row before")
}

/// Keeps the few lowest, so that the order of arrival does not matter.
fn insert_few<T: Ord>(set: &mut BTreeSet<T>, item: T) {
    set.insert(item);
    if set.len() > FEW {
        set.pop_last();
    }
}
