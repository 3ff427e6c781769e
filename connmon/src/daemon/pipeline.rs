//! From frames to batches, and into the capture file.

use std::io;

use crate::resolve::Resolver;
use connmon_record::frame::Frame;
use connmon_record::frame::file::Writer as CaptureWriter;
use connmon_record::rows::Batch;
use connmon_record::secrets::Secrets;
use connmon_record::{Endpoint, Gap, Timestamp};
use connmon_track::Tracker;

/// Frames in, batches out.
#[derive(Default)]
pub struct Pipeline {
    /// Connections and processes.
    pub(super) tracker: Tracker,
    pub(super) resolver: Option<Resolver>,
    file: Option<File>,
    frames: u64,
    /// Since when the kernel's buffers are not read, and what had been lost before.
    paused: Option<(Timestamp, u64)>,
    gaps: Vec<Gap>,
}

/// The capture file.
struct File {
    path: String,
    writer: CaptureWriter,
    /// It could not be written to when that was last tried.
    failing: bool,
}

impl Pipeline {
    /// The same, and more is redacted from command lines.
    #[must_use]
    pub fn redacting(self, secrets: Secrets) -> Self {
        Self { tracker: self.tracker.redacting(secrets), ..self }
    }

    /// The same, and the raw frames go into a file.
    #[must_use]
    pub fn capturing(self, path: String, writer: CaptureWriter) -> Self {
        Self { file: Some(File { path, writer, failing: false }), ..self }
    }

    /// Takes in a frame.
    pub fn feed(&mut self, frame: Frame) {
        self.frames += 1;
        if let Some(file) = &mut self.file {
            file.writer.write(&frame);
        }
        if let (Some(resolver), Frame::Live(entry) | Frame::Closed(entry)) = (&mut self.resolver, &frame) {
            resolver.ask(Endpoint::from(&entry.remote).ip);
        }
        self.tracker.feed(frame);
    }

    /// Takes out what has come together, for one transaction.
    pub fn take(&mut self) -> Batch {
        Batch { gaps: std::mem::take(&mut self.gaps), ..self.tracker.take() }
    }

    /// Hands the capture file what is for it. What it does not take waits in memory, as far as there is room, and is tried
    /// again: a recording does not end because of it.
    pub(super) fn save_frames(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.writer.flush() {
            Ok(()) if file.failing => {
                file.failing = false;
                tracing::warn!(
                    "the capture file {} can be written again; nothing in it is missing",
                    file.path
                );
            }
            Err(error) if !file.failing && !file.writer.is_over() => {
                file.failing = true;
                tracing::warn!(
                    "the capture file {} cannot be written: {error}; its frames wait in memory, and connmon will try again",
                    file.path
                );
            }
            _ => {}
        }
        if file.writer.ends_now() {
            tracing::warn!(
                "the capture file {} ends here: too many frames wait for it; the recording goes on without it",
                file.path
            );
        }
    }

    /// Whether the capture file is whole.
    pub(super) fn capture_is_whole(&mut self) -> Result<(), (String, io::Error)> {
        let Some(file) = &mut self.file else { return Ok(()) };
        file.writer.flush().map_err(|error| (file.path.clone(), error))
    }

    /// The kernel's buffers are not read any more, for want of memory; whether that is new.
    pub(super) fn pause(&mut self, now: Timestamp) -> bool {
        let new = self.paused.is_none();
        if new {
            self.paused = Some((now, self.tracker.lost()));
        }
        new
    }

    /// They are read again, and all counters have been: what was lost meanwhile is a gap.
    pub(super) fn resume(&mut self, now: Timestamp) {
        let Some((from, before)) = self.paused.take() else { return };
        let lost = self.tracker.lost().saturating_sub(before);
        if lost > 0 {
            let reason = format!(
                "{lost} events were lost: the store could not be written, and the memory for what waited was used up"
            );
            self.gaps.push(Gap { from, to: now, reason });
        }
    }

    /// An interval has no record, or not all of one.
    pub(super) fn lack(&mut self, gap: Gap) {
        self.gaps.push(gap);
    }

    /// Whether a flush is due because of the number of rows.
    pub fn is_full(&self) -> bool {
        self.tracker.is_full()
    }

    /// Frames taken in so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Connections met so far.
    pub fn connections(&self) -> i64 {
        self.tracker.connections()
    }
}
