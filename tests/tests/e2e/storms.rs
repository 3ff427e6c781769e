//! Storms of other kinds than connections one after the other: nothing is missing, and every counter of losses is zero.

use anyhow::{Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{audit, export, in_vm, traffic_truth};
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
    if let Some(problems) = summary(&compare(&truths, &export(&db)?)) {
        bail!("{problems}");
    }
    let audit = audit(&db)?;
    audit.ensure_complete()?;
    let differences = audit.differences(&truths);
    ensure!(differences.is_empty(), "{}", differences.join("\n"));
    Ok(())
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
