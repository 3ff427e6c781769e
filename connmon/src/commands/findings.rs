//! `connmon findings`

mod events;

use std::path::Path;

use super::progress_line::ProgressLine;
use super::{CommandError, Outcome, done, settle, stdout, terminal_width};
use crate::cli::{self, FindingsCommand, PackagesArg, TextFormat};
use crate::clock::now;
use crate::config::{Choice, choice, zone};
use crate::ownership;
use connmon_analysis::{Completeness, Selection};
use connmon_detect::{Acknowledgement, CARDS, Engine, Finding, Policy, Settings, Severity, card};
use connmon_filter::Filter;
use connmon_record::Timestamp;
use connmon_render::export::completeness::write_essentials;
use connmon_render::export::findings::{Context, write_card, write_json, write_text};
use connmon_store::{Acknowledged, Store};

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
    let store = settle::open(&args.source.db)?
        .watched_by(ProgressLine::new("looking for what is worth a look").watch());
    let runs = store.runs()?;
    // What came before the interval is read too: what is new is only known by what was there.
    let policy =
        |text: &String| Policy::parse(text, now()).map_err(|error| CommandError::Policy(text.clone(), error));
    let policies: Vec<Policy> = args.policy.iter().map(policy).collect::<Result<_, _>>()?;
    let engine = engine_of(store, (&args.source.db, &args.packages), selection.until, &filter, policies)?;
    let least = Severity::from(args.severity);
    let all = engine.findings().into_iter();
    let chosen: Vec<&Finding> =
        all.filter(|finding| finding.severity >= least && overlaps(finding, &selection)).collect();
    let completeness = Completeness::from_runs(&runs, &selection);
    let context = Context {
        learning_since: engine.learning_since(),
        dropped: engine.dropped(),
        completeness: &completeness,
    };
    let mut out = stdout();
    match args.format {
        TextFormat::Text => {
            write_text(&chosen, &context, &zone(args.source.local), terminal_width(), &mut out)?;
            write_essentials(&completeness, terminal_width(), &mut out)?;
        }
        TextFormat::Json => write_json(&chosen, &context, &mut out)?,
    }
    done(out, chosen.is_empty().then_some("nothing is worth a look"))
}

/// An engine that has been fed with what a store has, up to a time, and knows what was acknowledged.
///
/// # Errors
/// The store cannot be read.
pub(super) fn engine_of(
    store: Store,
    (path, packages): (&Path, &PackagesArg),
    until: Option<Timestamp>,
    filter: &Filter,
    policies: Vec<Policy>,
) -> Result<Engine, CommandError> {
    let runs = store.runs()?;
    let mut engine = Engine::new(Settings::default()).with_policies(policies);
    let root = packages.packages.as_deref();
    let packages = ownership::packages(root, &runs).map_err(|error| {
        CommandError::Unreadable(root.unwrap_or(Path::new("/")).display().to_string(), error)
    })?;
    if let Some(mut packages) = packages {
        engine = engine.with_owners(move |process| ownership::owner(&mut packages, process));
    }
    let other = Store::open(path)?;
    events::feed(&store, other, &runs, until, filter, &mut engine)?;
    for known in store.acknowledged()? {
        let Acknowledged { finding, time, by, note, severity, score } = known;
        // A severity that a newer version may know is taken for the highest.
        let severity = Severity::ALL.into_iter().find(|one| severity == one.name()).unwrap_or(Severity::High);
        engine.acknowledge(&finding.shown(), Acknowledgement { time, by, note, severity, score });
    }
    Ok(engine)
}

/// Whether a finding was seen within the interval.
fn overlaps(finding: &Finding, selection: &Selection) -> bool {
    selection.since.is_none_or(|since| finding.last >= since)
        && selection.until.is_none_or(|until| finding.first < until)
}
