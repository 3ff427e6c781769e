//! Storms of other kinds than connections one after the other: nothing is missing, and every counter of losses is zero but
//! for ends that the kernel showed to no probe, which the counter tells exactly.

use anyhow::{Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{audit, export, in_vm, traffic_truth};
use connmon_tests::harness::record::{Kernel, Record};
use connmon_tests::harness::recorder::Recorder;

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
