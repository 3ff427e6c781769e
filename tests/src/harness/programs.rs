//! The two programs under test, and how they are called.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use anyhow::{Context, Result, bail, ensure};

use super::audit::Audit;
use super::groups::Groups;
use super::record::{self, Record};
use crate::stage::NOTE;
pub use crate::sys::in_vm;
use crate::truth::Truth;

/// How often each case is played (`ZOO_TIMES`).
pub fn times() -> Result<usize> {
    match std::env::var("ZOO_TIMES") {
        Ok(times) => times.parse().with_context(|| format!("ZOO_TIMES: {times}")),
        Err(_) => Ok(1),
    }
}

/// So many on this host or in a guest, a third of it unless the long form is asked for (`E2E_LONG`).
pub fn size(host: u32, guest: u32) -> u32 {
    let whole = if in_vm() { guest } else { host };
    if std::env::var_os("E2E_LONG").is_some() { whole } else { whole / 3 }
}

/// The generator.
pub fn traffic_program() -> Result<PathBuf> {
    program("TRAFFIC_BIN", "traffic")
}

/// The recorder.
pub fn connmon_program() -> Result<PathBuf> {
    program("CONNMON_BIN", "connmon")
}

/// From the environment, else from the folder that this test was built into.
fn program(variable: &str, name: &str) -> Result<PathBuf> {
    let path = match std::env::var_os(variable) {
        Some(path) => PathBuf::from(path),
        None => {
            let test = std::env::current_exe()?;
            let profile = test.parent().and_then(Path::parent).context("the test has no target folder")?;
            profile.join(name)
        }
    };
    ensure!(path.is_file(), "{} is missing: build it first, or set {variable}", path.display());
    Ok(path)
}

/// What `connmon ARGS` said and did.
pub fn connmon(args: &[&str]) -> Result<Output> {
    Command::new(connmon_program()?).args(args).stdin(Stdio::null()).output().context("cannot start connmon")
}

/// What a successful `connmon ARGS` printed.
pub fn connmon_prints(args: &[&str]) -> Result<Vec<u8>> {
    let output = connmon(args)?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        bail!("connmon {}: {}: {}", args.join(" "), output.status, stderr.trim());
    }
    Ok(output.stdout)
}

/// Every connection in a store.
pub fn export(db: &Path) -> Result<Vec<Record>> {
    record::parse(&connmon_prints(&["export", "--format", "jsonl", "--db", path(db)?])?)
}

/// The bytes per process in a store.
pub fn audit(db: &Path) -> Result<Audit> {
    Audit::parse(&connmon_prints(&["audit", "--format", "json", "--db", path(db)?])?)
}

/// The groups of an audit, such as `port`.
pub fn groups(db: &Path, by: &str) -> Result<Groups> {
    Groups::parse(&connmon_prints(&["audit", "--by", by, "--format", "json", "--db", path(db)?])?)
}

/// A path as an argument.
pub fn path(path: &Path) -> Result<&str> {
    path.to_str().context("a test's path is not UTF-8")
}

/// The truth of `traffic ARGS`, and what went wrong in words.
pub fn traffic(args: &[&str]) -> Result<(Vec<Truth>, String)> {
    traffic_by(&traffic_program()?, args)
}

/// The same of a generator in another place.
pub fn traffic_by(program: &Path, args: &[&str]) -> Result<(Vec<Truth>, String)> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    // A note is shown; everything else is a complaint.
    let (notes, complaints): (Vec<&str>, Vec<&str>) = stderr.lines().partition(|line| line.starts_with(NOTE));
    notes.iter().for_each(|note| eprintln!("{note}"));
    let stdout = String::from_utf8(output.stdout)?;
    let truths = stdout.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    Ok((truths, complaints.join("\n")))
}

/// The truth of `traffic ARGS`, all of which must succeed.
pub fn traffic_truth(args: &[&str]) -> Result<Vec<Truth>> {
    let (truths, stderr) = traffic(args)?;
    ensure!(stderr.is_empty(), "{}", stderr.trim());
    Ok(truths)
}

/// A case that waits in the middle until it is released.
pub struct Held {
    child: Child,
    stdout: std::io::BufReader<std::process::ChildStdout>,
}

impl Held {
    /// Starts it and returns the truth up to the wait.
    pub fn start(id: &str) -> Result<(Self, Truth)> {
        let mut command = Command::new(traffic_program()?);
        command.args(["case", id, "--hold"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let stdout = std::io::BufReader::new(child.stdout.take().context("piped")?);
        let mut held = Self { child, stdout };
        let truth = held.next_truth()?;
        Ok((held, truth))
    }

    /// Lets it go on; the truth about the rest.
    pub fn release(mut self) -> Result<Truth> {
        self.child.stdin.take().context("piped")?.write_all(b"\n")?;
        let truth = self.next_truth()?;
        ensure!(self.child.wait()?.success(), "the generator failed");
        Ok(truth)
    }

    fn next_truth(&mut self) -> Result<Truth> {
        let mut line = String::new();
        std::io::BufRead::read_line(&mut self.stdout, &mut line)?;
        serde_json::from_str(&line).context("the generator printed no truth")
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
