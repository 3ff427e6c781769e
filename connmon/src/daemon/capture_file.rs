//! The file of `--capture`: the segments of a recording, as they are made.

use std::io;

use connmon_record::segment::Packed;
use connmon_record::segment::file::Writer;

/// Whether the file is whole; else its name, and why it is not.
pub(super) type Captured = Result<(), (String, io::Error)>;

/// It, or nothing if none is wanted.
#[derive(Default)]
pub struct CaptureFile(Option<Open>);

struct Open {
    path: String,
    writer: Writer,
    /// It could not be written to when that was last tried.
    failing: bool,
}

impl CaptureFile {
    /// At this place.
    pub fn at(path: String, writer: Writer) -> Self {
        Self(Some(Open { path, writer, failing: false }))
    }

    /// Takes a segment.
    pub(super) fn add(&mut self, segment: &Packed) {
        if let Some(file) = &mut self.0 {
            file.writer.write(segment);
        }
    }

    /// Writes what has been taken. What the file does not take waits in memory, as far as there is room, and is tried again: a recording
    /// does not end because of it.
    pub(super) fn save(&mut self) {
        let Some(file) = &mut self.0 else { return };
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
                    "the capture file {} cannot be written: {error}; its segments wait in memory, and connmon will try again",
                    file.path
                );
            }
            _ => {}
        }
        if file.writer.ends_now() {
            tracing::warn!(
                "the capture file {} ends here: too much waits for it; the recording goes on without it",
                file.path
            );
        }
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Captured {
        let Some(file) = &mut self.0 else { return Ok(()) };
        file.writer.flush().map_err(|error| (file.path.clone(), error))
    }
}
