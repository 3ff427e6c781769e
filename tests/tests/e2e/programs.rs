//! Real programs of this system, which know nothing of the tests: curl, ssh, Python and a shell script look a name up by the C
//! library and talk to it, and the record names them, whom they called, and by what name. In the same recording curl runs from a
//! deleted file, from memory and in a container's cgroup.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{audit, connmon_prints, export, path};
use connmon_tests::harness::record::Record;
use connmon_tests::harness::recorder::Recorder;
use sha2::{Digest, Sha256};

use super::identity::{CONTAINER, Cgroup, LOOKED_AT, in_memory, slice};
use super::names::{HOST, NAME, SERVER, names, town};

/// A program, what it is called with, and what the record must say.
struct Program {
    /// What is run; `NAME` and `PORT` stand for those of the host.
    line: &'static [&'static str],
    /// The executable that connects.
    comm: &'static str,
    /// How the name was seen on the connection itself.
    source: Option<&'static str>,
    /// What it was seen to speak.
    service: &'static str,
}

const PYTHON: &str = "import urllib.request as r\ntry: r.urlopen('http://NAME:PORT/', timeout=9).read()\nexcept Exception: pass";

const PROGRAMS: [Program; 5] = [
    Program {
        line: &["curl", "-s", "-m9", "http://NAME:PORT/"],
        comm: "curl",
        source: Some("http"),
        service: "http",
    },
    Program {
        line: &["curl", "-s", "-m9", "https://NAME:PORT/"],
        comm: "curl",
        source: Some("sni"),
        service: "tls",
    },
    Program {
        line: &["ssh", "-F", "none", "-oBatchMode=yes", "-oConnectTimeout=9", "-p", "PORT", "nobody@NAME"],
        comm: "ssh",
        source: None,
        service: "ssh",
    },
    Program { line: &["python3", "-c", PYTHON], comm: "python3", source: Some("http"), service: "http" },
    Program { line: &["sh", "SCRIPT"], comm: "curl", source: Some("http"), service: "http" },
];

