//! `connmon record`

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{CommandError, Outcome, report, settle, terminal_width};
use crate::alert::Alert;
use crate::cli;
use crate::clock::now;
use crate::config::{self, Recording, Setting};
use crate::daemon::{
    self, Access, CaptureFile, Judgement, Keeper, Notifier, Parts, Pipeline, ReadAgain, RecordError,
    Reloaded, Viewers,
};
use crate::indexer::Indexer;
use crate::stderr::Stderr;
use connmon_analysis::Completeness;
use connmon_analysis::format::{count, duration};
use connmon_capture::{limits, privileges};
use connmon_enrich::Enricher;
use connmon_filter::Filter;
use connmon_filter::ioc;
use connmon_filter::rules::Rules;
use connmon_live::broadcaster::Socket;
use connmon_live::web::metrics::Metrics;
use connmon_record::secrets::Secrets;
use connmon_record::segment::file;
use connmon_render::export::completeness::write_words;
use connmon_store::{Policy, Writer};
use connmon_system::{files, priority};

/// Options that take effect when the configuration is read again. Sections do as well.
const RELOADED: [&str; 4] = ["ioc", "geo-db", "geo-dir", "location"];

/// What a recording is told by the command line and the configuration, which only its administrator writes.
struct Sources {
    settings: Recording,
    /// The options with their values.
    said: Vec<Setting>,
    rules: Rules,
    secrets: Secrets,
    /// Connections that are not pruned.
    keep: Vec<Filter>,
    /// The user's own rules, of which alerts tell.
    policies: Vec<connmon_detect::Policy>,
    choice: cli::Choice,
    lists: Vec<PathBuf>,
}

/// What it is told by lists, which come from elsewhere.
struct Lists {
    filter: Filter,
    indicators: ioc::Lists,
}

impl Sources {
    /// What was typed, and what is in the configuration now.
    fn read(mut args: cli::RecordArgs) -> Result<Self, CommandError> {
        let file = config::File::load(args.config.as_deref(), now())?;
        let said = file.settings(args.clone());
        file.fill(&mut args);
        let config::File { rules, secrets, keep, alerts, .. } = file;
        let policies = alerts.into_iter().filter_map(Alert::into_policy).collect();
        let (choice, lists) = (args.choice.clone(), args.classification.ioc.clone());
        let settings = Recording::try_from(args)?;
        Ok(Self { settings, said, rules, secrets, keep, policies, choice, lists })
    }

    /// What is in the lists now.
    fn lists(&self) -> Result<Lists, CommandError> {
        let filter = config::filter(&self.choice, now())?;
        Ok(Lists { filter, indicators: super::ioc::read(&self.lists, false)? })
    }

    /// The files of this host that are needed to record, and to read all of this again.
    fn access(&self, config: Option<&Path>) -> Access {
        let Recording { db, capture, report, places, resolve, .. } = &self.settings;
        let written = [Some(db), capture.as_ref(), report.as_ref()].into_iter().flatten();
        let addresses = self.choice.filter_file.iter();
        let addresses = addresses.map(|file| PathBuf::from(file.strip_prefix('!').unwrap_or(file)));
        let config = config
            .map(Path::to_owned)
            .or_else(|| Some(config::DEFAULT.into()).filter(|path: &PathBuf| path.exists()));
        let read = config.into_iter().chain(self.lists.clone()).chain(addresses);
        let read = read.chain(places.files.clone()).chain(places.folder.clone());
        Access { written: written.cloned().collect(), read: read.collect(), asks: resolve.is_some() }
    }
}

