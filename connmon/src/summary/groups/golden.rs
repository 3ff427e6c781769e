//! The contract of groups, `golden/cases.json`, as connections and what they add up to. The page's script reads the same file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::Figures;
use crate::model::{
    AddressKind, Connection, Direction, End, Endpoint, Facts, Process, ProcessId, Proto, STEP_NS, Share,
    Step, Timestamp,
};

/// The file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Golden {
    #[serde(rename = "about")]
    _about: String,
    processes: BTreeMap<String, Who>,
    rows: BTreeMap<String, Row>,
    pub(crate) all: Told,
    pub(crate) groups: BTreeMap<String, Vec<Told>>,
    /// Bytes by hour and process.
    pub(crate) hours: BTreeMap<String, BTreeMap<String, (u64, u64)>>,
}

/// What a group adds up to.
#[derive(Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    #[serde(default)]
    pub(crate) key: Option<String>,
    connections: u64,
    /// Of groups of processes: connections that their owners are in.
    #[serde(default)]
    pub(crate) owned: Option<u64>,
    failed: u64,
    inbound: u64,
    tx: u64,
    rx: u64,
}

impl Told {
    /// What figures tell.
    pub(crate) fn of(key: Option<&str>, figures: &Figures) -> Self {
        Self {
            key: key.map(str::to_owned),
            connections: figures.connections,
            owned: None,
            failed: figures.failed,
            inbound: figures.inbound,
            tx: figures.tx_bytes,
            rx: figures.rx_bytes,
        }
    }

    /// Whether connections of the owners in the group are told apart from those that it used.
    pub(crate) fn is_who(&self) -> bool {
        self.owned.is_some()
    }

    /// Connections where each counts once, and the group's bytes.
    pub(crate) fn owned(&self) -> (u64, u64, u64) {
        (self.owned.unwrap_or(self.connections), self.tx, self.rx)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Who {
    pid: u32,
    comm: String,
    exe: String,
    uid: u32,
    user: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    opened: String,
    proto: String,
    direction: String,
    end: Option<String>,
    remote: String,
    kind: String,
    port: u16,
    country: Option<String>,
    #[serde(default)]
    subflow: bool,
    owner: Option<String>,
    shares: Vec<Moved>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Moved {
    process: String,
    steps: Vec<(String, u64, u64)>,
}

impl Golden {
    /// Reads it.
    pub(crate) fn read() -> Self {
        serde_json::from_str(include_str!("golden/cases.json")).unwrap()
    }

    /// The groups of a name, without what only those of processes have.
    pub(crate) fn told(&self, name: &str) -> Vec<Told> {
        let plain = |of: &Told| Told { key: of.key.clone(), owned: None, ..*of };
        self.groups[name].iter().map(plain).collect()
    }

    /// What a process is called in the file.
    pub(crate) fn name(&self, process: &Process) -> String {
        let mut all = self.processes.iter();
        all.find(|(_, who)| who.pid == process.id.pid).unwrap().0.clone()
    }

    /// The connections.
    pub(crate) fn connections(&self) -> Vec<Connection> {
        let processes: BTreeMap<&str, Arc<Process>> =
            self.processes.iter().map(|(name, who)| (name.as_str(), Arc::new(who.process()))).collect();
        (1..).zip(self.rows.values()).map(|(id, row)| row.connection(id, &processes)).collect()
    }
}

impl Who {
    fn process(&self) -> Process {
        let Self { pid, comm, exe, uid, user } = self;
        Process {
            id: ProcessId { pid: *pid, start_ns: 1 },
            comm: comm.clone(),
            exe: exe.clone(),
            uid: *uid,
            user: user.clone(),
            ..Process::default()
        }
    }
}

impl Row {
    fn connection(&self, id: i64, processes: &BTreeMap<&str, Arc<Process>>) -> Connection {
        let time = |text: &str| Timestamp::parse(text, Timestamp(0)).unwrap();
        let remote = self.remote.parse().unwrap();
        assert_eq!(AddressKind::of(remote).name(), self.kind, "{remote}");
        let direction = Direction::from_name(&self.direction).unwrap();
        let [local, other] =
            if direction == Direction::In { [self.port, 50_000] } else { [50_000, self.port] };
        let opened = time(&self.opened);
        let end = self.end.as_deref().map(|end| End::from_name(end).unwrap());
        let mut connection = Connection {
            id,
            facts: Facts {
                proto: [Proto::TCP, Proto::UDP, Proto::MPTCP]
                    .into_iter()
                    .find(|p| p.name() == self.proto)
                    .unwrap(),
                direction,
                local: Endpoint::new("192.168.7.5".parse().unwrap(), local),
                remote: Endpoint::new(remote, other),
                opened,
                closed: end.map(|_| opened),
                end,
                subflow: self.subflow,
                ..Facts::default()
            },
            owner: self.owner.as_deref().map(|owner| processes[owner].clone()),
            country: self.country.clone(),
            ..Connection::default()
        };
        for (share, Moved { process, steps }) in self.shares.iter().enumerate() {
            let sum = |of: fn(&(String, u64, u64)) -> u64| steps.iter().map(of).sum();
            connection.traffic.push(Share {
                process: processes[process.as_str()].clone(),
                tx_bytes: sum(|step| step.1),
                rx_bytes: sum(|step| step.2),
                tx_calls: 1,
                rx_calls: 1,
            });
            connection.steps.extend(steps.iter().map(|(start, tx_bytes, rx_bytes)| Step {
                start: time(start),
                length: STEP_NS,
                share,
                tx_bytes: *tx_bytes,
                rx_bytes: *rx_bytes,
                tx_calls: 1,
                rx_calls: 1,
            }));
        }
        connection
    }
}
