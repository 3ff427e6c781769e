//! `connmon live`

mod recorder;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use super::{CommandError, Outcome};
use crate::cli::{self, DEFAULT_DB, ScrollFormat};
use crate::clock::now;
use crate::config;
use connmon_filter::Filter;
use connmon_live::attach::{AttachError, Updates, connect};
use connmon_live::scroll::Scroll;
use connmon_live::tui::{self, TuiError};
use connmon_live::{LiveState, save, socket_of};
use connmon_render::report::payload::DEFAULT_ROWS;
use connmon_system::files;
use recorder::Recorder;

/// How often a signal is looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Shows what happens until it is told to stop, or the recorder stops.
///
/// # Errors
/// Nobody records and this user may not, or the recorder goes without a word.
pub fn run(args: cli::Live) -> Result<Outcome, CommandError> {
    let filter = config::filter(&args.choice, now())?;
    if !args.scroll && !tui::has_terminal() {
        return Err(TuiError::NoTerminal.into());
    }
    let (updates, _recorder) = attach(&args)?;
    if args.scroll { scroll(&updates, filter, &args) } else { screen(&updates, filter, &args) }
}

/// Draws the screen until a key or a signal ends it.
fn screen(updates: &Updates, filter: Filter, args: &cli::Live) -> Result<Outcome, CommandError> {
    let options = tui::Options {
        cell: Duration::try_from_secs_f64(args.time_unit).unwrap_or(Duration::from_secs(1)),
        width: args.width,
        filter,
        color: crate::stderr::colours(true),
        ascii: args.ascii,
        keep: args.keep,
        stop: stopped()?,
        ..tui::Options::new(Box::new(save_report))
    };
    tui::run(updates, options)?;
    Ok(Outcome::Done)
}

/// Writes the report of what is shown into the folder that we are in.
fn save_report(live: &LiveState, filter: &Filter) -> Result<PathBuf, String> {
    let time: String = now().to_string().chars().take(19).filter(|c| !"-:".contains(*c)).collect();
    let path = std::path::absolute(format!("connmon-live-{time}.html")).map_err(|error| error.to_string())?;
    files::replace(&path, |out| save::write(live, filter, DEFAULT_ROWS, out))
        .map_err(|error| error.to_string())?;
    Ok(path)
}

/// Attaches to a recorder, or starts one.
fn attach(args: &cli::Live) -> Result<(Updates, Option<Recorder>), CommandError> {
    if args.no_store {
        let (recorder, updates) = Recorder::start(None, &args.record)?;
        return Ok((updates, Some(recorder)));
    }
    let socket = args.socket.clone().unwrap_or_else(|| socket_of(&args.db, Path::new(DEFAULT_DB)));
    match connect(&socket) {
        Ok(updates) if args.record.is_empty() => Ok((updates, None)),
        Ok(_) => Err(CommandError::RecordsAlready(socket.display().to_string())),
        // SAFETY: only returns a number.
        Err(AttachError::NoRecorder(..)) if args.socket.is_none() && unsafe { libc::geteuid() } == 0 => {
            // A case that is closed is not added to by looking at it.
            if args.db != Path::new(DEFAULT_DB) && args.db.exists() && !args.go_on {
                return Err(CommandError::RecordsNothing(args.db.display().to_string()));
            }
            let (recorder, updates) = Recorder::start(Some((&args.db, &socket)), &args.record)?;
            Ok((updates, Some(recorder)))
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes lines until the recorder ends, the reader goes, or a signal comes.
fn scroll(updates: &Updates, filter: Filter, args: &cli::Live) -> Result<Outcome, CommandError> {
    let stop = stopped()?;
    let mut live = LiveState::new(args.keep, false);
    // A line at a time, also into a pipe.
    let mut scroll = Scroll::new(io::stdout(), filter, args.format == ScrollFormat::Jsonl);
    while !stop.load(Ordering::Relaxed) {
        let update = match updates.recv_timeout(LOOK) {
            Ok(update) => update,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => Err(AttachError::Gone),
        };
        match update {
            Ok(update) => {
                let changes = live.apply(&update);
                if let Some(missed @ 1..) = update.snapshot.filter(|part| part.first).map(|part| part.missed)
                {
                    scroll.missed(live.now(), missed)?;
                }
                scroll.write(&live, &changes.events)?;
            }
            Err(AttachError::Gone) if live.has_ended() => return Ok(Outcome::Done),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Outcome::Done)
}

/// A flag that the signals of Ctrl-C and of an orderly end set.
fn stopped() -> Result<Arc<AtomicBool>, CommandError> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, flag.clone())?;
    }
    Ok(flag)
}
