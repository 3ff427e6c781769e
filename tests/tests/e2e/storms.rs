//! Storms of other kinds than connections one after the other: nothing is missing, and every counter of losses is zero but
//! for ends that the kernel showed to no probe, which the counter tells exactly.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{audit, export, in_vm, traffic_truth};
use connmon_tests::harness::record::{Kernel, Record};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::truth::Truth;

/// So many on the host, or in a guest.
fn size(host: u32, guest: u32) -> String {
    if in_vm() { guest } else { host }.to_string()
}

fn complete(traffic: &[&str]) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("storm.db");
    let recorder = Recorder::start(&db, &[])?;
    let truths = traffic_truth(traffic)?;
    recorder.stop()?;
    let mut records = export(&db)?;
    let unseen = settle_unseen(&mut records);
    if let Some(problems) = summary(&compare(&truths, &records)) {
        bail!("{problems}");
    }
    let audit = audit(&db)?;
    audit.ensure_complete_but(unseen)?;
    let differences = audit.differences(&truths);
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
}

/// Gives records of connections whose end was not seen what they lack: the reason, and the kernel's totals. Their number.
fn settle_unseen(records: &mut [Record]) -> u64 {
    let mut count = 0;
    for record in records.iter_mut().filter(|record| record.end.as_deref() == Some("unseen")) {
        record.end = Some("fin".into());
        record.kernel = Some(Kernel { tx_bytes: record.tx_bytes, rx_bytes: record.rx_bytes, retransmits: 0 });
        count += 1;
    }
    count
}

/// Many connections open at the same time.
pub fn open() -> Result<()> {
    complete(&["crowd", "open", &size(50_000, 2_000)])
}

/// One socket that talks to many remotes.
pub fn remotes() -> Result<()> {
    complete(&["crowd", "spray", &size(100_000, 10_000)])
}

/// Many processes that make one connection each, and are gone.
pub fn processes() -> Result<()> {
    let count = size(20_000, 200);
    complete(&["storm", "--list", "--connections", &count, "--processes", &count, "--parallel", "8"])
}

/// Connections as fast as the machine makes them, for about a minute on the host.
pub fn churn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("churn.db");
    let recorder = Recorder::start(&db, &[])?;
    let truths = churning(&size(600_000, 5_000))?;
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
    let truths = churning(&size(100_000, 5_000))?;
    std::thread::sleep(LENGTH.saturating_sub(begin.elapsed()));
    recorder.pause(false)?;
    recorder.stop()?;
    accounted(&truths, &db)
}

fn churning(connections: &str) -> Result<Vec<Truth>> {
    traffic_truth(&["storm", "--netns", "--connections", connections, "--processes", "8", "--servers", "4"])
}

/// What is in the store and what the counters say is the truth, all of it.
fn accounted(truths: &[Truth], db: &Path) -> Result<()> {
    let audit = audit(db)?;
    let lost = audit.lost()?;
    let mut sums = [(0, 0, 0); 2];
    let [truth, recorded] = &mut sums;
    let mut pids = HashSet::new();
    for process in truths.iter().flat_map(|truth| &truth.processes) {
        pids.insert(process.pid);
        if let Some(totals) = process.totals {
            add(truth, totals.connections, totals.tx_bytes, totals.rx_bytes);
        }
    }
    for row in audit.processes.iter().filter(|row| pids.contains(&row.pid)) {
        add(recorded, row.tcp.connections, row.tx_bytes, row.rx_bytes);
    }
    let told = *recorded;
    add(recorded, lost.connections, lost.bytes.0, lost.bytes.1);
    ensure!(
        recorded == truth,
        "connections and bytes: {truth:?}, recorded {told:?}, counted as lost {lost:?}"
    );
    println!("storm: {} sockets, {} of them counted as lost", truth.0, lost.connections);
    Ok(())
}

fn add(sum: &mut (u64, u64, u64), connections: u64, tx: u64, rx: u64) {
    *sum = (sum.0 + connections, sum.1 + tx, sum.2 + rx);
}
