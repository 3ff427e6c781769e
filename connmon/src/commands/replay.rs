//! `connmon replay`

use std::io::{Write, stderr};

use super::{CommandError, Outcome, report};
use crate::batch_writer::BatchWriter;
use crate::cli;
use crate::clock::now;
use crate::config::{self, GeoConfig};
use connmon_analysis::format::{count, grouped};
use connmon_enrich::Enricher;
use connmon_record::frame::{Frame, file};
use connmon_store::{Store, Writer};
use connmon_system::files;
use connmon_track::Tracker;

/// Feeds a capture through the tracker.
///
/// # Errors
/// The capture cannot be read, or the store cannot be written.
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
    let mut reader = file::Reader::open(&args.capture).map_err(failed)?;
    let places = GeoConfig::try_from(args.places)?;
    let geo = super::geo::open_databases(&places)?;
    if let Some(path) = &args.report {
        files::check_place(path).map_err(|error| CommandError::File(path.display().to_string(), error))?;
    }
    let store = Writer::open(&args.db)?.with_recording_filter(filter).with_classifier(rules, lists);
    let mut writer = BatchWriter::new(Enricher::new(geo, places.location), store);
    let mut tracker = Tracker::default().redacting(secrets);
    let (mut frames, mut ended) = (0, false);
    while let Some(frame) = reader.read().map_err(failed)? {
        // As often as a recording would, so that a long capture does not have to fit into memory.
        let flush = matches!(frame, Frame::SweepEnd(_));
        ended = matches!(frame, Frame::End(_));
        frames += 1;
        tracker.feed(frame);
        if flush || tracker.is_full() {
            writer.put(&mut tracker.take())?;
        }
    }
    writer.put(&mut tracker.take())?;
    if !ended {
        let _ = writeln!(
            stderr(),
            "{name} was cut off: its recording did not end normally; the frames up to there were replayed"
        );
    }
    let connections = u64::try_from(tracker.connections()).unwrap_or(0);
    let _ = writeln!(
        stderr(),
        "replayed {}, {}",
        count(frames, "frame", "frames"),
        count(connections, "connection", "connections")
    );
    if writer.left_out() > 0 {
        let _ = writeln!(stderr(), "excluded by the filter: {}", grouped(writer.left_out()));
    }
    if let Some(path) = &args.report {
        let store = Store::open(&args.db)?;
        report::write_html(&store, path)?;
    }
    Ok(Outcome::Done)
}
