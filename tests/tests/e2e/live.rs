//! What viewers of a running recorder see is what its store has, and no viewer can harm it.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use connmon_tests::harness::compare::{compare, summary};
use connmon_tests::harness::programs::{
    audit, connmon, connmon_prints, connmon_program, export, path, size, traffic_truth,
};
use connmon_tests::harness::recorder::Recorder;
use connmon_tests::harness::whole::{Host, ensure_exact};
use serde_json::Value;

/// How long something may take that is bound to happen; loading probes in a virtual machine takes its time.
const LIMIT: Duration = Duration::from_secs(180);

/// A running `connmon live --scroll --format jsonl`.
struct Viewer {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

impl Viewer {
    /// Starts it, and waits until it shows what happens.
    fn start(args: &[&str]) -> Result<Self> {
        let mut command = Command::new(connmon_program()?);
        command.args(["live", "--scroll", "--format", "jsonl"]).args(args);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let stdout = child.stdout.take().context("piped")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&lines);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                sink.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let viewer = Self { child, lines, reader: Some(reader) };
        viewer.wait_for("anything", |_| knock().is_ok())?;
        Ok(viewer)
    }

    fn events(&self) -> Vec<Value> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        lines.iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits for an event that fits; `each` is asked before each look.
    fn wait_for(&self, what: &str, mut each: impl FnMut(&[Value]) -> bool) -> Result<()> {
        let limit = Instant::now() + LIMIT;
        while Instant::now() < limit {
            let before = self.events();
            if each(&before) && !before.is_empty() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("connmon live never showed {what}")
    }

    /// Waits until it has ended; everything that it showed.
    fn end(mut self) -> Result<(ExitStatus, Vec<Value>)> {
        let limit = Instant::now() + LIMIT;
        let status = loop {
            match self.child.try_wait()? {
                Some(status) => break status,
                None if Instant::now() > limit => bail!("connmon live does not end"),
                None => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        self.reader.take().context("ended twice")?.join().ok().context("the reader panicked")?;
        Ok((status, self.events()))
    }

    fn signal(&self, signal: libc::c_int) -> Result<()> {
        let pid = libc::pid_t::try_from(self.child.id())?;
        // SAFETY: our own child, which we have not waited for.
        ensure!(unsafe { libc::kill(pid, signal) } == 0, "connmon live is gone already");
        Ok(())
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A connection of this process to itself.
fn knock() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    let (server, _) = listener.accept()?;
    drop((client, server));
    Ok(())
}

fn socket_of(db: &Path) -> PathBuf {
    db.with_extension("db.sock")
}

/// Each connection is shown to begin once and to end once, and with its end come the figures of the store.
pub fn scroll_equals_store() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("live.db");
    let recorder = Recorder::start(&db, &[])?;
    let viewer = Viewer::start(&["--db", path(&db)?])?;
    let seen_before: HashSet<i64> = viewer.events().iter().filter_map(id).collect();
    let truths = traffic_truth(&["case", "tcp-many", "tcp-fork-shared", "tcp-refused", "udp-many-remotes"])?;
    recorder.stop()?;
    let (status, events) = viewer.end()?;
    ensure!(status.success(), "connmon live: {status}");
    if let Some(problems) = summary(&compare(&truths, &export(&db)?)) {
        bail!("the store: {problems}");
    }
    let mut begun: HashMap<i64, u32> = HashMap::new();
    let mut ended: HashMap<i64, Vec<&Value>> = HashMap::new();
    for event in &events {
        let Some(id) = id(event) else { continue };
        match event["event"].as_str() {
            Some("new") => *begun.entry(id).or_default() += 1,
            Some("closed" | "failed") => ended.entry(id).or_default().push(&event["connection"]),
            _ => {}
        }
    }
    let stored = connmon_prints(&["export", "--format", "jsonl", "--db", path(&db)?])?;
    let (mut compared, mut failed) = (0, 0);
    for line in String::from_utf8(stored)?.lines() {
        let stored: Value = serde_json::from_str(line)?;
        let Some(id) = stored["id"].as_i64().filter(|id| !seen_before.contains(id)) else { continue };
        // What was there before this viewer came is no event.
        if stored["preexisting"] == true || (!begun.contains_key(&id) && !ended.contains_key(&id)) {
            let first = begun.keys().min().copied().unwrap_or(0);
            ensure!(id < first || stored["preexisting"] == true, "connection {id} was not shown");
            continue;
        }
        ensure!(begun.get(&id) == Some(&1), "connection {id} began {:?} times", begun.get(&id));
        let ends = ended.get(&id).map_or(&[][..], Vec::as_slice);
        if stored["closed"].is_null() {
            ensure!(ends.is_empty(), "connection {id} is open and was shown to end");
            continue;
        }
        ensure!(ends.len() == 1, "connection {id} ended {} times", ends.len());
        for field in
            ["tx_bytes", "rx_bytes", "traffic", "process", "end", "closed", "kernel", "local", "remote"]
        {
            ensure!(
                ends[0].pointer(field) == stored.pointer(field),
                "connection {id}: {field} was shown as {:?}, and is {:?}",
                ends[0].pointer(field),
                stored.pointer(field)
            );
        }
        failed += u32::from(stored["end"] == "refused");
        compared += 1;
    }
    ensure!(
        compared > 20 && failed > 0,
        "only {compared} connections were compared, {failed} of them refused"
    );
    Ok(())
}

fn id(event: &Value) -> Option<i64> {
    event["connection"]["id"].as_i64()
}

/// Who may not look is turned away, by the socket's mode and by the recorder itself; who talks is hung up on.
pub fn strangers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("strangers.db");
    let recorder = Recorder::start(&db, &[])?;
    let socket = socket_of(&db);
    let mode = std::fs::metadata(&socket)?.permissions().mode() & 0o777;
    ensure!(mode == 0o660, "the socket's mode is {mode:o}");
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755))?;
    let refused = as_nobody(&socket, |stream| stream.map(drop).map_err(|error| error.kind()))?;
    ensure!(refused == Err(std::io::ErrorKind::PermissionDenied), "nobody: {refused:?}");
    std::fs::set_permissions(&socket, PermissionsExt::from_mode(0o666))?;
    let told = as_nobody(&socket, |stream| {
        let mut told = Vec::new();
        stream?.read_to_end(&mut told)?;
        Ok::<_, std::io::Error>(told)
    })??;
    ensure!(told.is_empty(), "nobody was told {} bytes", told.len());
    // Root may look, but has nothing to say.
    let mut talker = UnixStream::connect(&socket)?;
    talker.set_read_timeout(Some(LIMIT))?;
    std::io::Write::write_all(&mut talker, &[b'A'; 4096])?;
    let mut told = Vec::new();
    let _ = talker.read_to_end(&mut told);
    knock()?;
    recorder.stop()?;
    ensure!(!socket.exists(), "the socket is still there");
    let audit = audit(&db)?;
    audit.ensure_complete(Host::of(&audit, &[]))?;
    let output = connmon(&["live", "--socket", path(&socket)?, "--scroll"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "without a recorder: {}", output.status);
    ensure!(said.lines().count() == 1 && said.contains("no recorder answers"), "it says {said}");
    Ok(())
}

/// Connects as the user nobody; only this thread becomes it.
fn as_nobody<T: Send + 'static>(
    socket: &Path,
    then: impl FnOnce(std::io::Result<UnixStream>) -> T + Send + 'static,
) -> Result<T> {
    let socket = socket.to_path_buf();
    let thread = std::thread::spawn(move || {
        // SAFETY: the raw system calls change the credentials of this thread alone (setresuid(2), NOTES), which ends here.
        let changed = unsafe {
            libc::syscall(libc::SYS_setgroups, 0, std::ptr::null::<libc::gid_t>()) == 0
                && libc::syscall(libc::SYS_setresgid, 65_534, 65_534, 65_534) == 0
                && libc::syscall(libc::SYS_setresuid, 65_534, 65_534, 65_534) == 0
        };
        changed.then(|| then(UnixStream::connect(socket)))
    });
    thread.join().ok().context("the thread panicked")?.context("a thread cannot become nobody")
}

