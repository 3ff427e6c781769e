//! Recordings that begin and end while connections are being made: whatever says that it is exact equals the truth, what
//! lived wholly inside is there, and what went well is never told as failed.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, ensure};
use connmon_record::Timestamp;
use connmon_tests::harness::programs::{audit, connmon_program, export, in_vm};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::storm::edges::{ConnectionKey, Load, Made, NETWORK};

/// How long the load goes on between two steps.
fn pause() {
    std::thread::sleep(Duration::from_millis(if in_vm() { 1500 } else { 250 }));
}

/// When everything was recorded, for certain.
struct Inside {
    from: Instant,
    to: Instant,
}

/// Begins and ends of every kind under one load.
pub fn exact_or_labelled() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("edges.db");
    // An emulated processor that has nothing left takes minutes to attach the probes.
    let load = Load::start(Duration::from_micros(if in_vm() { 100_000 } else { 250 }))?;
    let mut inside = Vec::new();
    pause();
    record(&db, libc::SIGHUP, &mut inside)?;
    // Each start takes its time in a guest.
    if !in_vm() {
        Recorder::start(&db, &["--for", "1s"])?.wait()?;
        inside.push(killed(&db)?);
        record(&db, libc::SIGTERM, &mut inside)?;
    }
    let made = load.stop()?;
    let records = export(&db)?;
    let problems = problems(&made, &records, &inside);
    ensure!(
        problems.is_empty(),
        "{} problems, such as\n{}",
        problems.len(),
        problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n")
    );
    let unseen = records.iter().filter(|record| record.end.as_deref() == Some("unseen")).count();
    audit(&db)?.ensure_nothing_lost_but(unseen as u64)
}

/// A recorder that gets no time when a step of traffic begins: an answer with that bound says so, and one without it does not.
pub fn late() -> Result<()> {
    const STEP: u64 = 10;
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("late.db");
    let recorder = Recorder::start(&db, &[])?;
    recorder.pause_keeper(true)?;
    let paused = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    let bound = (paused / STEP + 1) * STEP;
    std::thread::sleep(Duration::from_secs(bound - paused + 1));
    recorder.pause_keeper(false)?;
    recorder.stop()?;
    let is_told = |since: u64| -> Result<bool> {
        let since = Timestamp(i64::try_from(since)? * 1_000_000_000).to_string();
        let mut audit = Command::new(connmon_program()?);
        let said = audit.args(["audit", "--explain", "--since", &since, "--db"]).arg(&db).output()?.stdout;
        Ok(String::from_utf8_lossy(&said).contains("read late"))
    };
    ensure!(is_told(bound)?, "a late reading was not told");
    ensure!(!is_told(bound - 6 * STEP)?, "it is told of a time with another bound");
    Ok(())
}

/// Records for a moment, in which signals come that end nothing.
fn record(db: &Path, end: libc::c_int, inside: &mut Vec<Inside>) -> Result<()> {
    let recorder = Recorder::start(db, &[])?;
    let from = Instant::now();
    recorder.signal(libc::SIGUSR1)?;
    recorder.signal(libc::SIGUSR2)?;
    pause();
    inside.push(Inside { from, to: Instant::now() });
    recorder.stop_by(end)?;
    Ok(())
}

/// Records until some is stored, and dies: what the store says that was recorded is there.
fn killed(db: &Path) -> Result<Inside> {
    let recorder = Recorder::start(db, &[])?;
    let from = Instant::now();
    let since = SystemTime::now();
    let limit = from + Duration::from_secs(60);
    while told_until(db)? <= since && Instant::now() < limit {
        pause();
    }
    recorder.kill()?;
    let to = Instant::now() - SystemTime::now().duration_since(told_until(db)?)?;
    ensure!(to > from, "nothing was stored before the recorder died");
    Ok(Inside { from, to })
}

/// The end of what the store says that was recorded.
fn told_until(db: &Path) -> Result<SystemTime> {
    let audit = audit(db)?;
    let last = audit.completeness["recorded"].as_array().and_then(|all| all.last());
    let to = last.and_then(|last| last["to"].as_str()).context("no recorded interval")?;
    let Timestamp(ns) = Timestamp::parse(to, Timestamp(0))?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_nanos(ns.unsigned_abs()))
}

fn problems(made: &HashMap<ConnectionKey, Made>, records: &[Record], inside: &[Inside]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut found: HashMap<ConnectionKey, Vec<&Record>> = HashMap::new();
    let ours = |record: &&Record| NETWORK.contains(&record.local.ip) || NETWORK.contains(&record.remote.ip);
    for record in records.iter().filter(ours) {
        let key = ConnectionKey::from_record(record);
        let Some(truth) = made.get(&key) else {
            // A recording may end before connect() has chosen a port, and begin between an address and its use.
            if record.exact || (record.local.port != 0 && record.remote.port != 0) {
                problems.push(format!("invented: {record}"));
            }
            continue;
        };
        if truth.again {
            continue;
        }
        let end = record.end.as_deref();
        if !matches!(end, None | Some("fin" | "unseen" | "closed" | "idle" | "recording-ended")) {
            problems.push(format!("it went well, and is told to have ended by {end:?}: {record}"));
        }
        if record.exact && (record.tx_bytes, record.rx_bytes) != (truth.tx, truth.rx) {
            problems
                .push(format!("exact, and wrong: {}/{} bytes is the truth of {record}", truth.tx, truth.rx));
        }
        found.entry(key).or_default().push(record);
    }
    let (mut whole, mut labelled) = (0, 0);
    for (key, truth) in made.iter().filter(|(_, truth)| !truth.again) {
        let records = found.get(key).map_or(&[][..], Vec::as_slice);
        labelled += records.iter().filter(|record| !record.exact).count();
        if !inside.iter().any(|inside| inside.from <= truth.begun && truth.ended <= inside.to) {
            continue;
        }
        whole += 1;
        match records {
            [record] if record.exact && !record.preexisting => {}
            // The kernel now and then shows an end to nobody.
            [record] if record.end.as_deref() == Some("unseen") => {}
            [record] => problems.push(format!(
                "it lived wholly inside, and is not exact ({:?}): {record}",
                record.inexact_reason
            )),
            [] => problems.push(format!("missing: {key:?} {truth:?}")),
            [first, ..] => problems.push(format!("{} records of one: {first}", records.len())),
        }
    }
    println!("edges: {} ends of connections, {whole} wholly inside, {labelled} labelled", made.len());
    if whole == 0 {
        problems.push("nothing lived wholly inside: this says nothing".into());
    }
    problems
}
