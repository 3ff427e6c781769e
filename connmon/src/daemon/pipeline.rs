//! From frames to segments, and into the capture file.

use std::io;

use crate::resolve::Resolver;
use connmon_record::Endpoint;
use connmon_record::frame::Frame;
use connmon_record::frame::Subject;
use connmon_record::frame::file::Writer as CaptureWriter;
use connmon_record::secrets::Secrets;
use connmon_record::segment::{Columns, Span};
use connmon_track::{ProgramWatch, lost};

/// Frames in, columns of segments out.
#[derive(Default)]
pub struct Pipeline {
    secrets: Secrets,
    watch: ProgramWatch,
    columns: Columns,
    /// The end of the last segment, nanoseconds of CLOCK_BOOTTIME.
    sealed_ns: u64,
    pub(super) resolver: Option<Resolver>,
    file: Option<File>,
    frames: u64,
    /// Events that were lost so far.
    lost: u64,
    /// Since when the kernel's buffers are not read, nanoseconds of CLOCK_BOOTTIME, and what had been lost before.
    paused: Option<(u64, u64)>,
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
        Self { secrets, ..self }
    }

    /// Redacts this from command lines from now on, besides what is redacted anyway.
    pub(super) fn redact(&mut self, secrets: Secrets) {
        self.secrets = secrets;
    }

    /// The same, and the raw frames go into a file.
    #[must_use]
    pub fn capturing(self, path: String, writer: CaptureWriter) -> Self {
        Self { file: Some(File { path, writer, failing: false }), ..self }
    }

    /// Takes in a frame.
    pub fn feed(&mut self, mut frame: Frame) {
        self.frames += 1;
        frame.redact(&self.secrets);
        match &frame {
            Frame::Start(start) => self.sealed_ns = start.started_ns,
            Frame::Counters(counters) => self.lost = lost(counters),
            Frame::Live(entry) | Frame::Closed(entry) => {
                if let Some(resolver) = &mut self.resolver {
                    resolver.ask(Endpoint::from(&entry.remote).ip);
                }
            }
            _ => {}
        }
        self.watch.feed(&frame);
        self.columns.push(&frame);
        if let Some(file) = &mut self.file {
            file.writer.write(&frame);
        }
    }

    /// Takes out what has come together until now, to be sealed.
    pub(super) fn take(&mut self, now_ns: u64, clock_offset_ns: i64) -> (Columns, Span) {
        let first_ns = std::mem::replace(&mut self.sealed_ns, now_ns);
        (std::mem::take(&mut self.columns), Span { first_ns, last_ns: now_ns, clock_offset_ns })
    }

    /// The programs to be looked at since the last call.
    pub(super) fn take_subjects(&mut self) -> Vec<Subject> {
        self.watch.take_subjects()
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
    pub(super) fn pause(&mut self, now_ns: u64) -> bool {
        let new = self.paused.is_none();
        if new {
            self.paused = Some((now_ns, self.lost));
        }
        new
    }

    /// They are read again, and all counters have been: what was lost meanwhile is a gap.
    pub(super) fn resume(&mut self, now_ns: u64) {
        let Some((from_ns, before)) = self.paused.take() else { return };
        let lost = self.lost.saturating_sub(before);
        if lost > 0 {
            let reason = format!(
                "{lost} events were lost: the store could not be written, and the memory for what waited was used up"
            );
            self.feed(Frame::Gap(from_ns, now_ns, reason));
        }
    }

    /// Whether a flush is due because of what has come together.
    pub fn is_full(&self) -> bool {
        self.columns.is_full()
    }

    /// Frames taken in so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }
}
