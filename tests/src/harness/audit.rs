//! connmon's `audit --format json`: bytes per process, and how complete the record is.

use std::collections::{BTreeMap, HashSet};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use serde_json::Value;

use super::expected::Bytes;
use super::host::Host;
use crate::truth::{Proto, Truth};

/// The audit, as far as the tests look at it.
#[derive(Debug, Deserialize)]
pub struct Audit {
    /// What was lost.
    pub completeness: Value,
    /// Bytes per process.
    pub processes: Vec<Row>,
    /// What the interfaces counted meanwhile.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
}

/// One interface.
#[derive(Debug, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Sent.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
}

/// One process.
#[derive(Debug, Deserialize)]
pub struct Row {
    /// PID.
    pub pid: u32,
    /// Sent.
    pub tx_bytes: u64,
    /// Received.
    pub rx_bytes: u64,
    /// TCP alone.
    pub tcp: Part,
}

/// The part of one protocol.
#[derive(Debug, Deserialize)]
pub struct Part {
    /// Connections.
    pub connections: u64,
}

/// What a recorder with maps too small says it has lost.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Connections that have no record of their own.
    pub connections: u64,
    /// Bytes, sent and received, that are on no process.
    pub bytes: Bytes,
}

impl Lost {
    /// The sum of connections, bytes sent and bytes received.
    pub fn sum(parts: impl Iterator<Item = (u64, u64, u64)>) -> Self {
        parts.fold(Self::default(), |sum, (connections, tx, rx)| Self {
            connections: sum.connections + connections,
            bytes: (sum.bytes.0 + tx, sum.bytes.1 + rx),
        })
    }

    /// Fails unless what was recorded and what was counted as lost are the truth together. What others lost is counted too: on a
    /// shared host what is missing is at most what was counted.
    ///
    /// # Errors
    /// Something is missing or invented.
    pub fn ensure_accounted(&self, lost: &Self, truth: &Self, host: Host) -> Result<()> {
        let fits = |recorded: u64, lost: u64, truth: u64| match host {
            Host::Alone => recorded + lost == truth,
            Host::Shared(_) => recorded <= truth && truth <= recorded + lost,
        };
        ensure!(
            fits(self.connections, lost.connections, truth.connections)
                && fits(self.bytes.0, lost.bytes.0, truth.bytes.0)
                && fits(self.bytes.1, lost.bytes.1, truth.bytes.1),
            "truth {truth:?}, recorded {self:?}, counted as lost {lost:?} ({host:?})"
        );
        Ok(())
    }
}

impl Audit {
    /// Reads what `connmon audit --format json` printed.
    pub fn parse(json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json).context("not an audit")
    }

    /// Fails unless nothing was lost; on a shared host losses may be of others.
    pub fn ensure_complete(&self, host: Host) -> Result<()> {
        if host.is_shared() { Ok(()) } else { self.ensure_complete_but(0) }
    }

    /// Fails unless nothing was lost, but so many ends of connections were not seen.
    pub fn ensure_complete_but(&self, unseen: u64) -> Result<()> {
        self.ensure_nothing_lost_but(unseen)?;
        let gaps = self.completeness.get("gaps");
        ensure!(
            gaps.is_none_or(|gaps| gaps.as_array().is_none_or(Vec::is_empty)),
            "there are gaps: {gaps:?}"
        );
        Ok(())
    }

    /// The same, where there may be gaps.
    pub fn ensure_nothing_lost_but(&self, unseen: u64) -> Result<()> {
        let counter = |name: &str| self.completeness.get(name);
        for name in ["lost_events", "unattributed_bytes", "map_full"] {
            let value = counter(name).with_context(|| format!("completeness.{name} is missing"))?;
            ensure!(total(value) == 0, "completeness.{name} is {value}");
        }
        let misses = counter("probe_misses").map_or(0, total);
        ensure!(misses == unseen, "completeness.probe_misses is {misses}, and {unseen} ends were not seen");
        for name in ["lost_connections", "lost_processes", "read_errors", "malformed", "aggregated_sockets"] {
            if let Some(value) = counter(name) {
                ensure!(total(value) == 0, "completeness.{name} is {value}");
            }
        }
        let reconciliation = counter("reconciliation").context("completeness.reconciliation is missing")?;
        let unexplained = reconciliation.get("unexplained").map_or(0, total);
        ensure!(
            unexplained == 0,
            "{unexplained} connections differ from the kernel's totals without a reason"
        );
        Ok(())
    }

    /// The only place that knows how the counters of loss are called.
    pub fn lost(&self) -> Result<Lost> {
        let counter = |name: &str| {
            self.completeness.get(name).with_context(|| format!("completeness.{name} is missing"))
        };
        let bytes = counter("unattributed_bytes")?;
        Ok(Lost {
            connections: total(counter("lost_connections")?) + total(counter("aggregated_sockets")?),
            bytes: (directed(bytes, "tx"), directed(bytes, "rx")),
        })
    }

    /// Fails unless the loopback interface carried so many bytes at least, and as many one way as the other.
    pub fn ensure_loopback_carried(&self, bytes: u64) -> Result<()> {
        let lo = self.interfaces.iter().find(|row| row.name == "lo").context("lo is missing")?;
        ensure!(lo.tx_bytes == lo.rx_bytes, "lo sent {} and received {}", lo.tx_bytes, lo.rx_bytes);
        ensure!(lo.rx_bytes >= bytes, "lo carried {} bytes, the applications {bytes}", lo.rx_bytes);
        Ok(())
    }

    /// The recorded gaps.
    pub fn gaps(&self) -> Result<&Vec<Value>> {
        self.completeness.get("gaps").and_then(Value::as_array).context("completeness.gaps is missing")
    }

    /// Every process whose bytes differ from the truth.
    pub fn differences(&self, truths: &[Truth]) -> Vec<String> {
        let mut truth: BTreeMap<u32, (Bytes, u64)> = BTreeMap::new();
        let mut borrowers = HashSet::new();
        let processes = truths.iter().flat_map(|truth| &truth.processes);
        for process in processes.filter(|process| process.known_pid().is_some()) {
            for connection in &process.connections {
                let ((tx, rx), owned) = truth.entry(process.pid).or_default();
                *tx += connection.tx_bytes;
                *rx += connection.rx_bytes;
                match (connection.proto, connection.owner) {
                    (Proto::Tcp, true) => *owned += 1,
                    (_, true) => {} // a flow without a known remote may count as one more
                    (_, false) => drop(borrowers.insert(process.pid)),
                }
            }
        }
        let mut audited: BTreeMap<u32, (Bytes, u64)> = BTreeMap::new();
        for row in &self.processes {
            let ((tx, rx), connections) = audited.entry(row.pid).or_default();
            *tx += row.tx_bytes;
            *rx += row.rx_bytes;
            *connections += row.tcp.connections;
        }
        let mut found = Vec::new();
        for (pid, (bytes, owned)) in truth {
            let (audited, connections) = audited.get(&pid).copied().unwrap_or_default();
            if audited != bytes {
                found.push(format!("PID {pid}: tx/rx {bytes:?}, audited {audited:?}"));
            }
            if connections != owned && !borrowers.contains(&pid) {
                found.push(format!("PID {pid}: {owned} TCP connections, audited {connections}"));
            }
        }
        found
    }
}