/// Reads everything again that was `typed` or is in files, of a recording that began with what was `said`.
fn again(typed: &cli::RecordArgs, said: &[Setting]) -> Result<Reloaded, CommandError> {
    let sources = Sources::read(typed.clone())?;
    let Lists { indicators, .. } = sources.lists()?;
    let Sources { settings, said: now, rules, secrets, keep, policies, .. } = sources;
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
        number(indicators.abouts().len(), "list of indicators", "lists of indicators"),
        number(geo.databases().len(), "geo database", "geo databases"),
    );
    if !restart.is_empty() {
        words.push_str("; a restart is needed for ");
        words.push_str(&restart.join(", "));
    }
    let location = settings.places.location;
    let retention = Policy { keep, ..settings.retention };
    let judgement = Judgement { rules, lists: indicators, geo, location, retention, policies };
    Ok(Reloaded { secrets, judgement, words })
}

/// Records, and makes a report if one is wanted.
///
/// # Errors
/// Not root, a refused program, an unwritable store, and so on.
pub fn run(args: cli::RecordArgs) -> Result<Outcome, CommandError> {
    let typed = args.clone();
    let sources = Sources::read(args)?;
    privileges::check().map_err(RecordError::from)?;
    limits::check().map_err(RecordError::from)?;
    sources.settings.make_folder()?;
    // From here on there are two processes, of which only the other one keeps its rights.
    let keeper = Keeper::start(&sources.settings)?;
    let metrics = sources.settings.metrics.map(Metrics::bind).transpose().map_err(RecordError::from)?;
    let socket = sources.settings.socket.as_deref().map(Socket::bind).transpose();
    let manager = Notifier::of_environment();
    // Without it the thread that makes rows is as urgent as any.
    let _ = priority::allow_hurrying();
    daemon::confine(&sources.access(typed.config.as_deref())).map_err(RecordError::from)?;
    let Lists { filter, indicators } = sources.lists()?;
    let Sources { settings, said, rules, secrets, keep, policies, .. } = sources;
    let geo = super::geo::open_databases(&settings.places)?;
    let retention = Policy { keep, ..settings.retention.clone() };
    let store = Writer::open(&settings.db)?
        .with_recording_filter(filter)
        .with_classifier(rules, indicators)
        .with_retention(retention);
    // A recording that nobody can watch is better than none.
    let unwatched = |error| tracing::warn!("no viewer can attach: {error}");
    let viewers = socket.map_err(unwatched).ok().flatten().map(Viewers::at).unwrap_or_default();
    let capture = match &settings.capture {
        Some(path) => {
            let name = path.display().to_string();
            let writer =
                file::Writer::create(path).map_err(|error| CommandError::File(name.clone(), error))?;
            CaptureFile::at(name, writer)
        }
        None => CaptureFile::default(),
    };
    if let Some(path) = &settings.report {
        let failed = |error| CommandError::File(path.display().to_string(), error);
        files::check_place(path).map_err(failed)?;
        if settings.capture.as_ref().is_some_and(|capture| files::same(capture, path)) {
            return Err(failed(std::io::Error::other("the capture is written to that file; name another")));
        }
    }
    let pipeline = Pipeline::default().redacting(secrets);
    let mut indexer = Indexer::new(Enricher::new(geo, settings.places.location.clone()), store);
    settle::settle(&mut indexer)?;
    let read: ReadAgain = Arc::new(move || again(&typed, &said).map_err(|error| error.to_string()));
    let begun = |backend: &str| {
        let until = settings.length.map_or("until Ctrl-C".to_owned(), |length| {
            format!("for {}", duration(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)))
        });
        let _ =
            writeln!(Stderr, "recording into {} with the {backend} backend, {until}", settings.db.display());
    };
    daemon::record(
        &settings,
        Parts { keeper, pipeline, capture, indexer, policies, viewers, manager, metrics, read },
        begun,
    )?;
    let store = settle::open(&settings.db)?;
    if let Some((_, completeness)) = Completeness::of_last(&store.runs()?)
        && !completeness.is_complete()
    {
        let _ = write_words(&completeness, terminal_width(), &mut Stderr);
    }
    if let Some(path) = &settings.report {
        report::write_html(&store, &settings.db, path)?;
        let _ = writeln!(Stderr, "report: {}", path.display());
    }
    Ok(Outcome::Done)
}
