//! What a recorder on this host could do, and what would change what it sees.

use std::io::Write;

use serde::Serialize;

use super::processes::{self, RecordingProcess};
use connmon_capture::foreign::{self, Foreign};
use connmon_capture::probes;
use connmon_capture::{bpf, privileges, surroundings};
use connmon_record::{Backend, CaptureOptions};

/// What a look at this host found.
#[derive(Serialize)]
pub(super) struct Findings {
    object_sha256: String,
    root: bool,
    backends: Vec<BackendFinding>,
    chosen: Option<String>,
    out_of_scope: &'static [&'static str],
    /// What a recorder started here would lack.
    surroundings: Vec<String>,
    /// BPF programs and maps of others that change what is recorded; nothing where the kernel does not tell.
    foreign_bpf: Option<Vec<Foreign>>,
    /// Recordings that go on.
    processes: Vec<RecordingProcess>,
}

#[derive(Serialize)]
struct BackendFinding {
    name: String,
    works: bool,
    reason: Option<String>,
    /// What a recording with it would lack.
    lacks: Vec<String>,
}

const OUT_OF_SCOPE: &[&str] =
    &["UNIX sockets", "SCTP", "forwarded traffic", "frames that a packet socket takes from a mapped ring"];

/// Whether a backend works, and what it would lack. Loading is the test: what a kernel says it can do and what it lets us do differ.
fn attach(backend: Backend) -> Result<Vec<String>, String> {
    let small = CaptureOptions { ring_bytes: 1 << 16, max_connections: 1024, ..CaptureOptions::default() };
    let probes = probes::attach(Some(backend), small).map_err(|error| error.to_string())?;
    Ok(probes.notes.iter().filter(|note| connmon_record::is_lack(note)).cloned().collect())
}

/// What is told of a backend that was tried, or not.
fn found(backend: Backend, tried: Option<Result<Vec<String>, String>>) -> BackendFinding {
    let tried = tried.unwrap_or_else(|| Err("not tried: loading programs needs root".to_owned()));
    BackendFinding {
        name: backend.to_string(),
        works: tried.is_ok(),
        lacks: tried.as_ref().map_or_else(|_| Vec::new(), Clone::clone),
        reason: tried.err(),
    }
}

/// Tries the backends, and looks at what is around.
pub(super) fn look() -> Findings {
    let root = privileges::check().is_ok();
    // At once: the kernel takes most of a second to look at the programs of one.
    let backends = std::thread::scope(|scope| {
        let tried = Backend::ALL.map(|backend| (backend, scope.spawn(move || root.then(|| attach(backend)))));
        tried.map(|(backend, tried)| {
            let tried = tried.join().unwrap_or_else(|_| Some(Err("trying it failed".to_owned())));
            found(backend, tried)
        })
    });
    let chosen = backends.iter().find(|backend| backend.works).map(|backend| backend.name.clone());
    Findings {
        object_sha256: bpf::object_sha256(),
        root,
        backends: backends.into(),
        chosen,
        out_of_scope: OUT_OF_SCOPE,
        surroundings: surroundings::notes(),
        foreign_bpf: foreign::loaded().ok(),
        processes: processes::look(),
    }
}

/// Everything, for reading.
pub(super) fn write_text(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "BPF object  sha256:{}", findings.object_sha256)?;
    writeln!(out, "\nbackends")?;
    for backend in &findings.backends {
        let mark = if backend.works { '✓' } else { '✗' };
        let reason = backend.reason.as_deref().unwrap_or("works");
        writeln!(out, "  {mark} {:<11} {reason}", backend.name)?;
        for lack in &backend.lacks {
            writeln!(out, "                {lack}")?;
        }
    }
    match &findings.chosen {
        Some(chosen) => writeln!(out, "  `connmon record` would use {chosen}")?,
        None if findings.root => writeln!(out, "  `connmon record` does not work on this kernel")?,
        None => writeln!(out, "  run as root to try them")?,
    }
    writeln!(out, "\nnot recorded: {}", findings.out_of_scope.join(", "))?;
    for note in &findings.surroundings {
        writeln!(out, "warning: {note}")?;
    }
    write_foreign(findings.foreign_bpf.as_deref(), out)?;
    processes::write_text(&findings.processes, out)
}

fn write_foreign(foreign: Option<&[Foreign]>, out: &mut impl Write) -> std::io::Result<()> {
    let Some(all) = foreign else {
        return writeln!(out, "BPF programs of others: not known, the kernel lists them to root only");
    };
    if !all.is_empty() {
        writeln!(out, "\nBPF programs and maps of others that change what is recorded")?;
    }
    for Foreign { kind, class, id, name, meaning } in all {
        let name = if name.is_empty() { "without a name" } else { name };
        writeln!(out, "  {kind} {id:<6} {class:<16} {name}: {meaning}")?;
    }
    Ok(())
}
