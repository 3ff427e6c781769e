//! Least privilege: what each process and thread of a recording may do, also by hostile code within it, and what is said to those who
//! may not record.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use connmon_tests::harness::programs::{connmon_program, path};
use connmon_tests::harness::recorder::Recorder;

/// Capabilities by their numbers (linux/capability.h).
const DAC_READ_SEARCH: u32 = 2;
const SETPCAP: u32 = 8;
const SYS_PTRACE: u32 = 19;
const LAST: u32 = 63;
const PERFMON: u32 = 38;
const BPF: u32 = 39;
/// How long something may take that is bound to happen.
const LIMIT: Duration = Duration::from_secs(60);
/// Somebody who is not root, and owns nothing.
const NOBODY: u32 = 65534;

/// A recorder with all its threads has the rights that each needs; who has none reads its store, and is told that he cannot record.
pub fn least() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let db = folder.path().join("rights.db");
    let socket = folder.path().join("live.sock");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
    let mine = folder.path().join("nobody");
    fs::create_dir(&mine)?;
    std::os::unix::fs::chown(&mine, Some(NOBODY), Some(NOBODY))?;
    let program = mine.join("connmon");
    fs::copy(connmon_program()?, &program)?;
    // Nobody answers there, and the thread that asks is there all the same.
    let recorder = Recorder::start(&db, &["--socket", path(&socket)?, "--resolve=127.0.0.1:9"])?;
    // A thread gives up its rights itself, as the first thing that it does.
    let limit = Instant::now() + LIMIT;
    while let Err(error) = ensure_least(&recorder) {
        ensure!(Instant::now() < limit, "{error:#}");
        std::thread::sleep(Duration::from_millis(20));
    }
    for args in [
        ["live", "--scroll", "--socket", path(&socket)?],
        ["serve", "--socket", path(&socket)?, "--listen=127.0.0.1:0"],
    ] {
        refused(&as_nobody(&program, &args)?, "can be read only by root and members of the group `connmon`")?;
    }
    let said = recorder.stop()?;
    ensure!(!said.contains("capabilities stay"), "{said}");

    fs::set_permissions(&db, fs::Permissions::from_mode(0o644))?;
    let db = path(&db)?;
    let report = mine.join("r.html");
    for args in [
        ["audit", "--db", db].as_slice(),
        &["export", "--db", db],
        &["report", "--db", db, "--out", path(&report)?],
    ] {
        let output = as_nobody(&program, args)?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.code().is_some_and(|code| code < 2), "{args:?}: {}: {stderr}", output.status);
    }
    let own = mine.join("own.db");
    let record = ["record", "--for", "1s", "--db", path(&own)?];
    refused(&as_nobody(&program, &record)?, "recording needs root")?;
    refused(
        &without_capabilities(&record)?,
        "recording needs the capabilities CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN,",
    )?;
    ensure!(!own.exists(), "who may not record left a store behind");
    Ok(())
}

/// What each part of a recording could do that hostile code would try, by the names of `confine::attempts`: the keeper reads the
/// files of others, and asks the kernel for sockets; the recorder can do nothing of all that.
pub fn hostile() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut other = Command::new("sleep").arg("600").spawn()?;
    let try_it = [("CONNMON_TRY", other.id().to_string())];
    let recorder =
        Recorder::start_by(&[path(&connmon_program()?)?], &try_it, &folder.path().join("a.db"), &[])?;
    let said = recorder.stop()?;
    other.kill()?;
    other.wait()?;
    // Since Linux 5.13; without it files are kept by their permissions only, and root has many.
    // SAFETY: asks for the version, and makes nothing (landlock_create_ruleset(2)).
    let has_landlock = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0, 0, 1) } > 0;
    if !has_landlock {
        println!("rights: files are not tried, since this kernel has no Landlock");
    }
    let files = ["memory", "shadow", "etc", "tmp"];
    for (part, allowed) in [
        ("keeper", &["bpf", "memory", "shadow", "services", "netlink", "packets", "code"][..]),
        ("recorder", &[]),
        ("store", &[]),
    ] {
        let begin = format!("{part} could:");
        let line = said
            .lines()
            .find_map(|line| line.strip_prefix(&begin))
            .with_context(|| format!("{part}: {said}"))?;
        let could: Vec<&str> =
            line.split_whitespace().filter(|what| has_landlock || !files.contains(what)).collect();
        let beyond: Vec<&&str> = could.iter().filter(|what| !allowed.contains(what)).collect();
        ensure!(beyond.is_empty(), "the {part} could {beyond:?}");
        // It would be no news that nothing works.
        ensure!(part != "keeper" || could.contains(&"bpf"), "the keeper could only {could:?}");
    }
    Ok(())
}

