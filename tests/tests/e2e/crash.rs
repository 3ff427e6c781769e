//! `kill -9` in the middle of a storm.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{audit, export, in_vm, traffic_program, traffic_truth};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;

/// A storm that goes on while the recorder dies.
struct Storm(Child);

impl Storm {
    fn start() -> Result<Self> {
        // More than it will have time for: rows are made when a processor is idle, or after some seconds.
        let (connections, processes) = ("1000000", if in_vm() { "8" } else { "20" });
        let mut command = Command::new(traffic_program()?);
        command.args(["storm", "--connections", connections, "--processes", processes]);
        Ok(Self(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?))
    }

    fn rages(&mut self) -> Result<bool> {
        Ok(self.0.try_wait()?.is_none())
    }
}

impl Drop for Storm {
    fn drop(&mut self) {
        let _ = self.0.kill(); // its processes die with it
        let _ = self.0.wait();
    }
}

/// Whatever was in the store stays there, and the next recording knows of the gap: once, or fifty times in the long form.
pub fn loses_only_the_last_moment() -> Result<()> {
    let times = if std::env::var_os("E2E_LONG").is_some() && !in_vm() { 50 } else { 1 };
    (1..=times).try_for_each(|nth| once().with_context(|| format!("crash {nth} of {times}")))
}

fn once() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("crash.db");
    let recorder = Recorder::start(&db, &[])?;
    let mut storm = Storm::start()?;
    let seen = first_records(&db, &mut storm)?;
    ensure!(storm.rages()?, "the storm was over too soon: this says nothing about a crash in mid-load");
    recorder.kill()?;
    drop(storm);

    still_there(&seen, &export(&db)?).context("after the crash")?;
    audit(&db).context("after the crash")?;

    let recorder = Recorder::start(&db, &[])?;
    let truths = traffic_truth(&["case", "tcp-simple-v4"])?;
    recorder.stop()?;
    let records = export(&db)?;
    still_there(&seen, &records).context("after the next recording")?;
    ensure!(!audit(&db)?.gaps()?.is_empty(), "the gap is not recorded");
    match summary(&compare(&truths, &records)) {
        None => Ok(()),
        Some(problems) => anyhow::bail!("the next recording: {problems}"),
    }
}

/// What the store holds as soon as there are some hundred connections.
fn first_records(db: &Path, storm: &mut Storm) -> Result<Vec<Record>> {
    let limit = Instant::now() + Duration::from_secs(60);
    loop {
        let records = export(db).context("while recording")?;
        if records.len() >= 500 {
            return Ok(records);
        }
        ensure!(storm.rages()? && Instant::now() < limit, "only {} records were committed", records.len());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn still_there(seen: &[Record], now: &[Record]) -> Result<()> {
    let now: HashMap<String, &Record> = now.iter().map(|record| (record.id.to_string(), record)).collect();
    for record in seen {
        let found = now.get(&record.id.to_string()).with_context(|| format!("lost: {record}"))?;
        let owner = record.pid().is_none() || record.pid() == found.pid(); // an accepted one learns it later
        let local = record.local.port == 0 || found.local == record.local; // it is chosen while connecting
        let same = owner && local && found.remote == record.remote;
        ensure!(same, "changed: {record} to {found}");
        ensure!(
            found.tx_bytes >= record.tx_bytes && found.rx_bytes >= record.rx_bytes,
            "{record} shrank to {found}"
        );
    }
    Ok(())
}
