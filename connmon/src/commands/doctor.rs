//! `connmon doctor`: what this kernel allows, and what a store holds.

use std::io::Write;

use serde::Serialize;

use super::{CommandError, Outcome, done, stdout, terminal_width};
use crate::capture::foreign::{self, Foreign};
use crate::capture::probes::{self, Options};
use crate::capture::{Backend, bpf, surroundings};
use crate::cli::{self, TextFormat};
use crate::export::completeness::{self, write_words};
use crate::model::{self, display_safe};
use crate::store::Store;
use crate::summary::format::count;
use crate::summary::{Completeness, Indicators, Selection};

#[derive(Serialize)]
struct Findings {
    version: &'static str,
    kernel: String,
    object_sha256: String,
    root: bool,
    backends: Vec<BackendFinding>,
    chosen: Option<String>,
    out_of_scope: &'static [&'static str],
    /// What a recorder started here would lack.
    surroundings: Vec<String>,
    /// BPF programs and maps of others that change what is recorded; nothing where the kernel does not tell.
    foreign_bpf: Option<Vec<Foreign>>,
    store: Option<StoreFinding>,
}

#[derive(Serialize)]
struct BackendFinding {
    name: String,
    works: bool,
    reason: Option<String>,
    /// What a recording with it would lack.
    lacks: Vec<String>,
}

#[derive(Serialize)]
struct StoreFinding {
    path: String,
    recordings: usize,
    backends: Vec<String>,
    /// All recordings together.
    complete: bool,
    /// How many connections match lists of indicators; nothing where no list was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    indicators: Option<String>,
    last: Option<LastRecording>,
}

/// The last recording, and what it lost.
#[derive(Serialize)]
struct LastRecording {
    run: i64,
    started: String,
    ended: Option<String>,
    #[serde(rename = "completeness")]
    counters: completeness::Completeness,
    #[serde(skip)]
    words: Completeness,
}

const OUT_OF_SCOPE: &[&str] =
    &["UNIX sockets", "SCTP", "forwarded traffic", "frames that a packet socket takes from a mapped ring"];

/// Looks, and says what it saw.
///
/// # Errors
/// The store that was named cannot be read.
pub fn run(args: cli::Doctor) -> Result<Outcome, CommandError> {
    // SAFETY: only returns a number.
    let root = unsafe { libc::geteuid() } == 0;
    let backends = Backend::ALL.map(|backend| {
        // Loading is the test: what a kernel says it can do and what it lets us do differ.
        let small = Options { ring_bytes: 1 << 16, max_connections: 1024, ..Options::default() };
        let tried = if root {
            probes::attach(Some(backend), small).map_err(|error| error.to_string())
        } else {
            Err("not tried: loading programs needs root".into())
        };
        let lacks = tried.as_ref().map(|probes| model::lacks(&probes.notes).map(str::to_owned).collect());
        BackendFinding {
            name: backend.to_string(),
            works: tried.is_ok(),
            lacks: lacks.unwrap_or_default(),
            reason: tried.err(),
        }
    });
    let chosen = backends.iter().find(|backend| backend.works).map(|backend| backend.name.clone());
    let store = match &args.db {
        Some(path) => {
            let store = Store::open(path)?;
            let runs = store.runs()?;
            let indicators = Indicators::of(&runs).counted(store.matching()?);
            let everything = Selection::default();
            let all = Completeness::of(&runs, &everything);
            Some(StoreFinding {
                path: display_safe(&path.display().to_string()).into_owned(),
                recordings: runs.len(),
                backends: runs.iter().map(|run| display_safe(&run.backend).into_owned()).collect(),
                complete: all.is_complete(),
                indicators: indicators.words(),
                last: Completeness::of_last(&runs).map(|(run, words)| LastRecording {
                    run: run.id,
                    started: run.started.to_string(),
                    ended: run.ended.map(|time| time.to_string()),
                    counters: (&words).into(),
                    words,
                }),
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
        surroundings: surroundings::notes(),
        foreign_bpf: foreign::loaded().ok(),
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
    done(out, None)
}

fn write_text(findings: &Findings, out: &mut impl Write) -> std::io::Result<()> {
    writeln!(out, "connmon {} on Linux {}", findings.version, findings.kernel)?;
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
    if let Some(store) = &findings.store {
        write_store(store, out)?;
    }
    Ok(())
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

fn write_store(store: &StoreFinding, out: &mut impl Write) -> std::io::Result<()> {
    let mut backends = store.backends.clone();
    backends.dedup();
    let recordings = count(store.recordings as u64, "recording", "recordings");
    writeln!(out, "\nstore {}: {recordings} ({})", store.path, backends.join(", "))?;
    let Some(last) = &store.last else {
        return writeln!(out, "it has no recording: run `connmon record` as root");
    };
    writeln!(
        out,
        "the last recording, from {} to {}",
        last.started,
        last.ended.as_deref().unwrap_or("(no end)")
    )?;
    write_words(&last.words, terminal_width(), out)?;
    if let Some(sentence) = &store.indicators {
        writeln!(out, "{sentence}")?;
    }
    if !store.complete && last.words.is_complete() {
        writeln!(out, "earlier recordings are incomplete: see `connmon audit`")?;
    }
    Ok(())
}
