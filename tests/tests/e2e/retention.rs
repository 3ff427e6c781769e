//! A recording that prunes what it has just recorded: the sums that stay are the truth.

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::groups::GroupKind;
use connmon_tests::harness::programs::{audit, connmon_prints, groups, path, traffic_truth};
use connmon_tests::harness::recorder::Recorder;

use super::faults::until;

/// Connections of one storm.
const STORM: u64 = 200;

/// Details go while it is recorded, and every byte stays in the sums, once.
pub fn sums_stay() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("a.db");
    let recorder = Recorder::start(&db, &["--max-age", "1s"])?;
    let storm = || {
        let count = STORM.to_string();
        traffic_truth(&["storm", "--list", "--connections", &count, "--processes", "10", "--parallel", "4"])
    };
    let mut truths = storm()?;
    let pruned = || -> Result<u64> {
        let completeness = audit(&db)?.completeness;
        Ok(completeness["pruned"]["connections"].as_u64().unwrap_or(0))
    };
    until("details to be pruned", || Ok(pruned()? >= STORM))?;
    // Processes and addresses of later connections may have been pruned with those of earlier ones.
    truths.extend(storm()?);
    until("more details to be pruned", || Ok(pruned()? >= 2 * STORM))?;
    recorder.stop()?;
    let by_exe = groups(&db, "exe")?;
    let differences = by_exe.differences(GroupKind::Exe, &truths, &[]);
    ensure!(differences.is_empty(), "{differences:#?}");
    for by in ["user", "country", "month", "day", "remote"] {
        let totals = groups(&db, by)?.totals;
        ensure!(totals.all == by_exe.totals.all, "by {by}: {:?}, by exe {:?}", totals.all, by_exe.totals.all);
    }
    connmon_prints(&["db", "check", "--db", path(&db)?]).context("afterwards")?;
    Ok(())
}