/// Each thread has what it needs, and nothing else.
fn ensure_least(recorder: &Recorder) -> Result<()> {
    let keeper: &[(&str, &[u32])] = &[
        ("keeper", &[BPF, PERFMON, SYS_PTRACE, DAC_READ_SEARCH]),
        ("executables", &[SYS_PTRACE, DAC_READ_SEARCH]),
        ("listeners", &[SYS_PTRACE, DAC_READ_SEARCH]),
    ];
    let own: &[(&str, &[u32])] = &[("connmon", &[]), ("store", &[]), ("live", &[]), ("resolve", &[])];
    ensure_threads(recorder.keeper()?, keeper)?;
    ensure_threads(recorder.pid(), own)
}

fn ensure_threads(pid: u32, wanted: &[(&str, &[u32])]) -> Result<()> {
    let threads = threads(pid)?;
    let names: Vec<&str> = threads.keys().map(String::as_str).collect();
    for (name, capabilities) in wanted {
        let status = threads.get(*name).with_context(|| format!("no thread {name}, but {names:?}"))?;
        let mask = capabilities.iter().fold(0, |mask, capability| mask | 1_u64 << capability);
        for set in ["CapEff", "CapPrm"] {
            let held = u64::from_str_radix(field(status, set)?, 16)?;
            // In a container this test may have less itself.
            ensure!(held == mask & own(set)?, "{name} has {held:x} in {set}, and needs {mask:x}");
        }
        for set in ["CapInh", "CapAmb"] {
            ensure!(u64::from_str_radix(field(status, set)?, 16)? == 0, "{name} hands {set} on");
        }
        ensure!(field(status, "NoNewPrivs")? == "1", "{name} may be given more");
        // SECCOMP_MODE_FILTER (proc_pid_status(5)).
        ensure!(field(status, "Seccomp")? == "2", "{name} may make any system call");
    }
    ensure!(names.len() == wanted.len(), "threads that nobody thought of: {names:?}");
    Ok(())
}

/// The status of each thread, by name.
fn threads(pid: u32) -> Result<BTreeMap<String, String>> {
    let mut threads = BTreeMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task"))? {
        let status = fs::read_to_string(entry?.path().join("status"))?;
        threads.insert(field(&status, "Name")?.to_owned(), status);
    }
    Ok(threads)
}

fn field<'a>(status: &'a str, name: &str) -> Result<&'a str> {
    let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(value.with_context(|| format!("no {name}"))?.trim())
}

/// What this test itself has, and so the recorder that it starts.
fn own(set: &str) -> Result<u64> {
    Ok(u64::from_str_radix(field(&fs::read_to_string("/proc/self/status")?, set)?, 16)?)
}

fn as_nobody(program: &Path, args: &[&str]) -> Result<Output> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).uid(NOBODY).gid(NOBODY).env("HOME", "/");
    Ok(command.current_dir("/").output()?)
}

/// Root in name only, as in many containers.
fn without_capabilities(args: &[&str]) -> Result<Output> {
    let mut command = Command::new(connmon_program()?);
    command.args(args).stdin(Stdio::null());
    // SAFETY: only calls prctl(2), between fork and exec.
    unsafe {
        command.pre_exec(|| {
            let drop = |capability| {
                let done = libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(capability), 0, 0, 0);
                // The kernel does not know all numbers.
                if done == 0 || io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL) {
                    Ok(())
                } else {
                    Err(io::Error::last_os_error())
                }
            };
            // The right to drop others last.
            (0..=LAST).filter(|&capability| capability != SETPCAP).chain([SETPCAP]).try_for_each(drop)
        });
    }
    Ok(command.output()?)
}

/// One sentence, and exit code 2.
fn refused(output: &Output, begins: &str) -> Result<()> {
    let stderr = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}, not exit code 2: {stderr}", output.status);
    ensure!(
        stderr.trim_end().lines().count() == 1 && stderr.contains(begins),
        "not one sentence but: {stderr}"
    );
    Ok(())
}
