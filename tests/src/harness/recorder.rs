//! A running `connmon record`.

use std::io::{BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::programs::{connmon_program, in_vm, path};

/// Loading takes its time in a virtual machine.
const START: Duration = Duration::from_secs(600);
/// So does the final sweep after a storm.
const STOP: Duration = Duration::from_secs(300);

static COUNT: AtomicU64 = AtomicU64::new(0);
static MICROS: AtomicU64 = AtomicU64::new(0);

/// Recorders that this program started, and the time that they took to get ready.
#[derive(Clone, Copy, Debug)]
pub struct Starts {
    /// How many.
    pub count: u64,
    /// All of them together.
    pub time: Duration,
}

impl std::ops::Sub for Starts {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self { count: self.count - before.count, time: self.time - before.time }
    }
}

/// The starts so far.
pub fn starts() -> Starts {
    let time = Duration::from_micros(MICROS.load(Ordering::Relaxed));
    Starts { count: COUNT.load(Ordering::Relaxed), time }
}

/// A recorder that has its probes attached.
pub struct Recorder {
    child: Child,
    stderr: Option<JoinHandle<()>>,
    /// What it has said so far.
    text: Arc<Mutex<String>>,
}

impl Recorder {
    /// Starts to record into `db` and waits until nothing can be missed any more.
    pub fn start(db: &Path, options: &[&str]) -> Result<Self> {
        Self::start_by(&[path(&connmon_program()?)?], &[], db, options)
    }

