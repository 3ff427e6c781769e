//! `connmon service status`

use std::io::Write;
use std::process::Command;

use serde::Serialize;

use super::{UNIT, size_of};
use crate::cli::{self, TextFormat};
use crate::commands::{CommandError, Outcome, done, stdout, terminal_width};
use connmon_analysis::Completeness;
use connmon_analysis::format::bytes;
use connmon_record::display_safe;
use connmon_render::export::completeness::{self, write_words};
use connmon_store::Store;

/// How the service is.
#[derive(Serialize)]
struct Status {
    /// What systemd says of it; nothing where there is none.
    unit: Option<Unit>,
    store: String,
    /// With its log.
    store_bytes: u64,
    last: Option<Last>,
}

/// What systemd says.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Unit {
    active: bool,
    state: String,
    since: String,
    pid: u32,
    words: String,
}

/// The last recording.
#[derive(Serialize)]
struct Last {
    run: i64,
    backend: String,
    started: String,
    ended: Option<String>,
    last_flush: String,
    #[serde(rename = "completeness")]
    counters: completeness::CompletenessFields,
    #[serde(skip)]
    words: Completeness,
}

/// Says how the service is; exit code 1 if it is not active.
///
/// # Errors
/// There is a store, and it cannot be read.
pub(super) fn run(args: &cli::ServiceStatus) -> Result<Outcome, CommandError> {
    let runs = if args.db.exists() { Store::open(&args.db)?.runs()? } else { Vec::new() };
    let last = Completeness::of_last(&runs).map(|(run, words)| Last {
        run: run.id,
        backend: display_safe(&run.backend).into_owned(),
        started: run.started.to_string(),
        ended: run.ended.map(|time| time.to_string()),
        last_flush: run.last_flush.to_string(),
        counters: (&words).into(),
        words,
    });
    let store = display_safe(&args.db.display().to_string()).into_owned();
    let status = Status { unit: unit(), store, store_bytes: size_of(&args.db), last };
    let mut out = stdout();
    match args.format {
        TextFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &status).map_err(std::io::Error::from)?;
            writeln!(out)?;
        }
        TextFormat::Text => write_text(&status, &mut out)?,
    }
    let active = status.unit.is_some_and(|unit| unit.active);
    done(out, (!active).then_some("the service is not active"))
}

/// Asks systemd.
fn unit() -> Option<Unit> {
    let shown = ["ActiveState", "SubState", "StateChangeTimestamp", "MainPID", "StatusText"].join(",");
    let args = ["show", UNIT, "--timestamp=utc", "--property", &shown];
    let output = Command::new("systemctl").args(args).env("LC_ALL", "C").output().ok()?;
    output.status.success().then(|| parse(&String::from_utf8_lossy(&output.stdout)))
}

fn parse(shown: &str) -> Unit {
    let field = |name: &str| {
        let value = shown.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
        display_safe(value.unwrap_or_default()).into_owned()
    };
    let state = field("ActiveState");
    Unit {
        // While it reads its configuration again it records as well.
        active: state == "active" || state == "reloading",
        state: format!("{state} ({})", field("SubState")),
        since: field("StateChangeTimestamp"),
        pid: field("MainPID").parse().unwrap_or(0),
        words: field("StatusText"),
    }
}

fn write_text(status: &Status, out: &mut impl Write) -> std::io::Result<()> {
    match &status.unit {
        Some(unit) => {
            let since = if unit.since.is_empty() { String::new() } else { format!(" since {}", unit.since) };
            writeln!(out, "{UNIT}: {}{since}", unit.state)?;
            if unit.pid != 0 {
                writeln!(out, "process     {}", unit.pid)?;
            }
            if !unit.words.is_empty() {
                writeln!(out, "now         {}", unit.words)?;
            }
        }
        None => writeln!(out, "{UNIT}: not known, systemd does not answer")?,
    }
    writeln!(out, "store       {}, {}", status.store, bytes(status.store_bytes))?;
    let Some(last) = &status.last else { return writeln!(out, "nothing is recorded in it") };
    writeln!(out, "recording   from {} with the {} backend", last.started, last.backend)?;
    if let Some(ended) = &last.ended {
        writeln!(out, "            until {ended}")?;
    }
    writeln!(out, "last flush  {}", last.last_flush)?;
    write_words(&last.words, terminal_width(), out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systemd_shows_is_read() {
        let shown = "MainPID=17\nStatusText=5 connections = all\nActiveState=active\nSubState=running\nStateChangeTimestamp=Fri 2026-11-27 21:00:00 UTC\n";
        let unit = parse(shown);
        assert!(unit.active);
        assert_eq!((unit.pid, unit.words.as_str()), (17, "5 connections = all"));
        assert_eq!(unit.state, "active (running)");
        assert_eq!(parse("ActiveState=inactive\nSubState=dead\nMainPID=0\n").pid, 0);
        assert!(!parse("").active);
    }
}
