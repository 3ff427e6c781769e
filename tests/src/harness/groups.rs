//! connmon's `audit --by … --format json`: bytes per executable, port or remote address.
//!
//! Only TCP is compared: the sender of a datagram is not known to every backend.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result};
use serde::Deserialize;

use super::record::Record;
use super::text::same;
use crate::truth::{Connection, Direction, Process, Proto, Truth};

/// What connections are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKind {
    /// The executable.
    Exe,
    /// The port of the service.
    Port,
    /// The remote address.
    Remote,
}

impl GroupKind {
    /// The value of `--by`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exe => "exe",
            Self::Port => "port",
            Self::Remote => "remote",
        }
    }

    fn of_truth(self, process: &Process, connection: &Connection) -> String {
        match self {
            Self::Exe => process.exe.clone(),
            Self::Port => match connection.direction {
                Direction::In => connection.local.map_or(0, |local| local.port).to_string(),
                _ => connection.remote.port.to_string(),
            },
            Self::Remote => connection.remote.ip.to_string(),
        }
    }

    fn of_record(self, record: &Record, exe: Option<&str>) -> String {
        let (local, remote) = (record.local.port, record.remote.port);
        match (self, record.direction) {
            (Self::Exe, _) => exe.unwrap_or_default().to_owned(),
            (Self::Remote, _) => record.remote.ip.to_string(),
            (Self::Port, Direction::Out) => remote.to_string(),
            (Self::Port, Direction::In) => local.to_string(),
            (Self::Port, Direction::Unknown) => {
                [local, remote].into_iter().filter(|port| *port > 0).min().unwrap_or(0).to_string()
            }
        }
    }
}

/// The audit, as far as the tests look at it.
#[derive(Debug, Deserialize)]
pub struct Groups {
    /// What is asked for.
    pub by: String,
    /// Everything.
    pub totals: Split,
    /// The groups.
    pub groups: Vec<Group>,
}

/// One group.
#[derive(Debug, Deserialize)]
pub struct Group {
    /// What its connections have in common.
    pub key: String,
    /// What they moved.
    #[serde(flatten)]
    pub split: Split,
}

/// Figures of everything and of a part.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Split {
    /// Everything.
    #[serde(flatten)]
    pub all: ExpectedFigures,
    /// TCP alone.
    pub tcp: ExpectedFigures,
}

/// Connections and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct ExpectedFigures {
    /// Connections.
    pub connections: u64,
    /// Sent.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
}

impl ExpectedFigures {
    fn add(&mut self, connections: u64, tx: u64, rx: u64) {
        self.connections += connections;
        self.tx_bytes += tx;
        self.rx_bytes += rx;
    }
}

impl Groups {
    /// Reads what `connmon audit --by … --format json` printed.
    pub fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("not an audit")
    }

    /// Every group of the truth's whose figures differ, and the totals if the groups do not add up to them.
    ///
    /// Others may use the same ports and addresses: what `records` say of processes that are in no truth is added.
    pub fn differences(&self, by: GroupKind, truths: &[Truth], records: &[Record]) -> Vec<String> {
        let mut found: Vec<String> = self
            .expected(by, truths, records)
            .into_iter()
            .filter_map(|(key, expected)| {
                let mut audited = ExpectedFigures::default();
                for group in self.groups.iter().filter(|group| same(&key, &group.key)) {
                    let part = group.split.tcp;
                    audited.add(part.connections, part.tx_bytes, part.rx_bytes);
                }
                (audited != expected).then(|| format!("{key}: {expected:?}, audited {audited:?}"))
            })
            .collect();
        let mut sum = ExpectedFigures::default();
        for ExpectedFigures { connections, tx_bytes, rx_bytes } in
            self.groups.iter().map(|group| group.split.all)
        {
            sum.add(connections, tx_bytes, rx_bytes);
        }
        if sum != self.totals.all {
            found.push(format!("the groups add up to {sum:?}, the totals are {:?}", self.totals.all));
        }
        if self.by != by.name() {
            found.push(format!("asked by {}, answered by {}", by.name(), self.by));
        }
        found
    }

    fn expected(
        &self,
        by: GroupKind,
        truths: &[Truth],
        records: &[Record],
    ) -> BTreeMap<String, ExpectedFigures> {
        let mut expected: BTreeMap<String, ExpectedFigures> = BTreeMap::new();
        // What no process ever owned comes from the records, as everybody else's does.
        let processes =
            || truths.iter().flat_map(|truth| &truth.processes).filter(|process| process.pid != 0);
        for process in processes() {
            for connection in process.connections.iter().filter(|connection| connection.proto == Proto::Tcp) {
                let figures = expected.entry(by.of_truth(process, connection)).or_default();
                figures.add(u64::from(connection.owner), connection.tx_bytes, connection.rx_bytes);
            }
        }
        let ours: HashSet<u32> = processes().map(|process| process.pid).collect();
        let mut theirs = |record: &Record, exe: Option<&str>, connections, tx, rx| {
            let key = by.of_record(record, exe);
            if let Some(figures) = expected.iter_mut().find(|(known, _)| same(known, &key)) {
                figures.1.add(connections, tx, rx);
            }
        };
        for record in records.iter().filter(|record| record.proto == Proto::Tcp) {
            if record.pid().is_none_or(|pid| !ours.contains(&pid)) {
                let exe = record.process.as_ref().and_then(|process| process.exe.as_deref());
                theirs(record, exe, 1, 0, 0);
            }
            for traffic in record.traffic.iter().filter(|traffic| !ours.contains(&traffic.pid)) {
                theirs(record, traffic.exe.as_deref(), 0, traffic.tx_bytes, traffic.rx_bytes);
            }
        }
        expected
    }
}

/// Bytes that the cases received from this host itself: they passed the loopback interface at least once.
///
/// Cases that may have a network namespace of their own are left out: they move none.
pub fn received_over_loopback(truths: &[Truth]) -> u64 {
    let connections = truths.iter().flat_map(|truth| &truth.processes).flat_map(|p| &p.connections);
    connections.filter(|c| c.remote.ip.is_loopback()).map(|c| c.rx_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(tx: u64) -> Groups {
        let part = format!(r#"{{"connections":1,"tx_bytes":{tx},"rx_bytes":2}}"#);
        let split = format!(r#""connections":1,"tx_bytes":{tx},"rx_bytes":2,"tcp":{part},"udp":{part}"#);
        let json = format!(
            r#"{{"by":"port","totals":{{{split}}},"groups":[{{"key":"80",{split}}}],"completeness":{{}}}}"#
        );
        Groups::parse(json.as_bytes()).unwrap()
    }

    #[test]
    fn differences_are_noticed() {
        let (local, remote) = ("127.0.0.1:4000".parse().unwrap(), "127.0.0.1:80".parse().unwrap());
        let mut connection = Connection::new(Proto::Tcp, Direction::Out, Some(local), remote);
        (connection.tx_bytes, connection.rx_bytes) = (1, 2);
        let truth = Truth {
            case: "x".into(),
            phase: None,
            lossy: false,
            skipped: None,
            started: String::new(),
            ended: String::new(),
            processes: vec![Process { pid: 1, connections: vec![connection], ..Process::default() }],
        };
        assert_eq!(
            groups(1).differences(GroupKind::Port, std::slice::from_ref(&truth), &[]),
            Vec::<String>::new()
        );
        assert_eq!(groups(3).differences(GroupKind::Port, std::slice::from_ref(&truth), &[]).len(), 1);
        assert_eq!(groups(1).differences(GroupKind::Remote, &[truth], &[]).len(), 2);
    }
}