    /// The same by a command that ends in a recorder, with more in its environment.
    pub fn start_by(
        begin: &[&str],
        environment: &[(&str, String)],
        db: &Path,
        options: &[&str],
    ) -> Result<Self> {
        let backend = std::env::var("CONNMON_BACKEND").unwrap_or_else(|_| "auto".into());
        let (program, before) = begin.split_first().context("no command")?;
        let mut command = Command::new(program);
        command.args(before).envs(environment.iter().map(|(name, value)| (name, value)));
        command.args(["record", "--db", path(db)?, "--backend", &backend]).args(options);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().context("cannot start connmon")?;
        let stderr = child.stderr.take().context("piped")?;
        let (tell, told) = channel();
        let text = Arc::new(Mutex::new(String::new()));
        let said = Arc::clone(&text);
        let stderr = std::thread::spawn(move || {
            for line in lines(stderr) {
                if line.starts_with("recording") {
                    let _ = tell.send(()); // only the first is waited for
                }
                let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
                *said += &line;
                said.push('\n');
            }
        });
        let mut recorder = Self { child, stderr: Some(stderr), text };
        let began = Instant::now();
        recorder.wait_for(&told)?;
        COUNT.fetch_add(1, Ordering::Relaxed);
        MICROS.fetch_add(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        Ok(recorder)
    }

    fn wait_for(&mut self, told: &Receiver<()>) -> Result<()> {
        const OFTEN: Duration = Duration::from_secs(60);
        for minute in 1..=START.as_secs().div_ceil(OFTEN.as_secs()) {
            match told.recv_timeout(OFTEN) {
                Ok(()) => return Ok(()),
                Err(RecvTimeoutError::Disconnected) => break,
                // A guest that says nothing for long is taken for hung.
                Err(RecvTimeoutError::Timeout) if in_vm() => {
                    println!("the recorder has begun {minute} min ago")
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
        let _ = self.child.kill();
        bail!("connmon never said `recording`: {}", self.stderr_text()?.trim())
    }

    /// Everything on its standard error, once it has ended.
    fn stderr_text(&mut self) -> Result<String> {
        let stderr = self.stderr.take().context("asked twice")?;
        stderr.join().ok().context("the reader panicked")?;
        Ok(self.text.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Waits until it has said something.
    pub fn wait_until_said(&self, words: &str) -> Result<()> {
        let limit = Instant::now() + STOP;
        while !self.text.lock().unwrap_or_else(PoisonError::into_inner).contains(words) {
            ensure!(Instant::now() < limit, "it never says {words:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The first line that begins so, once it has been said.
    pub fn wait_for_line(&self, begin: &str) -> Result<String> {
        self.wait_until_said(begin)?;
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(text
            .lines()
            .find(|line| line.starts_with(begin))
            .context("not at the start of a line")?
            .to_owned())
    }

    /// Ends it as Ctrl-C does; its standard error.
    pub fn stop(self) -> Result<String> {
        self.stop_by(libc::SIGINT)
    }

    /// Ends it by a signal; its standard error.
    pub fn stop_by(self, signal: libc::c_int) -> Result<String> {
        self.signal(signal)?;
        self.wait()
    }

    /// Waits for its end; its standard error.
    pub fn wait(mut self) -> Result<String> {
        let limit = Instant::now() + STOP;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > limit => bail!("connmon does not end"),
                None => std::thread::sleep(Duration::from_millis(5)),
            }
        };
        let said = self.stderr_text()?;
        ensure!(status.success(), "connmon record: {status}: {}", said.trim());
        Ok(said)
    }

    /// Stops it in its tracks, or lets it go on.
    pub fn pause(&self, paused: bool) -> Result<()> {
        send(self.pid(), pausing(paused))
    }

    /// Stops the process that reads the kernel's buffers, or lets it go on.
    pub fn pause_keeper(&self, paused: bool) -> Result<()> {
        send(self.keeper()?, pausing(paused))
    }

    /// Ends it as a power loss would.
    pub fn kill(mut self) -> Result<()> {
        self.signal(libc::SIGKILL)?;
        self.child.wait()?;
        Ok(())
    }

    /// No file of it may grow beyond so many bytes, as if the disk were full; or any may.
    pub fn limit_files(&self, bytes: Option<u64>) -> Result<()> {
        self.limit(libc::RLIMIT_FSIZE, bytes)
    }

    /// Neither of its processes has more than so many of something; or each has as many as there are.
    pub fn limit(&self, resource: libc::__rlimit_resource_t, most: Option<u64>) -> Result<()> {
        [self.pid(), self.keeper()?].into_iter().try_for_each(|pid| limit(pid, resource, most))
    }

    /// The process that has rights.
    pub fn keeper(&self) -> Result<u32> {
        let pid = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
        let only = children.split_whitespace().next().context("the recorder has no keeper")?;
        Ok(only.parse()?)
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: libc::c_int) -> Result<()> {
        send(self.pid(), signal)
    }
}

/// Sends a signal to a recorder or its keeper.
fn send(pid: u32, signal: libc::c_int) -> Result<()> {
    let pid = libc::pid_t::try_from(pid)?;
    // SAFETY: our own child, which we have not waited for, or its child, which ends with it.
    ensure!(unsafe { libc::kill(pid, signal) } == 0, "connmon is gone already");
    Ok(())
}

/// What stops a process, or lets it go on.
fn pausing(paused: bool) -> libc::c_int {
    if paused { libc::SIGSTOP } else { libc::SIGCONT }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Lines as they come; a carriage return, as in a progress display, ends one too.
fn lines(stderr: impl Read) -> impl Iterator<Item = String> {
    let mut bytes = BufReader::new(stderr).bytes().map_while(Result::ok).peekable();
    std::iter::from_fn(move || {
        bytes.peek()?;
        let line: Vec<u8> = bytes.by_ref().take_while(|byte| !matches!(byte, b'\n' | b'\r')).collect();
        Some(String::from_utf8_lossy(&line).into_owned())
    })
}

fn limit(pid: u32, resource: libc::__rlimit_resource_t, most: Option<u64>) -> Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = libc::pid_t::try_from(pid)?;
    // SAFETY: `limit` is valid for writing, and no new one is given.
    let done = unsafe { libc::prlimit(pid, resource, std::ptr::null(), &raw mut limit) };
    ensure!(done == 0, "prlimit: {}", std::io::Error::last_os_error());
    limit.rlim_cur = most.unwrap_or(limit.rlim_max);
    // SAFETY: `limit` is valid for reading, and the old one is not asked for.
    let done = unsafe { libc::prlimit(pid, resource, &raw const limit, std::ptr::null_mut()) };
    ensure!(done == 0, "prlimit: {}", std::io::Error::last_os_error());
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_progress_display_has_lines_too() {
        let lines: Vec<_> = super::lines(&b"1 event\r2 events\rrecording with x\nend"[..]).collect();
        assert_eq!(lines, ["1 event", "2 events", "recording with x", "end"]);
    }
}
