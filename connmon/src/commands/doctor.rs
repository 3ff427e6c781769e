//! `connmon doctor`: what this kernel allows, and what a store holds.

use std::io::Write;

use serde::Serialize;

use super::{CommandError, Outcome, done, stdout, summarise};
use crate::capture::probes::{self, Options};
use crate::capture::{Backend, bpf};
use crate::cli::{self, TextFormat};
use crate::store::Store;

#[derive(Serialize)]
struct Findings {
    version: &'static str,
    kernel: String,
    object_sha256: String,
    root: bool,
    backends: Vec<BackendFinding>,
    chosen: Option<String>,
    out_of_scope: &'static [&'static str],
    store: Option<StoreFinding>,
}

#[derive(Serialize)]
struct BackendFinding {
    name: String,
    works: bool,
    reason: Option<String>,
}

#[derive(Serialize)]
struct StoreFinding {
    path: String,
    recordings: usize,
    backends: Vec<String>,
    complete: bool,
    statements: Vec<String>,
}

const OUT_OF_SCOPE: &[&str] = &["UNIX sockets", "SCTP", "raw and packet sockets", "forwarded traffic"];

/// Looks, and says what it saw.
///
/// # Errors
/// The store that was named cannot be read.
pub fn run(args: cli::Doctor) -> Result<Outcome, CommandError> {
    // SAFETY: only returns a number.
    let root = unsafe { libc::geteuid() } == 0;
    let backends = Backend::ALL.map(|backend| {
        // Loading is the test: what a kernel says it can do and what it lets us do differ.
        let small = Options { ring_bytes: 1 << 16, max_connections: 1024, wire: true };
        let refused = if root {
            probes::attach(Some(backend), small).err().map(|error| error.to_string())
        } else {
            Some("not tried: only root may load programs".into())
        };
        BackendFinding { name: backend.to_string(), works: refused.is_none(), reason: refused }
    });
    let chosen = backends.iter().find(|backend| backend.works).map(|backend| backend.name.clone());
    let store = match &args.db {
        Some(path) => {
            let summary = summarise(&Store::open(path)?, Default::default())?;
            Some(StoreFinding {
                path: path.display().to_string(),
                recordings: summary.runs.len(),
                backends: summary.runs.iter().map(|run| run.backend.clone()).collect(),
                complete: summary.is_complete(),
                statements: summary.completeness.statements.iter().map(|s| s.text.clone()).collect(),
            })
        }
        None => None,
    };
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned();
    let findings = Findings {
        version: env!("CARGO_PKG_VERSION"),
        kernel,
        object_sha256: bpf::object_sha256(),
        root,
        backends: backends.into(),
        chosen,
        out_of_scope: OUT_OF_SCOPE,
        store,
    };
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &findings).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => write_text(&findings, &mut out)?,
    }
    done(out, false)
}

fn write_text(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "connmon {} on Linux {}", findings.version, findings.kernel)?;
    writeln!(out, "BPF object  sha256:{}", findings.object_sha256)?;
    writeln!(out, "\nbackends")?;
    for backend in &findings.backends {
        let mark = if backend.works { '✓' } else { '✗' };
        let reason = backend.reason.as_deref().unwrap_or("works");
        writeln!(out, "  {mark} {:<11} {reason}", backend.name)?;
    }
    match &findings.chosen {
        Some(chosen) => writeln!(out, "  `connmon record` would use {chosen}")?,
        None if findings.root => writeln!(out, "  `connmon record` cannot work here")?,
        None => writeln!(out, "  run as root to try them")?,
    }
    writeln!(out, "\nnot recorded: {}", findings.out_of_scope.join(", "))?;
    if let Some(store) = &findings.store {
        writeln!(
            out,
            "\nstore {}: {} recordings ({})",
            store.path,
            store.recordings,
            store.backends.join(", ")
        )?;
        for statement in &store.statements {
            writeln!(out, "  {statement}")?;
        }
    }
    Ok(())
}
