//! Storms of other kinds than connections one after the other: nothing is missing, and every counter of losses is zero but
//! for ends that the kernel showed to no probe, which the counter tells exactly.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use connmon_tests::harness::audit::Lost;
use connmon_tests::harness::programs::{audit, size, traffic_truth};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::{Host, pids};
use connmon_tests::truth::Truth;

use super::scenes::{Played, Recording};

/// A storm of which every connection is known.
pub fn listed(traffic: &[&str]) -> Result<Played> {
    let truths = traffic_truth(traffic)?;
    Ok(Played { truths, pids: Vec::new(), judge: Box::new(Recording::ensure_exact) })
}

/// Many connections open at the same time.
pub fn open() -> Result<Played> {
    listed(&["crowd", "open", &size(50_000, 2_000).to_string()])
}

/// One socket that talks to many remotes.
pub fn remotes() -> Result<Played> {
    listed(&["crowd", "spray", &size(20_000, 5_000).to_string()])
}

/// Many processes that make one connection each, and are gone.
pub fn processes() -> Result<Played> {
    let count = size(20_000, 200).to_string();
    listed(&["storm", "--list", "--connections", &count, "--processes", &count, "--parallel", "8"])
}

/// Connections as fast as the machine makes them, for about a minute in the long form.
pub fn churn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("churn.db");
    let recorder = Recorder::start(&db, &[])?;
    let truths = churning(size(600_000, 5_000))?;
    recorder.stop()?;
    accounted(&truths, &db)
}

/// The recorder gets no time for ten seconds, in which connections come and go, and goes on.
pub fn stopped() -> Result<()> {
    const LENGTH: Duration = Duration::from_secs(10);
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("stopped.db");
    let recorder = Recorder::start(&db, &[])?;
    let begin = Instant::now();
    recorder.pause(true)?;
    let truths = churning(size(100_000, 5_000))?;
    std::thread::sleep(LENGTH.saturating_sub(begin.elapsed()));
    recorder.pause(false)?;
    recorder.stop()?;
    accounted(&truths, &db)
}

fn churning(connections: u32) -> Result<Vec<Truth>> {
    let connections = &connections.to_string();
    traffic_truth(&["storm", "--netns", "--connections", connections, "--processes", "8", "--servers", "4"])
}

/// What is in the store and what the counters say is the truth, all of it.
fn accounted(truths: &[Truth], db: &Path) -> Result<()> {
    let audit = audit(db)?;
    let ours = pids(truths);
    let totals = truths.iter().flat_map(|truth| &truth.processes).filter_map(|process| process.totals);
    let truth = Lost::sum(totals.map(|totals| (totals.connections, totals.tx_bytes, totals.rx_bytes)));
    let rows = audit.processes.iter().filter(|row| ours.contains(&row.pid));
    let recorded = Lost::sum(rows.map(|row| (row.tcp.connections, row.tx_bytes, row.rx_bytes)));
    let lost = audit.lost()?;
    recorded.ensure_accounted(&lost, &truth, Host::of(&audit, truths))?;
    println!("storm: {} sockets, {} of them counted as lost", truth.connections, lost.connections);
    Ok(())
}
