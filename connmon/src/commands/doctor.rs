//! `connmon doctor`: what this kernel allows, and what a store holds.

#[cfg(feature = "record")]
mod recorder;

use std::io::Write;

use serde::Serialize;

use super::{CommandError, Outcome, done, stdout, terminal_width};
use crate::cli::{self, TextFormat};
use connmon_analysis::format::count;
use connmon_analysis::{Completeness, Indicators, Selection};
use connmon_record::display_safe;
use connmon_render::export::completeness::{self, write_words};
use connmon_store::{Debt, Store};

#[derive(Serialize)]
struct Findings {
    version: &'static str,
    kernel: String,
    #[cfg(feature = "record")]
    #[serde(flatten)]
    recorder: recorder::Findings,
    store: Option<StoreFinding>,
}

#[derive(Serialize)]
struct StoreFinding {
    path: String,
    recordings: usize,
    backends: Vec<String>,
    /// All recordings together.
    complete: bool,
    /// Segments that have no rows yet.
    debt: u64,
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
    counters: completeness::CompletenessFields,
    #[serde(skip)]
    words: Completeness,
}

/// Looks, and says what it saw.
///
/// # Errors
/// The store that was named cannot be read.
pub fn run(args: cli::Doctor) -> Result<Outcome, CommandError> {
    let store = match &args.db {
        Some(path) => {
            let store = Store::open(path)?;
            let runs = store.runs()?;
            let indicators = Indicators::from_runs(&runs).counted(store.matching()?);
            let everything = Selection::default();
            let all = Completeness::from_runs(&runs, &everything);
            Some(StoreFinding {
                path: display_safe(&path.display().to_string()).into_owned(),
                recordings: runs.len(),
                backends: runs.iter().map(|run| display_safe(&run.backend).into_owned()).collect(),
                complete: all.is_complete(),
                debt: store.debts()?.iter().map(Debt::segments).sum(),
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
        #[cfg(feature = "record")]
        recorder: recorder::look(),
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
    #[cfg(feature = "record")]
    recorder::write_text(&findings.recorder, out)?;
    #[cfg(not(feature = "record"))]
    writeln!(out, "{}", CommandError::NoRecorder)?;
    if let Some(store) = &findings.store {
        write_store(store, out)?;
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
    if store.debt > 0 {
        let segments = count(store.debt, "segment has", "segments have");
        writeln!(out, "{segments} no rows yet: who reads the store next has them made first")?;
    }
    if !store.complete && last.words.is_complete() {
        writeln!(out, "earlier recordings are incomplete: see `connmon audit`")?;
    }
    Ok(())
}
