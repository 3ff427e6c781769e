//! `connmon record`

use std::io::Write;

use super::{CommandError, Outcome, report, settle, terminal_width};
use crate::cli;
use crate::clock::now;
use crate::config::{self, Recording};
use crate::daemon::{self, Pipeline, RecordError, Viewers};
use crate::indexer::Indexer;
use crate::stderr::Stderr;
use connmon_analysis::Completeness;
use connmon_analysis::format::duration;
use connmon_capture::{limits, privileges};
use connmon_enrich::Enricher;
use connmon_live::broadcaster::Socket;
use connmon_record::frame::file;
use connmon_render::export::completeness::write_words;
use connmon_store::Writer;
use connmon_system::files;

/// Records, and makes a report if one is wanted.
///
/// # Errors
/// Not root, a refused program, an unwritable store, and so on.
pub fn run(mut args: cli::RecordArgs) -> Result<Outcome, CommandError> {
    let now = now();
    let file = config::File::load(args.config.as_deref(), now)?;
    file.fill(&mut args);
    let filter = config::filter(&args.choice, now)?;
    let lists = super::ioc::read(&args.classification.ioc, false)?;
    let settings = Recording::try_from(args)?;
    // SAFETY: only returns a number.
    if unsafe { libc::geteuid() } != 0 {
        return Err(CommandError::NotRoot);
    }
    privileges::check().map_err(RecordError::from)?;
    limits::check().map_err(RecordError::from)?;
    let geo = super::geo::open_databases(&settings.places)?;
    settings.make_folder()?;
    let store = Writer::open(&settings.db)?.with_recording_filter(filter).with_classifier(file.rules, lists);
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
    let mut pipeline = Pipeline::default().redacting(file.secrets);
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
    daemon::record(&settings, pipeline, (indexer, viewers), |backend| {
        let until = settings.length.map_or("until Ctrl-C".to_owned(), |length| {
            format!("for {}", duration(u64::try_from(length.as_nanos()).unwrap_or(u64::MAX)))
        });
        let _ =
            writeln!(Stderr, "recording into {} with the {backend} backend, {until}", settings.db.display());
    })?;
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
