//! What it costs to look: viewers while much happens, and the recorder with viewers that sleep.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::recorder::Recorder;
use super::work::Work;
use super::{Bench, sh};
use crate::machine::{self, median};

/// Connections a second: each is two of the record, its client's and its server's, each of which begins, is established and ends.
const RATE: u64 = 1_000;
const EVENTS: u64 = 6 * RATE;
const SECONDS: u64 = 60;

/// All of it.
pub fn run(bench: &Bench, pairs: usize) -> Result<()> {
    watched(bench, "terminal", terminal)?;
    watched(bench, "lines", lines)?;
    watched(bench, "page", page)?;
    sleepers(bench, pairs)
}

/// Measures a viewer while so many events a second happen.
fn watched(bench: &Bench, name: &str, start: impl FnOnce(&Bench, &Path) -> Result<Viewer>) -> Result<()> {
    let recorder = Recorder::start(bench, "live")?;
    let viewer = start(bench, &bench.dir.join("live.db"))?;
    std::thread::sleep(Duration::from_secs(3));
    let (before, recorded) = (machine::process(viewer.0.id())?, recorder.now()?);
    let connections = (RATE * SECONDS).to_string();
    let rate = RATE.to_string();
    let mut storm = Command::new(&bench.traffic);
    storm.args(["storm", "--netns", "--processes", "4", "--parallel", "4"]);
    sh::output(storm.args(["--rate", &rate, "--connections", &connections]))?;
    let (after, recorder_after) = (machine::process(viewer.0.id())?, recorder.now()?);
    let share = |cpu: f64| 100.0 * cpu / SECONDS as f64;
    println!(
        "live, {name}: {EVENTS} events/s for {SECONDS} s: {:.1} % of a core, {:.0} MiB; the recorder {:.1} %",
        share(after.0 - before.0),
        after.1 as f64 / 1024.0,
        share(recorder_after.cpu - recorded.cpu)
    );
    drop(viewer);
    recorder.stop().map(drop)
}

/// A viewer that ends with its measurement.
struct Viewer(Child);

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `connmon live` on a terminal of 120 columns and 40 lines.
fn terminal(bench: &Bench, db: &Path) -> Result<Viewer> {
    let (mut ours, mut theirs) = (0, 0);
    let mut size = libc::winsize { ws_row: 40, ws_col: 120, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the descriptors and the size are valid for writing and reading; name and settings may be null (openpty(3)).
    let made = unsafe {
        libc::openpty(
            &raw mut ours,
            &raw mut theirs,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw mut size,
        )
    };
    ensure!(made == 0, "there is no terminal: {}", std::io::Error::last_os_error());
    // SAFETY: both were just made and belong to nobody else.
    let (ours, theirs) = unsafe { (File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let child = Command::new(&bench.connmon)
        .args(["live", "--db"])
        .arg(db)
        .env("TERM", "xterm-256color")
        .stdin(theirs.try_clone()?)
        .stdout(theirs.try_clone()?)
        .stderr(theirs)
        .spawn()
        .context("cannot start connmon live")?;
    swallow(ours);
    Ok(Viewer(child))
}

/// `connmon live --scroll` into a pipe.
fn lines(bench: &Bench, db: &Path) -> Result<Viewer> {
    let mut live = Command::new(&bench.connmon);
    let mut child = live.args(["live", "--scroll", "--db"]).arg(db).stdout(Stdio::piped()).spawn()?;
    swallow(child.stdout.take().context("piped")?);
    Ok(Viewer(child))
}

/// `connmon serve`, and a browser that only listens.
fn page(bench: &Bench, db: &Path) -> Result<Viewer> {
    let mut serve = Command::new(&bench.connmon);
    let mut child = serve.args(["serve", "--db"]).arg(db).stdout(Stdio::piped()).spawn()?;
    let mut said = BufReader::new(child.stdout.take().context("piped")?);
    let viewer = Viewer(child);
    let mut url = String::new();
    while !url.contains("http://") {
        ensure!(said.read_line(&mut url)? > 0, "connmon serve named no address");
    }
    let at = url.split_once("http://").map(|(_, rest)| rest.trim()).context("no address")?;
    let (host, path) = at.split_once('/').context("no path")?;
    let ask = |path: &str, cookie: &str| -> Result<TcpStream> {
        let mut stream = TcpStream::connect(host)?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n{cookie}\r\n")?;
        Ok(stream)
    };
    let mut answer = BufReader::new(ask(&format!("/{path}"), "")?);
    let (mut line, mut cookie) = (String::new(), String::new());
    while answer.read_line(&mut line)? > 2 {
        if let Some(value) =
            line.to_ascii_lowercase().strip_prefix("set-cookie: ").and_then(|_| line.get(12..))
        {
            cookie = format!("Cookie: {}\r\n", value.split(';').next().unwrap_or_default().trim());
        }
        line.clear();
    }
    ensure!(!cookie.is_empty(), "connmon serve gave no cookie");
    swallow(ask("/events", &cookie)?);
    Ok(viewer)
}

/// Reads everything and keeps nothing.
fn swallow(mut from: impl Read + Send + 'static) {
    std::thread::spawn(move || std::io::copy(&mut from, &mut std::io::sink()));
}

/// A storm recorded with three viewers that never read, in pairs with one without viewers.
fn sleepers(bench: &Bench, pairs: usize) -> Result<()> {
    let work = Work::storm(100_000);
    let (mut ratios, mut cpu) = (Vec::new(), Vec::new());
    work.run(bench)?;
    let measure = |watched: bool| -> Result<(f64, f64)> {
        let recorder = Recorder::start(bench, "live")?;
        let socket = bench.dir.join("live.db.sock");
        let count = if watched { 3 } else { 0 };
        let sleepers = (0..count).map(|_| UnixStream::connect(&socket)).collect::<Result<Vec<_>, _>>()?;
        let sample = work.run(bench)?;
        let usage = recorder.stop()?;
        drop(sleepers);
        Ok((sample.rate(), usage.cpu))
    };
    for nth in 0..pairs {
        let (alone, watched) = match nth % 2 {
            0 => (measure(false)?, measure(true)?),
            _ => {
                let watched = measure(true)?;
                (measure(false)?, watched)
            }
        };
        ratios.push(watched.0 / alone.0);
        cpu.push(watched.1 / alone.1);
    }
    println!(
        "live, three viewers that sleep: storm {:.3} of that without, the recorder's CPU {:.3} (medians of {pairs} pairs)",
        median(&ratios),
        median(&cpu)
    );
    Ok(())
}
