//! `connmon alert`

use std::io::{Write, stderr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use super::{CommandError, Outcome, done, outcome, stdout};
use crate::alert::deliver::deliver;
use crate::alert::pending::{State, usual_place};
use crate::alert::{Alert, Message, News, Target};
use crate::cli::{AlertCommand, AlertCommands, AlertFiles, AlertRun};
use crate::clock::now;
use crate::config::File;
use crate::follow::{settled_until, written};
use connmon_analysis::format::{count, grouped};
use connmon_detect::test_finding;
use connmon_record::{Run, Timestamp, Zone, display_safe};
use connmon_render::findings::host_of;
use connmon_store::{Store, StoreError};

/// How often the store is asked.
const LOOK: Duration = Duration::from_millis(250);
/// How long a connection that has ended is still looked at: its names, its label and its hits may come later than its end.
const LATE_NS: i64 = 5_000_000_000;

/// Delivers alerts, tests them, or prints what waits.
///
/// # Errors
/// The configuration, the store, or the state cannot be used.
pub fn run(args: AlertCommands) -> Result<Outcome, CommandError> {
    match args.command {
        AlertCommand::Run(args) => follow(&args),
        AlertCommand::Test(files) => test(&files),
        AlertCommand::Status(files) => status(&files),
    }
}

/// The alerts of the configuration; there must be one.
fn alerts(files: &AlertFiles) -> Result<Vec<Alert>, CommandError> {
    let file = File::load(files.config.as_deref(), now())?;
    if file.alerts.is_empty() {
        let named = files.config.clone().unwrap_or_else(|| crate::config::DEFAULT.into());
        return Err(CommandError::NoAlerts(named.display().to_string()));
    }
    Ok(file.alerts)
}

fn place_of(files: &AlertFiles) -> PathBuf {
    files.state.clone().unwrap_or_else(|| usual_place(&files.db))
}

fn load(files: &AlertFiles) -> Result<Option<State>, CommandError> {
    let place = place_of(files);
    State::load(&place).map_err(|error| CommandError::Unreadable(place.display().to_string(), error))
}

fn follow(args: &AlertRun) -> Result<Outcome, CommandError> {
    let files = &args.files;
    let (alerts, place) = (alerts(files)?, place_of(files));
    let store = Store::open(&files.db)?;
    let mut state = match load(files)? {
        Some(state) => state,
        None => {
            let mut state = State::default();
            if !args.all {
                let (number, known) = written(&store, 0)?;
                state.number = number;
                state.pass_over(&alerts, &known);
                state.read_until = Some(settled_until(&store.runs()?));
            }
            state
        }
    };
    let save = |state: &State| {
        state.save(&place).map_err(|error| CommandError::File(place.display().to_string(), error))
    };
    save(&state)?;
    loop {
        let (number, findings) = written(&store, state.number)?;
        let mut is_news = !findings.is_empty();
        state.number = number;
        state.take(&alerts, findings, now());
        let runs = store.runs()?;
        is_news |= take_connections(&store, &runs, &alerts, &mut state)?;
        if state.deliver(&alerts, &host_of(&runs), now(), send) || is_news {
            save(&state)?;
        }
        if args.once {
            let waits = state.waiting().count();
            return Ok(outcome((waits > 0).then_some("some alerts could not be delivered; they wait")));
        }
        thread::sleep(LOOK);
    }
}

/// Takes the connections that alerts are about and that were open since it was last looked; whether that has changed anything.
fn take_connections(
    store: &Store,
    runs: &[Run],
    alerts: &[Alert],
    state: &mut State,
) -> Result<bool, StoreError> {
    let until = settled_until(runs);
    if state.read_until == Some(until) && alerts.iter().all(|alert| state.has_begun(alert)) {
        return Ok(false);
    }
    let late = |time: Timestamp| Timestamp(time.0.saturating_sub(LATE_NS));
    let since = state.read_until.map(|time| late(time.min(until)));
    let mut changed = false;
    for alert in alerts {
        changed |= state.take_connections(alert, [late(until), now()], |filter, each| {
            // Up to this time, and it is of it.
            let end = Some(Timestamp(until.0.saturating_add(1)));
            store.for_each(since, end, filter, |_, connection| {
                each(&connection);
                Ok::<(), StoreError>(())
            })
        })?;
    }
    state.read_until = Some(until);
    Ok(changed)
}

fn send(target: &Target, message: &Message<'_>, news: &News) -> Result<(), String> {
    deliver(target, message, news).map_err(|error| {
        let error = error.to_string();
        tracing::warn!(
            "the alert {} cannot be delivered to {target}: {}",
            display_safe(message.alert),
            display_safe(&error)
        );
        error
    })
}

fn test(files: &AlertFiles) -> Result<Outcome, CommandError> {
    let news = News::Finding(Box::new(test_finding(now())));
    let mut failed = false;
    for alert in alerts(files)? {
        for target in &alert.targets {
            let message = Message::new(&alert.name, "this host", &news, 0);
            let said = match deliver(target, &message, &news) {
                Ok(()) => "delivered".to_owned(),
                Err(error) => {
                    failed = true;
                    format!("failed: {error}")
                }
            };
            let line = format!("{} to {target}: {said}", alert.name);
            let _ = writeln!(stderr(), "{}", display_safe(&line));
        }
    }
    Ok(outcome(failed.then_some("not every target could be reached")))
}

fn status(files: &AlertFiles) -> Result<Outcome, CommandError> {
    let (alerts, state) = (alerts(files)?, load(files)?.unwrap_or_default());
    let mut out = stdout();
    let waiting: Vec<_> = state.waiting().collect();
    writeln!(
        out,
        "{} delivered, {} waiting, {} given up",
        count(state.delivered, "message", "messages"),
        grouped(waiting.len() as u64),
        grouped(state.given_up)
    )?;
    for alert in &alerts {
        let targets: Vec<String> = alert.targets.iter().map(ToString::to_string).collect();
        let held = match state.held_back(&alert.name) {
            0 => String::new(),
            n => format!("; {} held back", count(n, "message", "messages")),
        };
        writeln!(out, "{}", display_safe(&format!("{}: to {}{held}", alert.name, targets.join(", "))))?;
        for one in waiting.iter().filter(|one| one.alert == alert.name) {
            let why = one.error.as_deref().unwrap_or("not tried yet");
            let next = Zone::UTC.show_seconds(one.next);
            let line = format!(
                "  {} to {}: {} ({}, next at {next}): {why}",
                one.news.id(),
                one.target.1,
                one.news.words(),
                count(one.tries.into(), "try", "tries")
            );
            writeln!(out, "{}", display_safe(&line))?;
        }
    }
    done(out, None)
}
