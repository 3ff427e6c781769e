//! The clock of the host is set while something is recorded. Only in a guest: the host's is not ours.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use connmon_tests::harness::programs::{connmon, export, path, traffic_truth};
use connmon_tests::harness::recorder::Recorder;

/// And a bit, for what the call itself takes.
const HOUR: i64 = 3_630;

/// Sets the clock forward for as long as it lives.
struct Forward;

impl Forward {
    fn new() -> Result<Self> {
        set_by(HOUR)?;
        Ok(Self)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        set_by(-HOUR).expect("the clock was set before");
    }
}

fn set_by(seconds: i64) -> Result<()> {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(libc::CLOCK_REALTIME, &raw mut time) };
    time.tv_sec += seconds;
    // SAFETY: `time` is valid for reading.
    let done = unsafe { libc::clock_settime(libc::CLOCK_REALTIME, &raw const time) };
    ensure!(done == 0, "clock_settime: {}", io::Error::last_os_error());
    Ok(())
}

/// The step is told when it happens, and by what is read from the store.
pub fn set() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("clock.db");
    let recorder = Recorder::start(&db, &[])?;
    traffic_truth(&["case", "tcp-many"])?;
    let forward = Forward::new()?;
    traffic_truth(&["case", "tcp-many"])?;
    let said = recorder.stop()?;
    drop(forward);
    ensure!(said.contains("the clock was set forward by 1\u{a0}h 00\u{a0}min"), "it says {said}");
    let prints = |command: &[&str]| -> Result<String> {
        let output = connmon(&[command, &["--db", path(&db)?]].concat())?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let audit = prints(&["audit"])?;
    ensure!(audit.contains("This record is complete. The clock of this host was set forward"), "{audit}");
    let id = export(&db)?
        .first()
        .map(|record| record.id.to_string().trim_matches('"').to_owned())
        .unwrap_or_default();
    let show = prints(&["show", &id])?;
    ensure!(show.contains("its times are by the clock as it was at the time"), "{show}");
    // What came after the clock was set is an hour later, and what was sent in each hour is all there is.
    let hours = prints(&["audit", "--by", "hour", "--format", "csv"])?;
    ensure!(hours.lines().count() > 2, "the connections are of two hours: {hours}");
    let verified = connmon(&["verify", path(&db)?])?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    let json = prints(&["report", "--format", "json", "--out", "-"])?;
    ensure!(json.contains("\"clock_steps\": [") && !json.contains("\"clock_steps\": []"), "{json}");
    Ok(())
}

/// The clock of a host that has none while it is off is set while a recording goes on: all its times are right afterwards.
pub fn unset() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("unset.db");
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let back = i64::try_from(since_1970)? - 1_000_000;
    set_by(-back)?;
    let recorded = begun(&db);
    set_by(back)?;
    let recorder = recorded?;
    traffic_truth(&["case", "tcp-many"])?;
    let said = recorder.stop()?;
    ensure!(said.contains("the times of this recording are corrected by it"), "it says {said}");
    let records = export(&db)?;
    // RFC 3339, of which the year comes first.
    let early = records.iter().find(|record| record.opened.as_str() < "2026");
    ensure!(!records.is_empty() && early.is_none(), "opened at {:?}", early.map(|record| &record.opened));
    let verified = connmon(&["verify", path(&db)?])?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}

/// A recording that has recorded something.
fn begun(db: &Path) -> Result<Recorder> {
    let recorder = Recorder::start(db, &[])?;
    traffic_truth(&["case", "tcp-many"])?;
    Ok(recorder)
}
