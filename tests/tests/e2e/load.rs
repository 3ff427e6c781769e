//! Many short connections at full rate.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::audit::Lost;
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::expected::Bytes;
use connmon_tests::harness::programs::{audit, export, in_vm, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::truth::{Process, Truth};

/// Storms are repeated this often if others used the network meanwhile.
const ATTEMPTS: usize = 3;

/// Connections of a storm.
fn size() -> u64 {
    if in_vm() { 5_000 } else { 100_000 }
}

/// A storm of short-lived processes; its truth lists every connection.
fn storm(connections: u64, processes: usize) -> Result<Vec<Truth>> {
    // A guest has two slow processors: with more tasks preempted in a probe than the probe has copies, calls are missed.
    let processes = if in_vm() { processes.min(8) } else { processes };
    let (connections, processes) = (connections.to_string(), processes.to_string());
    let processes = ["--processes", &processes, "--parallel", &processes];
    traffic_truth(&[&["storm", "--list", "--connections", &connections], processes.as_slice()].concat())
}

/// Nothing missing, nothing on the wrong process, all counters 0.
pub fn nothing_is_lost() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("load.db");
    let recorder = Recorder::start(&db, &[])?;
    let truths = storm(size(), 20)?;
    recorder.stop()?;
    if let Some(problems) = summary(&compare(&truths, &export(&db)?)) {
        bail!("{problems}");
    }
    let audit = audit(&db)?;
    audit.ensure_complete()?;
    let differences = audit.differences(&truths);
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// A recorder with too little room, and a storm that is too much for it.
struct Small {
    options: &'static [&'static str],
    connections: u64,
    processes: usize,
    paused: bool,
}

/// A ring of 4 KiB: what is missing is exactly what the counters say.
pub fn small_ring() -> Result<()> {
    let options = &["--ring-bytes", "4096"];
    Small { options, connections: size(), processes: 20, paused: false }.loss_is_counted()
}

/// Room for 64 connections, and up to 200 open: what is missing is exactly what the counters say.
pub fn small_maps() -> Result<()> {
    let options = &["--max-connections", "64"];
    Small { options, connections: size(), processes: 100, paused: false }.loss_is_counted()
}

/// A recorder that gets no time during the whole storm, and a ring of 4 KiB.
pub fn paused() -> Result<()> {
    let options = &["--ring-bytes", "4096"];
    Small { options, connections: 5_000, processes: 20, paused: true }.loss_is_counted()
}

impl Small {
    /// The counters are those of the whole machine: others must not use the network meanwhile.
    fn loss_is_counted(&self) -> Result<()> {
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            let before = opened()?;
            result = self.record();
            let others = opened()?.saturating_sub(before + self.connections);
            if result.is_ok() || others == 0 {
                break;
            }
            result = result.with_context(|| format!("others opened {others} connections meanwhile"));
        }
        result
    }

    fn record(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let db = folder.path().join("small.db");
        let recorder = Recorder::start(&db, self.options)?;
        recorder.pause(self.paused)?;
        let truths = storm(self.connections, self.processes)?;
        recorder.pause(false)?;
        recorder.stop()?;
        self.judge(&truths, &db)
    }

    fn judge(&self, truths: &[Truth], db: &Path) -> Result<()> {
        let processes = || truths.iter().flat_map(|truth| &truth.processes);
        let truth = sum(processes());
        ensure!(truth.connections == 2 * self.connections, "the storm was {} sockets", truth.connections);
        let pids = processes().map(|process| process.pid).collect();
        let recorded = recorded(&export(db)?, &pids)?;
        let lost = audit(db)?.lost().context("the counters")?;
        let accounted = Lost {
            connections: recorded.connections + lost.connections,
            bytes: (recorded.bytes.0 + lost.bytes.0, recorded.bytes.1 + lost.bytes.1),
        };
        ensure!(accounted == truth, "truth {truth:?}, recorded {recorded:?}, counted as lost {lost:?}");
        Ok(())
    }
}

/// What really happened, as if all of it was lost.
fn sum<'a>(processes: impl Iterator<Item = &'a Process>) -> Lost {
    let mut sum = Lost::default();
    for totals in processes.filter_map(|process| process.totals) {
        sum.connections += totals.connections;
        sum.bytes.0 += totals.tx_bytes;
        sum.bytes.1 += totals.rx_bytes;
    }
    sum
}

/// What is in the store, as if all of it was lost: bytes by process, and connections with their end.
///
/// A connection whose end was lost is one that the counters count; it must say that it is not exact.
fn recorded(records: &[Record], pids: &HashSet<u32>) -> Result<Lost> {
    let traffic = records.iter().flat_map(|record| &record.traffic).filter(|t| pids.contains(&t.pid));
    let bytes: Bytes = traffic.fold((0, 0), |sum, t| (sum.0 + t.tx_bytes, sum.1 + t.rx_bytes));
    let mut connections = 0;
    for record in records.iter().filter(|record| record.pid().is_some_and(|pid| pids.contains(&pid))) {
        ensure!(record.end.is_some() || !record.exact, "its end was lost, and it does not say so: {record}");
        connections += u64::from(record.end.is_some());
    }
    Ok(Lost { connections, bytes })
}

/// TCP connections that this machine has opened since it started.
fn opened() -> Result<u64> {
    let table = std::fs::read_to_string("/proc/net/snmp")?;
    let mut lines = table.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let mut columns = names.split(' ').zip(values.split(' '));
    let (_, opened) = columns.find(|(name, _)| *name == "ActiveOpens").context("/proc/net/snmp")?;
    Ok(opened.parse()?)
}
