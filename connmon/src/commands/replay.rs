//! `connmon replay`

use std::io::{Write, stderr};
use std::path::Path;

use super::{CommandError, Outcome, report, settle};
use crate::cli;
use crate::clock::now;
use crate::config::{self, GeoConfig};
use crate::indexer::{IndexError, Indexer};
use connmon_analysis::format::{count, grouped};
use connmon_enrich::Enricher;
use connmon_record::frame::Frame;
use connmon_record::secrets::Secrets;
use connmon_record::segment::{Columns, Packed, Span, file};
use connmon_store::{Store, StoreError, Writer};
use connmon_system::files;

/// Makes a store of what was recorded: of a capture file, or of the segments of a store.
///
/// # Errors
/// What was recorded cannot be read, or the store cannot be written.
pub fn run(mut args: cli::Replay) -> Result<Outcome, CommandError> {
    let now = now();
    let (rules, secrets) = match &args.config {
        Some(path) => {
            let file = config::File::load(Some(path), now)?;
            file.fill_shared(&mut args.choice, &mut args.places, &mut args.classification);
            (file.rules, file.secrets)
        }
        None => Default::default(),
    };
    let filter = config::filter(&args.choice, now)?;
    let lists = super::ioc::read(&args.classification.ioc, false)?;
    let name = args.capture.display().to_string();
    let failed = |error| CommandError::Capture(name.clone(), error);
    let source = Source::open(&args.capture).map_err(|error| match error {
        SourceError::Capture(error) => failed(error),
        SourceError::Store(error) => error.into(),
    })?;
    let places = GeoConfig::try_from(args.places)?;
    let geo = super::geo::open_databases(&places)?;
    if let Some(path) = &args.report {
        files::check_place(path).map_err(|error| CommandError::File(path.display().to_string(), error))?;
    }
    let store = Writer::open(&args.db)?.with_recording_filter(filter).with_classifier(rules, lists);
    let mut indexer = Indexer::new(Enricher::new(geo, places.location), store);
    settle::settle(&mut indexer)?;
    let mut replay = Replay {
        indexer,
        secrets,
        columns: Columns::default(),
        span: Span::default(),
        frames: 0,
        state: State::Empty,
    };
    match source {
        Source::Capture(mut reader) => {
            while let Some(frame) = reader.read().map_err(failed)? {
                replay.take(frame)?;
            }
        }
        Source::Store(store) => replay.segments(&store)?,
    }
    replay.flush()?;
    let Replay { mut indexer, frames, state, .. } = replay;
    if state != State::Over {
        let _ = writeln!(
            stderr(),
            "{name} was cut off: its recording did not end normally; the frames up to there were replayed"
        );
    }
    let connections = u64::try_from(indexer.connections()).unwrap_or(0);
    let _ = writeln!(
        stderr(),
        "replayed {}, {}",
        count(frames, "frame", "frames"),
        count(connections, "connection", "connections")
    );
    if let left_out @ 1.. = indexer.store().left_out() {
        let _ = writeln!(stderr(), "excluded by the filter: {}", grouped(left_out));
    }
    if let Some(path) = &args.report {
        let store = settle::open(&args.db)?;
        report::write_html(&store, &args.db, path)?;
    }
    Ok(Outcome::Done)
}

/// Where frames come from.
enum Source {
    Capture(file::Reader),
    Store(Store),
}

enum SourceError {
    Capture(file::ReadError),
    Store(StoreError),
}

impl Source {
    fn open(path: &Path) -> Result<Self, SourceError> {
        if connmon_store::is_database(path) {
            return Store::open(path).map(Self::Store).map_err(SourceError::Store);
        }
        file::Reader::open(path).map(Self::Capture).map_err(SourceError::Capture)
    }
}

/// How far a recording has been read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Empty,
    Begun,
    Over,
}

/// A recording that is read again.
struct Replay {
    indexer: Indexer,
    secrets: Secrets,
    columns: Columns,
    span: Span,
    frames: u64,
    state: State,
}

impl Replay {
    fn take(&mut self, mut frame: Frame) -> Result<(), CommandError> {
        frame.redact(&self.secrets);
        match &frame {
            Frame::Start(start) => {
                self.flush()?;
                self.indexer.begin(start)?;
                self.state = State::Begun;
                self.span = Span {
                    first_ns: start.started_ns,
                    last_ns: start.started_ns,
                    clock_offset_ns: start.clock_offset_ns,
                };
            }
            Frame::Clock(_, offset_ns) | Frame::ClockRight(_, offset_ns) => {
                self.span.clock_offset_ns = *offset_ns
            }
            Frame::SweepEnd(time_ns) => self.span.last_ns = *time_ns,
            Frame::End(time_ns) => (self.span.last_ns, self.state) = (*time_ns, State::Over),
            _ => {}
        }
        // As often as a recording would, so that a long capture does not have to fit into memory.
        let is_due = matches!(frame, Frame::SweepEnd(_));
        self.frames += 1;
        self.columns.push(&frame);
        if is_due || self.columns.is_full() { self.flush() } else { Ok(()) }
    }

    /// Seals what has come together, and makes rows of it.
    fn flush(&mut self) -> Result<(), CommandError> {
        let columns = std::mem::take(&mut self.columns);
        if columns.frames() == 0 {
            return Ok(());
        }
        if self.state == State::Empty {
            return Err(CommandError::NoStart);
        }
        self.indexer.seal(&Packed::new(&columns, self.span).map_err(IndexError::from)?)?;
        self.span.first_ns = self.span.last_ns;
        while self.indexer.index()?.is_some() {}
        Ok(())
    }

    /// Takes in the segments of a store, all recordings one after the other.
    fn segments(&mut self, store: &Store) -> Result<(), CommandError> {
        store.for_each_segment(|sealed| {
            let (run, number) = (sealed.run, sealed.link.number);
            let packed = sealed.packed.ok_or(IndexError::Missing { run, number })?;
            let mut frames = Vec::new();
            packed.read(number, |frame| frames.push(frame)).map_err(IndexError::from)?;
            frames.into_iter().try_for_each(|frame| self.take(frame))
        })
    }
}
