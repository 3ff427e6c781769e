//! Faults of what a recorder writes to: the store, the capture file, standard error. None of them ends a recording, and nothing
//! is lost while there is memory.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::mounted::Mounted;
use connmon_tests::harness::programs::{
    audit, connmon, connmon_prints, connmon_program, export, path, traffic_truth,
};
use connmon_tests::harness::record::trailer;
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::ensure_exact;

/// How long something may take that takes a moment.
const LIMIT: Duration = Duration::from_secs(60);

/// A store that others lock, files that cannot grow, signals, and at last a store that is moved away.
pub fn store() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| folder.path().join(name);
    let (db, old, capture) = (file("a.db"), file("old.db"), file("capture"));
    let recorder = Recorder::start(&db, &["--capture", path(&capture)?])?;
    let mut truths = traffic_truth(&["case", "tcp-simple-v4"])?;

    let lock = write_lock(&db)?;
    truths.extend(traffic_truth(&["case", "tcp-many"])?);
    recorder.limit_files(Some(0))?;
    drop(lock);
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGVTALRM, libc::SIGIO] {
        recorder.signal(signal)?;
    }
    truths.extend(traffic_truth(&["case", "udp-many-remotes"])?);
    std::thread::sleep(Duration::from_secs(2));
    recorder.limit_files(None)?;
    until("the rows that waited", || Ok(summary(&compare(&truths, &export(&db)?)).is_none()))?;

    std::fs::rename(&db, &old)?;
    until("another store", || begun(&db))?;
    let later = traffic_truth(&["case", "tcp-simple-v4"])?;
    until("the rows of the other store", || Ok(summary(&compare(&later, &export(&db)?)).is_none()))?;

    let kept = file("kept.db");
    connmon_prints(&["db", "backup", path(&kept)?, "--db", path(&db)?])?;
    std::fs::remove_file(&db)?;
    until("a third store", || begun(&db))?;
    let last = traffic_truth(&["case", "udp-many-remotes"])?;
    let said = recorder.stop_by(libc::SIGHUP)?;
    for words in ["connmon will try again", "can be written again", "was moved to", "was deleted"] {
        ensure!(said.contains(words), "not said: {words}\n{said}");
    }
    for (store, truths) in [(&old, &truths), (&kept, &later), (&db, &last)] {
        if let Some(problems) = summary(&compare(truths, &export(store)?)) {
            bail!("{}: {problems}", store.display());
        }
        let audit = audit(store)?;
        ensure!(audit.gaps()?.is_empty(), "a gap in {}", store.display());
    }
    let replayed = file("replayed.db");
    connmon_prints(&["replay", path(&capture)?, "--db", path(&replayed)?])?;
    truths.extend(later);
    truths.extend(last);
    match summary(&compare(&truths, &export(&replayed)?)) {
        None => Ok(()),
        Some(problems) => bail!("replayed: {problems}"),
    }
}

/// A disk that answers each write with an error for some seconds: strace(1) puts EIO into the recorder's system calls. What was
/// recorded waits in memory, why is said once, and nothing is lost. What cannot be read is not called damaged.
pub fn io_errors() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("a.db");
    let recorder = Recorder::start(&db, &[])?;
    let mut truths = traffic_truth(&["case", "tcp-simple-v4"])?;
    let tracer = failing("pwrite64", "1+").args(["-p", &recorder.pid().to_string()]).spawn();
    let strace = Killed(tracer.context("strace")?);
    until("a tracer", || is_traced(recorder.pid()))?;
    truths.extend(traffic_truth(&["case", "tcp-many"])?);
    std::thread::sleep(Duration::from_secs(3));
    truths.extend(traffic_truth(&["case", "udp-many-remotes"])?);
    drop(strace);
    until("the rows that waited", || Ok(summary(&compare(&truths, &export(&db)?)).is_none()))?;
    let said = recorder.stop()?;
    for words in ["connmon will try again", "can be written again"] {
        ensure!(said.matches(words).count() == 1, "not said once: {words}\n{said}");
    }
    ensure!(said.contains("Input/output error") && !said.contains("damaged"), "{said}");
    let whole = audit(&db)?;
    ensure!(whole.gaps()?.is_empty(), "a gap");
    whole.ensure_nothing_lost_but(0)?;
    // A reader whose file the disk does not give back, from its first page on, and later.
    for nth in ["1+", "2+", "3+", "6+"] {
        let mut reader = failing("pread64", nth);
        let output = reader.arg(connmon_program()?).args(["audit", "--db", path(&db)?]).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{nth}: {}: {said}", output.status);
        ensure!(said.contains("Input/output error") && !said.contains("damaged"), "{nth}: {said}");
    }
    Ok(())
}

/// strace(1), which lets these calls of a system call fail with EIO.
fn failing(call: &str, when: &str) -> Command {
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error=EIO:when={when}"));
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
    strace
}

fn is_traced(pid: u32) -> Result<bool> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    Ok(status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0")))
}

