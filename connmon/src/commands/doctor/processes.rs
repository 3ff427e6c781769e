//! Recordings that go on on this host: each process with the rights that it has.

use std::fs;
use std::io::Write;

use serde::Serialize;

use connmon_capture::privileges;

/// A process of a recording.
#[derive(Debug, Serialize)]
pub(super) struct RecordingProcess {
    pid: u32,
    /// `recorder`, or `keeper`, which reads the kernel's buffers.
    role: &'static str,
    uid: u32,
    /// Capabilities in effect.
    capabilities: Vec<String>,
    /// Whether its system calls are confined (seccomp(2)).
    seccomp: bool,
    /// Whether no program that it might start has more rights.
    no_new_privs: bool,
}

/// Recorders and their keepers, as far as procfs shows them.
pub(super) fn look() -> Vec<RecordingProcess> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let mut found = Vec::new();
    for keeper in pids {
        let Some(status) = status(keeper).filter(|status| field(status, "Name") == Some("keeper")) else {
            continue;
        };
        let parent = field(&status, "PPid").and_then(|pid| pid.parse().ok());
        let Some(recorder) = parent.filter(|parent| is_recorder(*parent)) else { continue };
        found.extend(process(recorder, "recorder"));
        found.extend(process(keeper, "keeper"));
    }
    found
}

fn status(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/status")).ok()
}

/// A field of proc_pid_status(5).
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

fn is_recorder(pid: u32) -> bool {
    let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    arguments.split(|byte| *byte == 0).any(|argument| argument == b"record")
}

fn process(pid: u32, role: &'static str) -> Option<RecordingProcess> {
    let status = status(pid)?;
    let capabilities = u64::from_str_radix(field(&status, "CapEff")?, 16).ok()?;
    Some(RecordingProcess {
        pid,
        role,
        uid: field(&status, "Uid")?.split_whitespace().next()?.parse().ok()?,
        capabilities: privileges::names(capabilities),
        seccomp: field(&status, "Seccomp") == Some("2"),
        no_new_privs: field(&status, "NoNewPrivs") == Some("1"),
    })
}

/// For reading; nothing where nobody records.
pub(super) fn write_text(processes: &[RecordingProcess], out: &mut impl Write) -> std::io::Result<()> {
    if processes.is_empty() {
        return Ok(());
    }
    writeln!(out, "\nrecordings in progress, and the rights of their processes")?;
    for RecordingProcess { pid, role, uid, capabilities, seccomp, no_new_privs } in processes {
        let capabilities =
            if capabilities.is_empty() { "no capability".to_owned() } else { capabilities.join(" ") };
        let calls = if *seccomp { "system calls confined" } else { "any system call" };
        let more = if *no_new_privs { "" } else { ", may be given more" };
        writeln!(out, "  {role:<8} {pid:<8} user {uid:<6} {capabilities}; {calls}{more}")?;
    }
    Ok(())
}