/// Viewers that never read cost the record nothing, and one that reads still sees everything.
pub fn sleepers() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("sleepers.db");
    let recorder = Recorder::start(&db, &[])?;
    let sleepers: Vec<_> = (0..3).map(|_| UnixStream::connect(socket_of(&db))).collect::<Result<_, _>>()?;
    let awake = UnixStream::connect(socket_of(&db))?;
    let awake = std::thread::spawn(move || {
        BufReader::new(awake)
            .lines()
            .try_fold(Value::Null, |_, line| Ok::<_, anyhow::Error>(serde_json::from_str(&line?)?))
    });
    let connections = &size(30_000, 2_000).to_string();
    let truths = traffic_truth(&[
        "storm",
        "--list",
        "--connections",
        connections,
        "--processes",
        "8",
        "--parallel",
        "8",
    ])?;
    // Of these more than one row comes together.
    traffic_truth(&["case", "tcp-fork-shared", "tcp-refused"])?;
    recorder.stop()?;
    // The last that is told are the sums of the recording.
    let last = awake.join().ok().context("the viewer panicked")??;
    drop(sleepers);
    ensure_exact(&truths, &db)?;
    let records = export(&db)?;
    ensure!(last["ended"] == true, "the last word was {last}");
    let sum = |of: fn(&connmon_tests::harness::record::Record) -> u64| records.iter().map(of).sum::<u64>();
    let all = connmon_prints(&["audit", "--format", "json", "--db", path(&db)?])?;
    let all: Value = serde_json::from_slice(&all)?;
    let totals = &last["totals"];
    ensure!(totals["unseen"] == 0, "{} rows could not be handed on", totals["unseen"]);
    let counted =
        |of: fn(&&connmon_tests::harness::record::Record) -> bool| records.iter().filter(of).count();
    let (known, open) = (counted(|_| true), counted(|record| record.closed.is_none()));
    ensure!(
        totals["connections"].as_u64() == Some(known as u64) && totals["open"].as_u64() == Some(open as u64),
        "the store has {known} connections, {open} of them open, and the sums are {totals}"
    );
    ensure!(totals["tx_bytes"].as_u64() >= Some(sum(|record| record.tx_bytes)), "the sums are {totals}");
    let processes = all["processes"].as_array().context("an audit without processes")?;
    for field in ["tx_bytes", "rx_bytes"] {
        let audited: u64 = processes.iter().filter_map(|process| process[field].as_u64()).sum();
        ensure!(totals[field] == audited, "{field}: the sums are {totals}, the store's {audited}");
    }
    Ok(())
}

