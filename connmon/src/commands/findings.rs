//! `connmon findings`

mod events;

use std::path::Path;

use super::progress_line::ProgressLine;
use super::{CommandError, Outcome, done, settle, stdout, terminal_width};
use crate::cli::{self, FindingsCommand, FindingsFormat};
use crate::clock::now;
use crate::config::{Choice, choice, zone};
use crate::follow::{Follow, acknowledgement};
use crate::ownership::{Ownership, owners};
use connmon_analysis::{Completeness, Selection};
use connmon_detect::{CARDS, Engine, Finding, Found, Policy, Settings, Severity, card};
use connmon_record::{Connection, Run, Timestamp};
use connmon_render::export::alerts;
use connmon_render::export::completeness::write_essentials;
use connmon_render::export::findings::{write_card, write_json, write_text};
use connmon_store::{Store, Writer};
use connmon_system::owner;
pub(super) use events::Part;

/// Connections after which it is told how far it is.
const AT_ONCE: usize = 8_192;

/// Prints what is worth a look, or what a detector does.
///
/// # Errors
/// The store cannot be read, an option not be understood, or there is no such detector.
pub fn run(args: &cli::Findings) -> Result<Outcome, CommandError> {
    match &args.command {
        Some(FindingsCommand::Explain { detector }) => explain(detector.as_deref()),
        None => list(args),
    }
}

fn explain(detector: Option<&str>) -> Result<Outcome, CommandError> {
    let cards = match detector {
        None => CARDS.to_vec(),
        Some(name) => vec![card(name).ok_or_else(|| CommandError::NoDetector(name.to_owned()))?],
    };
    let mut out = stdout();
    for (nth, card) in cards.into_iter().enumerate() {
        if nth > 0 {
            std::io::Write::write_all(&mut out, b"\n")?;
        }
        write_card(card, terminal_width(), &mut out)?;
    }
    done(out, None)
}

fn list(args: &cli::Findings) -> Result<Outcome, CommandError> {
    let Choice { selection, filter } = choice(&args.source, now())?;
    let watched =
        |store: Store| store.watched_by(ProgressLine::new("looking for what is worth a look").watch());
    let store = settle::open(&args.source.db)?;
    if args.keep {
        owner::act(&args.source.db, || keep(&args.source.db, watched))
            .map_err(CommandError::from)
            .flatten()?;
    }
    let store = watched(store);
    let runs = store.runs()?;
    let look = Look {
        packages: args.packages.packages.as_deref(),
        policies: policies(&args.policy)?,
        // What came before the interval is read too: what is new is only known by what was there.
        part: Part { since: None, until: selection.until, filter: &filter, lookups: filter.is_everything() },
    };
    let (engine, _other) = look.into_engine(&store, &args.source.db, Some)?;
    let least = Severity::from(args.severity);
    let found = engine.found(|finding| finding.severity >= least && overlaps(finding, &selection));
    let completeness = Completeness::from_runs(&runs, &selection);
    let mut out = stdout();
    match args.format {
        FindingsFormat::Text => {
            write_text(&found, args.all, &zone(args.source.local), terminal_width(), &mut out)?;
            write_essentials(&completeness, terminal_width(), &mut out)?;
        }
        FindingsFormat::Json => write_json(&found, &completeness, &mut out)?,
        FindingsFormat::Ecs => alerts::ecs::write(&found, &runs, &mut out)?,
        FindingsFormat::Ocsf => alerts::ocsf::write(&found, &runs, &mut out)?,
        FindingsFormat::Stix => alerts::stix::write(&found, &runs, &mut out)?,
    }
    done(out, found.findings.is_empty().then_some("nothing is worth a look"))
}

/// Keeps what is found in all of a store that nobody records into, and what the engine knows then.
fn keep(path: &Path, watched: impl FnOnce(Store) -> Store) -> Result<(), CommandError> {
    let mut writer = Writer::open(path)?;
    let store = watched(writer.reader()?);
    let runs = store.runs()?;
    let owners = owners(Ownership::of(None, &runs).unwrap_or_default());
    let Some(mut follow) = Follow::open(&store, owners, Vec::new())? else { return Ok(()) };
    read_all(&mut follow, &store, &runs)?;
    follow.write(&mut writer, true)?;
    Ok(())
}

/// Feeds the engine with all that is new, and tells how far it is.
fn read_all(follow: &mut Follow, store: &Store, runs: &[Run]) -> Result<(), CommandError> {
    while follow.step(store, AT_ONCE)? {
        store.tell_time(follow.now(), runs);
    }
    store.tell_time(Timestamp(i64::MAX), runs);
    Ok(())
}

/// Rules of the user's own, as they were given.
///
/// # Errors
/// One cannot be understood.
pub(super) fn policies(texts: &[String]) -> Result<Vec<Policy>, CommandError> {
    let policy =
        |text: &String| Policy::parse(text, now()).map_err(|error| CommandError::Policy(text.clone(), error));
    texts.iter().map(policy).collect()
}

/// What is looked for, and where.
pub(super) struct Look<'a> {
    /// The root folder of the system whose packages are asked.
    pub(super) packages: Option<&'a Path>,
    /// The user's own rules.
    pub(super) policies: Vec<Policy>,
    /// What of the store is read.
    pub(super) part: Part<'a>,
}

impl Look<'_> {
    /// An engine that has been fed with a part of a store, and knows what was acknowledged; and the same store, opened once more, which
    /// is to be kept as long as the other (see [`events::feed`]). If all of it is asked for, the engine goes on from where the recorder
    /// was.
    ///
    /// # Errors
    /// The store cannot be read.
    pub(super) fn into_engine(
        self,
        store: &Store,
        path: &Path,
        change: impl FnMut(Connection) -> Option<Connection>,
    ) -> Result<(Engine, Option<Store>), CommandError> {
        let Self { packages: root, policies, part } = self;
        let runs = store.runs()?;
        let packages = Ownership::of(root, &runs).map_err(|error| {
            CommandError::Unreadable(root.unwrap_or(Path::new("/")).display().to_string(), error)
        })?;
        let owners = owners(packages);
        if part.is_everything() && policies.is_empty() && root.is_none() {
            let Some(mut follow) = Follow::open(store, owners, policies)? else {
                return Ok((Engine::new(Settings::default()), None));
            };
            read_all(&mut follow, store, &runs)?;
            return Ok((follow.finish(store)?, None));
        }
        let engine = Engine::new(Settings::default()).with_policies(policies).with_owners(owners);
        let (mut engine, other) = events::feed((store, Store::open(path)?), &runs, &part, engine, change)?;
        for known in store.acknowledged()? {
            let id = known.finding.shown().into_owned();
            engine.acknowledge(&id, acknowledgement(known));
        }
        Ok((engine, Some(other)))
    }
}

/// What is worth a look in a part of a store, as far as it was seen in the interval; and the same store, as [`Look::into_engine`] gives it.
///
/// # Errors
/// The store cannot be read.
pub(super) fn found(
    store: &Store,
    path: &Path,
    selection: &Selection,
    part: Part<'_>,
    change: impl FnMut(Connection) -> Option<Connection>,
) -> Result<(Found, Option<Store>), CommandError> {
    let look = Look { packages: None, policies: Vec::new(), part };
    let (engine, other) = look.into_engine(store, path, change)?;
    Ok((engine.found(|finding| overlaps(finding, selection)), other))
}

/// Whether a finding was seen within the interval.
fn overlaps(finding: &Finding, selection: &Selection) -> bool {
    selection.since.is_none_or(|since| finding.last >= since)
        && selection.until.is_none_or(|until| finding.first < until)
}