/// See above.
pub fn real() -> Result<()> {
    let port = town()?.to_string();
    let folder = tempfile::tempdir()?;
    let resolv = folder.path().join("resolv.conf");
    fs::write(&resolv, format!("nameserver {SERVER}\noptions timeout:9 attempts:1\n"))?;
    let script = folder.path().join("nightly.sh");
    fs::write(&script, format!("#!/bin/sh\ncurl -s -m9 http://{NAME}:{port}/ || true\n"))?;
    let db = folder.path().join("programs.db");
    let recorder = Recorder::start(&db, &[])?;
    let mut pids = Vec::new();
    for program in &PROGRAMS {
        let words = program.line.iter().map(|word| {
            word.replace("NAME", NAME).replace("PORT", &port).replace("SCRIPT", &script.display().to_string())
        });
        let words: Vec<String> = words.collect();
        let mut command = Command::new(&words[0]);
        command.args(&words[1..]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = asking(&mut command, &resolv)?.spawn().with_context(|| format!("no {}", words[0]))?;
        pids.push(child.id());
        // None of them gets what it wants.
        child.wait()?;
    }
    let hidden = hide(folder.path())?;
    recorder.stop()?;
    let records = export(&db)?;
    // With a ring that others have filled, names are missed, and the record says so.
    let named = audit(&db)?.completeness["names_missed"] == 0;
    if !named {
        println!("others filled the ring meanwhile: names are not looked at");
    }
    hidden.iter().try_for_each(|hidden| hidden.check(&records, &db, named))?;
    for (program, pid) in PROGRAMS.iter().zip(pids) {
        let told = |what: &str| format!("{:?}: {what}", program.line);
        let is_it = |record: &&Record| {
            let owner = record.process.as_ref();
            let is_mine = |owner: &connmon_tests::harness::record::Owner| {
                owner.pid == pid || owner.ancestors.iter().any(|ancestor| ancestor.pid == pid)
            };
            record.remote.ip == IpAddr::V4(HOST) && owner.is_some_and(is_mine)
        };
        let record = records.iter().find(is_it).with_context(|| told("its connection is missing"))?;
        if !named {
            continue;
        }
        check(program, record).with_context(|| told("not as it was"))?;
        let id = record.id.to_string();
        let shown = String::from_utf8(connmon_prints(&["show", &id, "--db", path(&db)?])?)?;
        for word in [NAME, "(dns asked by", program.comm] {
            ensure!(shown.contains(word), "{}: {shown}", told("show lacks something"));
        }
    }
    let audit = String::from_utf8(connmon_prints(&["audit", "--by", "host", "--db", path(&db)?])?)?;
    ensure!(!named || audit.contains(NAME), "{audit}");
    Ok(())
}

/// curl where nobody expects it.
struct Hidden {
    /// What it is called in the errors.
    what: &'static str,
    /// The port that it called, this test's own.
    port: u16,
    /// What is odd about its executable.
    state: Option<&'static str>,
    /// What `audit` must show for it.
    group: (&'static str, String),
}

/// Runs curl from a file that is deleted meanwhile, from memory, and in the cgroup of a container, each against this test.
fn hide(folder: &Path) -> Result<Vec<Hidden>> {
    let curl = which("curl")?;
    let copy = folder.join("vanishing");
    fs::copy(&curl, &copy)?;
    let memory = in_memory(&curl)?;
    let slice = slice()?;
    let group = Cgroup::new(&slice, &format!("docker-{CONTAINER}.scope"))?;
    let join =
        format!("echo $$ > {} && exec {} \"$@\"", group.0.join("cgroup.procs").display(), curl.display());
    let vanished = fs::canonicalize(&copy)?.display().to_string();
    let found = vec![
        greet(
            "deleted",
            Some("deleted"),
            &mut Command::new(&copy),
            || drop(fs::remove_file(&copy)),
            ("exe", vanished),
        )?,
        greet(
            "in memory",
            Some("memfd"),
            &mut Command::new(format!("/proc/self/fd/{}", memory.as_raw_fd())),
            || {},
            ("exe", "/memfd:ghost".into()),
        )?,
        greet(
            "in a container",
            None,
            Command::new("sh").args(["-c", &join, "sh"]),
            || {},
            ("container", format!("docker:{}", &CONTAINER[..12])),
        )?,
    ];
    drop(group);
    let _ = fs::remove_dir(&slice);
    Ok(found)
}

/// Lets curl call this test, and keeps it until it was looked at.
fn greet(
    what: &'static str,
    state: Option<&'static str>,
    command: &mut Command,
    meanwhile: impl FnOnce(),
    group: (&'static str, String),
) -> Result<Hidden> {
    let server = TcpListener::bind("127.0.0.1:0")?;
    let port = server.local_addr()?.port();
    command.args(["-s", "-m9", "-H", &format!("Host: {NAME}"), &format!("http://127.0.0.1:{port}/")]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().with_context(|| what.to_owned())?;
    let (mut stream, _) = server.accept()?;
    let _ = stream.read(&mut [0; 4096])?;
    meanwhile();
    std::thread::sleep(LOOKED_AT);
    drop(stream);
    child.wait()?;
    Ok(Hidden { what, port, state, group })
}

impl Hidden {
    /// Whether export, show and audit name it.
    fn check(&self, records: &[Record], db: &Path, named: bool) -> Result<()> {
        let Self { what, port, state, group } = self;
        let is_it = |record: &&Record| record.remote.port == *port;
        let record =
            records.iter().find(is_it).with_context(|| format!("{what}: its connection is missing"))?;
        let owner = record.process.as_ref().with_context(|| format!("{what}: nobody owns it"))?;
        ensure!(owner.exe_state.as_deref() == *state, "{what}: exe_state {:?}", owner.exe_state);
        let found = names(record);
        // The file of hosts has names of 127.0.0.1 too; what was said comes first.
        let is_first = found.first() == Some(&("http", NAME, u64::from(owner.pid)));
        ensure!(!named || is_first, "{what}: names {found:?}");
        let shown = String::from_utf8(connmon_prints(&["show", &record.id.to_string(), "--db", path(db)?])?)?;
        ensure!(
            (!named || shown.contains(NAME)) && state.is_none_or(|state| shown.contains(state)),
            "{what}: {shown}"
        );
        let audit = connmon_prints(&["audit", "--by", group.0, "--format", "csv", "--db", path(db)?])?;
        let audit = String::from_utf8(audit)?;
        ensure!(audit.contains(&group.1), "{what}: {} is not in {audit}", group.1);
        Ok(())
    }
}

/// Where a program is.
fn which(program: &str) -> Result<PathBuf> {
    let path = std::env::var_os("PATH").context("no PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(program));
    places.find(|place| place.is_file()).with_context(|| format!("no {program}"))
}

fn check(program: &Program, record: &Record) -> Result<()> {
    let owner = record.process.as_ref().context("nobody")?;
    let exe = PathBuf::from(owner.exe.as_deref().context("no executable")?);
    let file = exe.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    ensure!(file.starts_with(program.comm), "exe {}", exe.display());
    let hash: String = Sha256::digest(fs::read(&exe)?).iter().map(|byte| format!("{byte:02x}")).collect();
    ensure!(owner.sha256.as_ref() == Some(&hash), "sha256 {:?}, not {hash}", owner.sha256);
    let pid = u64::from(owner.pid);
    let found = names(record);
    let said = program.source.map(|source| (source, NAME, pid));
    let expected: Vec<_> = said.into_iter().chain([("dns", NAME, pid)]).collect();
    ensure!(found == expected, "names {found:?}, not {expected:?}");
    ensure!(record.service["observed"] == program.service, "service {}", record.service);
    Ok(())
}

/// Has a program ask the tests' DNS server: in a mount namespace of its own.
fn asking<'a>(command: &'a mut Command, resolv: &Path) -> Result<&'a mut Command> {
    let from = std::ffi::CString::new(path(resolv)?)?;
    let mount = move || {
        let check = |result: libc::c_int| match result {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        };
        let none = std::ptr::null();
        // SAFETY: system calls with strings that end with NUL, in the child alone; nothing is allocated.
        unsafe {
            check(libc::unshare(libc::CLONE_NEWNS))?;
            check(libc::mount(none, c"/".as_ptr(), none, libc::MS_REC | libc::MS_PRIVATE, none.cast()))?;
            let to = c"/etc/resolv.conf".as_ptr();
            check(libc::mount(from.as_ptr(), to, none, libc::MS_BIND, none.cast()))
        }
    };
    // SAFETY: see above.
    Ok(unsafe { command.pre_exec(mount) })
}
