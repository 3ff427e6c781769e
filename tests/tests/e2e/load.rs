//! Many short connections at full rate.

use std::collections::HashSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::audit::Lost;
use connmon_tests::harness::expected::Bytes;
use connmon_tests::harness::programs::{audit, export, in_vm, size, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::{Host, pids};
use connmon_tests::truth::{Process, Truth};

use super::scenes::Played;
use super::storms::listed;

/// Connections of a storm.
fn connections() -> u64 {
    size(100_000, 5_000).into()
}

/// A storm of short-lived processes; its truth lists every connection.
fn storm(connections: u64, processes: usize) -> Vec<String> {
    // A guest has two slow processors: with more tasks preempted in a probe than the probe has copies, calls are missed.
    let processes = if in_vm() { processes.min(8) } else { processes };
    let (connections, processes) = (connections.to_string(), processes.to_string());
    let words = ["storm", "--list", "--connections", &connections, "--processes", &processes, "--parallel"];
    words.into_iter().chain([processes.as_str()]).map(str::to_owned).collect()
}

/// Nothing missing, nothing on the wrong process, all counters 0.
pub fn nothing_is_lost() -> Result<Played> {
    listed(&borrowed(&storm(connections(), 20)))
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
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
    Small { options, connections: connections(), processes: 20, paused: false }.loss_is_counted()
}

/// Room for 64 connections, and up to 200 open of one user: what is not recorded one by one is exactly what the counters say.
pub fn small_maps() -> Result<()> {
    let options = &["--max-connections", "64"];
    Small { options, connections: connections(), processes: 100, paused: false }.loss_is_counted()
}

/// A recorder that gets no time during the whole storm, and a ring of 4 KiB.
pub fn paused() -> Result<()> {
    let options = &["--ring-bytes", "4096"];
    Small { options, connections: 5_000, processes: 20, paused: true }.loss_is_counted()
}

impl Small {
    fn loss_is_counted(&self) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let db = folder.path().join("small.db");
        let recorder = Recorder::start(&db, self.options)?;
        recorder.pause(self.paused)?;
        let truths = traffic_truth(&borrowed(&storm(self.connections, self.processes)))?;
        recorder.pause(false)?;
        recorder.stop()?;
        self.judge(&truths, &db)
    }

    fn judge(&self, truths: &[Truth], db: &Path) -> Result<()> {
        let processes = || truths.iter().flat_map(|truth| &truth.processes);
        let truth = sum(processes());
        ensure!(truth.connections == 2 * self.connections, "the storm was {} sockets", truth.connections);
        let recorded = recorded(&export(db)?, &pids(truths))?;
        let audit = audit(db)?;
        recorded.ensure_accounted(&audit.lost().context("the counters")?, &truth, Host::of(&audit, truths))
    }
}

/// What really happened, as if all of it was lost.
fn sum<'a>(processes: impl Iterator<Item = &'a Process>) -> Lost {
    let totals = processes.filter_map(|process| process.totals);
    Lost::sum(totals.map(|totals| (totals.connections, totals.tx_bytes, totals.rx_bytes)))
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
        connections += u64::from(record.end.is_some() && !record.stands_for_many());
    }
    Ok(Lost { connections, bytes })
}