/// The sum of all numbers in a value.
fn total(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(u64::MAX),
        Value::Array(values) => values.iter().map(total).sum(),
        Value::Object(fields) => fields.values().map(total).sum(),
        _ => 0,
    }
}

/// The sum of all numbers under keys that begin with `direction`.
fn directed(value: &Value, direction: &str) -> u64 {
    let Value::Object(fields) = value else { return 0 };
    let part = |(key, value): (&String, &Value)| match key.starts_with(direction) {
        true => total(value),
        false => directed(value, direction),
    };
    fields.iter().map(part).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn audit(completeness: &str) -> Audit {
        Audit::parse(format!(r#"{{"completeness":{completeness},"processes":[]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn loss_is_noticed() {
        let clean = r#"{"lost_events":0,"unattributed_bytes":{"tcp":{"tx":0,"rx":0}},"map_full":0,"reconciliation":{}}"#;
        assert!(audit(clean).ensure_complete(Host::Alone).is_ok());
        assert!(audit(&clean.replace("\"rx\":0", "\"rx\":1")).ensure_complete(Host::Alone).is_err());
        assert!(
            audit(&clean.replace("\"lost_events\":0", "\"lost_events\":2"))
                .ensure_complete(Host::Alone)
                .is_err()
        );
        assert!(audit("{}").ensure_complete(Host::Alone).is_err());
        assert!(audit(&clean.replace("\"rx\":0", "\"rx\":1")).ensure_complete(Host::Shared(1)).is_ok());
    }

    #[test]
    fn what_others_lost_excuses_no_more_than_was_counted() {
        let part = |connections, tx| Lost { connections, bytes: (tx, 0) };
        let fits =
            |recorded: Lost, lost: Lost, host| recorded.ensure_accounted(&lost, &part(10, 100), host).is_ok();
        assert!(fits(part(8, 80), part(2, 20), Host::Alone));
        assert!(!fits(part(8, 80), part(3, 20), Host::Alone));
        assert!(fits(part(8, 80), part(3, 20), Host::Shared(5)));
        assert!(!fits(part(8, 80), part(1, 20), Host::Shared(5)));
        assert!(!fits(part(11, 80), part(1, 20), Host::Shared(5)));
    }

    #[test]
    fn loss_is_summed_by_direction() {
        let lost = audit(
            r#"{"lost_connections":3,"aggregated_sockets":0,"unattributed_bytes":{"tcp":{"tx":5,"rx":7},"udp":{"tx_bytes":1,"rx_bytes":0}}}"#,
        );
        assert_eq!(lost.lost().unwrap(), Lost { connections: 3, bytes: (6, 7) });
    }
}