/// A disk that is full: what was recorded waits in memory until there is room.
pub fn full() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let disk = Mounted::tmpfs(&folder.path().join("disk"), "size=800k")?;
    let db = folder.path().join("disk/a.db");
    let recorder = Recorder::start(&db, &["--no-socket"])?;
    let truths = traffic_truth(&["storm", "--list", "--connections", "4000", "--processes", "4"])?;
    // Longer than what was recorded is kept back.
    std::thread::sleep(Duration::from_secs(3));
    disk.change("size=100m")?;
    let said = recorder.stop()?;
    ensure!(said.contains("the disk is full"), "never full: {said}");
    ensure_exact(&truths, &db)
}

/// A standard error that nobody reads, and one whose reader has gone.
pub fn stderr() -> Result<()> {
    let folder = tempfile::tempdir()?;
    for (name, gone) in [("full.db", false), ("gone.db", true)] {
        let db = folder.path().join(name);
        let (reader, mut writer) = std::io::pipe()?;
        // It is full before the recorder says a word.
        nonblocking(&writer, true)?;
        while writer.write(&[b'x'; 4096]).is_ok() {}
        nonblocking(&writer, false)?;
        let reader = (!gone).then_some(reader);
        let mut command = Command::new(connmon_program()?);
        command.args(["-vv", "record", "--no-socket", "--db", path(&db)?]);
        let mut recorder = Killed(command.stdin(Stdio::null()).stderr(writer).spawn()?);
        // What is stored first is stored when the probes are attached.
        until("a recording", || begun(&db))?;
        let truths = traffic_truth(&["case", "tcp-simple-v4"])?;
        // SAFETY: our own child, which is not waited for yet.
        unsafe { libc::kill(libc::pid_t::try_from(recorder.0.id())?, libc::SIGTERM) };
        let mut status = None;
        until("its end", || {
            status = recorder.0.try_wait()?;
            Ok(status.is_some())
        })?;
        ensure!(status.context("ended")?.success(), "{name}: {status:?}");
        if let Some(problems) = summary(&compare(&truths, &export(&db)?)) {
            bail!("{name}: {problems}");
        }
        drop(reader);
    }
    Ok(())
}

/// Limits under which nothing can be recorded: a sentence, not a panic.
pub fn limits() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("a.db");
    for limit in ["-n 8", "-n 40", "-v 100000"] {
        let script = format!("ulimit {limit} && exec \"$0\" record --for 1s --db \"$1\"");
        let output = Command::new("sh").args(["-c", &script]).arg(connmon_program()?).arg(&db).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code() == Some(2), "{limit}: {}: {said}", output.status);
        ensure!(said.lines().count() == 1 && said.contains("limited to"), "{limit}: {said}");
    }
    ensure!(!db.exists(), "a store was left behind");
    Ok(())
}

/// Neither process may open anything for a while: the kernel's maps are read through what is open, and nothing is missed.
pub fn descriptors() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("a.db");
    let recorder = Recorder::start(&db, &[])?;
    recorder.limit(libc::RLIMIT_NOFILE, Some(3))?;
    let mut truths = traffic_truth(&["case", "tcp-many"])?;
    let told = |truths: &[_]| Ok(summary(&compare(truths, &export(&db)?)).is_none());
    until("what was recorded with no descriptor left", || told(&truths))?;
    // Meanwhile all sockets are looked at for ends that no probe saw.
    std::thread::sleep(Duration::from_secs(11));
    truths.extend(traffic_truth(&["case", "tcp-simple-v4"])?);
    until("what was recorded later", || told(&truths))?;
    // To finish the store takes one.
    recorder.limit(libc::RLIMIT_NOFILE, None)?;
    let said = recorder.stop()?;
    ensure!(!said.contains("try again"), "{said}");
    if let Some(problems) = summary(&compare(&truths, &export(&db)?)) {
        anyhow::bail!("{problems}");
    }
    audit(&db)?.ensure_nothing_lost_but(0)
}

/// A child that ends with its owner.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Whether a store has a recording.
fn begun(db: &Path) -> Result<bool> {
    let export = connmon(&["export", "--format", "jsonl", "--db", path(db)?])?;
    Ok(trailer(&export.stdout).is_ok_and(|trailer| trailer.runs > 0))
}

/// Waits until something holds.
pub(super) fn until(what: &str, mut holds: impl FnMut() -> Result<bool>) -> Result<()> {
    let limit = Instant::now() + LIMIT;
    while !holds()? {
        ensure!(Instant::now() < limit, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// The lock that another program would have that writes: SQLite's byte for it (walformat.html, 2.3.1).
fn write_lock(db: &Path) -> Result<File> {
    let mut index = db.as_os_str().to_owned();
    index.push("-shm");
    let file = File::options().read(true).write(true).open(index)?;
    // SAFETY: all zero is a valid value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    (lock.l_type, lock.l_whence) = (libc::F_WRLCK as i16, libc::SEEK_SET as i16);
    (lock.l_start, lock.l_len) = (120, 1);
    until("the lock", || {
        // SAFETY: `lock` is valid for reading.
        Ok(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) } == 0)
    })?;
    Ok(file)
}

fn nonblocking(pipe: &impl AsRawFd, on: bool) -> Result<()> {
    let flags = if on { libc::O_NONBLOCK } else { 0 };
    // SAFETY: only sets flags.
    ensure!(unsafe { libc::fcntl(pipe.as_raw_fd(), libc::F_SETFL, flags) } == 0, "fcntl");
    Ok(())
}
