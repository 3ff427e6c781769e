//! `connmon record`

use std::io::Write;
use std::sync::Arc;

use super::{CommandError, Outcome, report, settle, terminal_width};
use crate::cli;
use crate::clock::now;
use crate::config::{self, Recording, Setting};
use crate::daemon::{self, Judgement, Pipeline, ReadAgain, RecordError, Reloaded, Viewers};
use crate::indexer::Indexer;
use crate::stderr::Stderr;
use connmon_analysis::Completeness;
use connmon_analysis::format::{count, duration};
use connmon_capture::{limits, privileges};
use connmon_enrich::Enricher;
use connmon_filter::Filter;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_live::broadcaster::Socket;
use connmon_record::frame::file;
use connmon_record::secrets::Secrets;
use connmon_render::export::completeness::write_words;
use connmon_store::{Policy, Writer};
use connmon_system::files;

/// Options that take effect when the configuration is read again. Sections do as well.
const RELOADED: [&str; 4] = ["ioc", "geo-db", "geo-dir", "location"];

/// What a recording is told: by the command line, the configuration and the lists.
struct Sources {
    settings: Recording,
    /// The options with their values.
    said: Vec<Setting>,
    filter: Filter,
    rules: Rules,
    secrets: Secrets,
    /// Connections that are not pruned.
    keep: Vec<Filter>,
    lists: Lists,
}

impl Sources {
    /// What was typed, and what is in the files now.
    fn read(mut args: cli::RecordArgs) -> Result<Self, CommandError> {
        let now = now();
        let file = config::File::load(args.config.as_deref(), now)?;
        let said = file.settings(args.clone());
        file.fill(&mut args);
        let filter = config::filter(&args.choice, now)?;
        let lists = super::ioc::read(&args.classification.ioc, false)?;
        let config::File { rules, secrets, keep, .. } = file;
        Ok(Self { settings: Recording::try_from(args)?, said, filter, rules, secrets, keep, lists })
    }
}

/// Reads everything again that was `typed` or is in files, of a recording that began with what was `said`.
fn again(typed: &cli::RecordArgs, said: &[Setting]) -> Result<Reloaded, CommandError> {
    let Sources { settings, said: now, rules, secrets, keep, lists, .. } = Sources::read(typed.clone())?;
    let geo = super::geo::open_databases(&settings.places)?;
    let value = |of: &[Setting], name: &str| {
        of.iter().find(|setting| setting.name == name).map(|setting| setting.value.clone())
    };
    let needs_restart = |setting: &&Setting| {
        let is_option = !setting.name.contains('.') && !RELOADED.contains(&setting.name.as_str());
        is_option && value(&now, &setting.name).as_ref() != Some(&setting.value)
    };
    let restart: Vec<&str> = said.iter().filter(needs_restart).map(|setting| setting.name.as_str()).collect();
    let number = |n: usize, one, many| count(n as u64, one, many);
    let mut words = format!(
        "the configuration was read again: {}, {}, {}",
        number(rules.iter().count(), "rule", "rules"),
        number(lists.abouts().len(), "list of indicators", "lists of indicators"),
        number(geo.databases().len(), "geo database", "geo databases"),
    );
    if !restart.is_empty() {
        words.push_str("; a restart is needed for ");
        words.push_str(&restart.join(", "));
    }
    let location = settings.places.location;
    let retention = Policy { keep, ..settings.retention };
    Ok(Reloaded { secrets, judgement: Judgement { rules, lists, geo, location, retention }, words })
}

/// Records, and makes a report if one is wanted.
///
/// # Errors
/// Not root, a refused program, an unwritable store, and so on.
pub fn run(args: cli::RecordArgs) -> Result<Outcome, CommandError> {
    let typed = args.clone();
    let Sources { settings, said, filter, rules, secrets, keep, lists } = Sources::read(args)?;
    privileges::check().map_err(RecordError::from)?;
    limits::check().map_err(RecordError::from)?;
    let geo = super::geo::open_databases(&settings.places)?;
    settings.make_folder()?;
    let retention = Policy { keep, ..settings.retention.clone() };
    let store = Writer::open(&settings.db)?
        .with_recording_filter(filter)
        .with_classifier(rules, lists)
        .with_retention(retention);
    let capture = match &settings.capture {
        Some(path) => {
            let name = path.display().to_string();
            let writer =
                file::Writer::create(path).map_err(|error| CommandError::File(name.clone(), error))?;
            Some((name, writer))
        }
        None => None,
    };
    if let Some(path) = &settings.report {
        let failed = |error| CommandError::File(path.display().to_string(), error);
        files::check_place(path).map_err(failed)?;
        if settings.capture.as_ref().is_some_and(|capture| files::same(capture, path)) {
            return Err(failed(std::io::Error::other("the capture is written to that file; name another")));
        }
    }
    let mut pipeline = Pipeline::default().redacting(secrets);
    if let Some((name, writer)) = capture {
        pipeline = pipeline.capturing(name, writer);
    }
    let mut indexer = Indexer::new(Enricher::new(geo, settings.places.location.clone()), store);
    settle::settle(&mut indexer)?;
    let mut viewers = Viewers::default();
    if let Some(path) = &settings.socket {
        match Socket::bind(path) {
            Ok(socket) => viewers = Viewers::at(socket),
            // A recording that nobody can watch is better than none.
            Err(error) => tracing::warn!("no viewer can attach: {error}"),
        }
    }
    let read: ReadAgain = Arc::new(move || again(&typed, &said).map_err(|error| error.to_string()));
    let begun = |backend: &str| {
        let until = settings.length.map_or("until Ctrl-C".to_owned(), |length| {
            format!("for {}", duration(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)))
        });
        let _ =
            writeln!(Stderr, "recording into {} with the {backend} backend, {until}", settings.db.display());
    };
    daemon::record(&settings, pipeline, (indexer, viewers), begun, read)?;
    let store = settle::open(&settings.db)?;
    if let Some((_, completeness)) = Completeness::of_last(&store.runs()?)
        && !completeness.is_complete()
    {
        let _ = write_words(&completeness, terminal_width(), &mut Stderr);
    }
    if let Some(path) = &settings.report {
        report::write_html(&store, path)?;
        let _ = writeln!(Stderr, "report: {}", path.display());
    }
    Ok(Outcome::Done)
}