/// Without a recorder it records by itself, ends it, and leaves nothing.
pub fn by_itself() -> Result<()> {
    let backend = std::env::var("CONNMON_BACKEND").unwrap_or_else(|_| "auto".into());
    let viewer = Viewer::start(&["--no-store", "--", "--backend", &backend])?;
    let folder = std::env::temp_dir().join(format!("connmon-live-{}", viewer.child.id()));
    ensure!(folder.join("live.db").is_file(), "{} has no store", folder.display());
    traffic_truth(&["case", "tcp-refused"])?;
    viewer.wait_for("a refusal", |events| events.iter().any(|event| event["event"] == "failed"))?;
    viewer.signal(libc::SIGTERM)?;
    let (status, _) = viewer.end()?;
    ensure!(status.success(), "connmon live: {status}");
    ensure!(!folder.exists(), "{} is still there", folder.display());
    Ok(())
}

/// The screen ends with its terminal.
pub fn hang_up() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("terminal.db");
    let recorder = Recorder::start(&db, &[])?;
    let (mut ours, mut theirs) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: both descriptors are valid for writing; name, settings and size may be null (openpty(3)).
    let made = unsafe { libc::openpty(&raw mut ours, &raw mut theirs, null, null.cast(), null.cast()) };
    ensure!(made == 0, "there is no terminal: {}", std::io::Error::last_os_error());
    // The program must not hold its own terminal's other end.
    // SAFETY: a descriptor of our own, and a plain flag of it.
    ensure!(unsafe { libc::fcntl(ours, libc::F_SETFD, libc::FD_CLOEXEC) } == 0, "it stays open");
    // SAFETY: both were just made and belong to nobody else.
    let (mut ours, theirs) = unsafe { (std::fs::File::from_raw_fd(ours), OwnedFd::from_raw_fd(theirs)) };
    let mut command = Command::new(connmon_program()?);
    command.args(["live", "--db", path(&db)?]).env("TERM", "xterm");
    command.stdin(theirs.try_clone()?).stdout(theirs.try_clone()?).stderr(theirs);
    let mut child = command.spawn()?;
    drop(command);
    let mut screen = [0; 64];
    ensure!(ours.read(&mut screen)? > 0, "nothing is drawn");
    drop(ours);
    let limit = Instant::now() + LIMIT;
    while child.try_wait()?.is_none() {
        if Instant::now() > limit {
            child.kill()?;
            bail!("it goes on without its terminal");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    recorder.stop().map(drop)
}

/// A reader that goes is no failure, and what cannot begin says why.
pub fn pipes() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("pipes.db");
    let recorder = Recorder::start(&db, &[])?;
    let mut command = Command::new(connmon_program()?);
    command.args(["live", "--scroll", "--db", path(&db)?]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    drop(child.stdout.take());
    let limit = Instant::now() + LIMIT;
    let status = loop {
        knock()?;
        match child.try_wait()? {
            Some(status) => break status,
            None if Instant::now() > limit => {
                child.kill()?;
                bail!("it goes on without a reader")
            }
            None => std::thread::sleep(Duration::from_millis(100)),
        }
    };
    ensure!(status.success(), "with a broken pipe: {status}");
    let output = connmon(&["live", "--scroll", "--db", path(&db)?, "--", "--no-names"])?;
    ensure!(output.status.code() == Some(2), "options for a recorder that is there: {}", output.status);
    recorder.stop()?;
    let output = connmon(&["live", "--no-store", "--scroll", "--", "--ring-bytes", "5"])?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2) && said.contains("--ring-bytes"), "it says {said}");
    Ok(())
}
