//! A recorder under measurement.

use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::Bench;
use crate::machine;
use crate::run::wait_until_recording;
use crate::sh;

/// A running `connmon record`.
pub struct Recorder(Child);

/// What it took.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// CPU seconds, user and system.
    pub cpu: f64,
    /// Resident size in KiB: the present one of a living process, the greatest of one that ended.
    pub peak_kib: u64,
}

impl Recorder {
    /// Starts it on a fresh store, and returns once it records.
    pub fn start(bench: &Bench, name: &str) -> Result<Self> {
        let mut record = Command::new(&bench.connmon);
        record.args(["record", "--db"]).arg(bench.db(name)?).args(&bench.options);
        let mut child = record.stderr(Stdio::piped()).spawn().context("cannot start the recorder")?;
        let said = child.stderr.take().context("its stderr is piped")?;
        wait_until_recording(said)?;
        Ok(Self(child))
    }

    /// What it has taken so far.
    pub fn now(&self) -> Result<Usage> {
        let (cpu, peak_kib) = machine::process(self.0.id())?;
        Ok(Usage { cpu, peak_kib })
    }

    /// The process that captures for it.
    pub fn keeper(&self) -> Result<u32> {
        let pid = self.0.id();
        let path = format!("/proc/{pid}/task/{pid}/children");
        let children = std::fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        children
            .split_whitespace()
            .next()
            .and_then(|first| first.parse().ok())
            .context("the recorder has no keeper")
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) -> Result<()> {
        let pid = self.0.id().to_string();
        sh::output(Command::new("kill").args([&format!("-{name}"), &pid])).map(drop)
    }

    /// Ends it in order, so that everything is stored, and tells what it took in all.
    pub fn stop(self) -> Result<Usage> {
        let pid = self.0.id();
        self.signal("INT")?;
        let mut status = 0;
        // SAFETY: rusage is plain integers, for which all-zero bytes are a value.
        let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are valid for writing; the child is waited for nowhere else.
        let waited = unsafe { libc::wait4(pid as libc::pid_t, &raw mut status, 0, &raw mut usage) };
        ensure!(waited == pid as libc::pid_t && status == 0, "the recorder failed ({status})");
        let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
        Ok(Usage {
            cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime),
            peak_kib: usage.ru_maxrss.unsigned_abs(),
        })
    }
}
