//! Capture files: the segments of a recording one after the other, to be replayed later.
//!
//! Format, all numbers little endian: [`MAGIC`], then for each segment the number of its frames, its size before compression, its
//! [`Span`] and the size of its payload (eight bytes each), the SHA-256 of the payload, and the payload. A file that ends within a segment
//! was cut off by a crash; what is before is good.
//!
//! Before version 3 a capture had [`MAGIC_OF_FRAMES`], and then for each frame kind and length (u32) and the payload.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use super::{Hash, MAX_LEN, Packed, SegmentError, Span};
use crate::frame::{Frame, FrameError};

const MAGIC: &[u8; 8] = b"CONNMON3";
const MAGIC_OF_FRAMES: &[u8; 8] = b"CONNMON2";
/// No frame is near this size; a larger length means damage.
const MAX_FRAME: u32 = 1 << 20;

/// Bytes that wait for a file that cannot be written, at most.
const MAX_WAITING: usize = 64 << 20;

/// Writes segments as they are made. What the file does not take waits, and is tried again; where that becomes too much, the file
/// ends, and is what a crash would have left.
pub struct Writer {
    file: File,
    waiting: Vec<u8>,
    /// Why it could not be written when that was last tried.
    trouble: Option<io::Error>,
    over: bool,
    told: bool,
}

impl Writer {
    /// Creates `path` anew.
    ///
    /// # Errors
    /// The file cannot be written, or is a record already.
    pub fn create(path: &Path) -> io::Result<Self> {
        connmon_system::files::check_place(path)?;
        let mut writer = Self::new(connmon_system::files::create_private(path)?);
        writer.flush()?;
        Ok(writer)
    }

    fn new(file: File) -> Self {
        Self { file, waiting: MAGIC.to_vec(), trouble: None, over: false, told: false }
    }

    /// Appends a segment.
    pub fn write(&mut self, segment: &Packed) {
        if self.over {
            return;
        }
        let Span { first_ns, last_ns, clock_offset_ns } = segment.span;
        let len = segment.payload.len() as u64;
        for number in [segment.frames, segment.len, first_ns, last_ns, clock_offset_ns as u64, len] {
            self.waiting.extend(number.to_le_bytes());
        }
        self.waiting.extend(segment.payload_hash);
        self.waiting.extend(&segment.payload);
        if self.waiting.len() > MAX_WAITING && self.flush().is_err() {
            self.over = true;
            self.waiting = Vec::new();
        }
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// The file cannot be written; what it has not taken is tried again with the next call, unless [`Self::is_over`].
    pub fn flush(&mut self) -> io::Result<()> {
        if !self.over {
            self.push();
        }
        let again = |error: &io::Error| {
            error.raw_os_error().map_or_else(|| io::Error::from(error.kind()), io::Error::from_raw_os_error)
        };
        self.trouble.as_ref().map_or(Ok(()), |error| Err(again(error)))
    }

    /// Whether the file has ended before the recording.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// Whether that is so since the last call.
    pub fn ends_now(&mut self) -> bool {
        self.over && !std::mem::replace(&mut self.told, true)
    }

    fn push(&mut self) {
        let mut written = 0;
        self.trouble = None;
        while written < self.waiting.len() && self.trouble.is_none() {
            match self.file.write(&self.waiting[written..]) {
                Ok(0) => self.trouble = Some(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.trouble = Some(error),
            }
        }
        self.waiting.drain(..written);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.flush();
    }
}

/// Why a capture file could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// From the operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("this is not a connmon capture")]
    Foreign,
    /// A frame cannot be decoded.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A length that no frame has.
    #[error("the capture is damaged: a frame of {0} bytes")]
    Length(u32),
    /// A size that no segment has.
    #[error("the capture is damaged: a segment of {0} bytes")]
    Size(u64),
    /// A segment cannot be read.
    #[error("the capture is damaged: {0}")]
    Segment(#[from] SegmentError),
}

/// Reads frames back.
pub struct Reader {
    input: BufReader<File>,
    /// Whether the frames stand one after the other, and not in segments.
    is_of_frames: bool,
    /// Segments read so far.
    segments: u64,
    /// The frames of the last segment that have not been passed on.
    frames: VecDeque<Frame>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Opens a capture.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn open(path: &Path) -> Result<Self, ReadError> {
        let mut input = BufReader::with_capacity(1 << 16, File::open(path)?);
        let mut magic = [0; 8];
        let is_of_frames = match input.read_exact(&mut magic) {
            Ok(()) if &magic == MAGIC => false,
            Ok(()) if &magic == MAGIC_OF_FRAMES => true,
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error.into()),
            _ => return Err(ReadError::Foreign),
        };
        Ok(Self { input, is_of_frames, segments: 0, frames: VecDeque::new(), buffer: Vec::new() })
    }

    /// The next frame; `None` at the end, also at one within a frame or segment.
    ///
    /// # Errors
    /// The file cannot be read, or is damaged.
    pub fn read(&mut self) -> Result<Option<Frame>, ReadError> {
        if self.is_of_frames {
            return self.read_frame();
        }
        while self.frames.is_empty() {
            let Some(segment) = self.read_segment()? else { return Ok(None) };
            self.segments += 1;
            segment.read(self.segments, |frame| self.frames.push_back(frame))?;
        }
        Ok(self.frames.pop_front())
    }

    fn read_segment(&mut self) -> Result<Option<Packed>, ReadError> {
        let (mut numbers, mut payload_hash) = ([[0; 8]; 6], Hash::default());
        if !self.fill(numbers.as_flattened_mut())? || !self.fill(&mut payload_hash)? {
            return Ok(None);
        }
        let [frames, len, first_ns, last_ns, offset, size] = numbers.map(u64::from_le_bytes);
        // What does not get smaller by compression gets a little larger.
        let room = usize::try_from(size).ok().filter(|size| *size <= MAX_LEN + MAX_LEN / 64);
        let mut payload = vec![0; room.ok_or(ReadError::Size(size))?];
        if !self.fill(&mut payload)? {
            return Ok(None);
        }
        let span = Span { first_ns, last_ns, clock_offset_ns: offset as i64 };
        Ok(Some(Packed { span, frames, len, payload, payload_hash }))
    }

    fn read_frame(&mut self) -> Result<Option<Frame>, ReadError> {
        let mut head = [0; 8];
        if !self.fill(&mut head)? {
            return Ok(None);
        }
        let [a, b, c, d, e, f, g, h] = head;
        let (kind, len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
        if len > MAX_FRAME {
            return Err(ReadError::Length(len));
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(len as usize, 0);
        let complete = self.fill(&mut buffer)?;
        self.buffer = buffer;
        Ok(if complete { Some(Frame::decode(kind, &self.buffer)?) } else { None })
    }

    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        match self.input.read_exact(buffer) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::segment::Columns;

    fn segment(times: std::ops::Range<u64>) -> Packed {
        let mut columns = Columns::default();
        times.for_each(|time| columns.push(&Frame::SweepEnd(time)));
        Packed::new(&columns, Span { first_ns: 1, last_ns: 2, clock_offset_ns: -3 }).unwrap()
    }

    fn times(path: &Path) -> Result<Vec<u64>, ReadError> {
        let mut reader = Reader::open(path)?;
        let mut times = Vec::new();
        while let Some(frame) = reader.read()? {
            let Frame::SweepEnd(time) = frame else { panic!("{frame:?}") };
            times.push(time);
        }
        Ok(times)
    }

    #[test]
    fn what_a_full_disk_does_not_take_is_written_later() {
        let mut writer = Writer::new(File::options().write(true).open("/dev/full").unwrap());
        writer.write(&segment(0..100));
        writer.write(&segment(100..10_000));
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let file = tempfile::NamedTempFile::new().unwrap();
        writer.file = file.reopen().unwrap();
        writer.flush().unwrap();
        assert_eq!(times(file.path()).unwrap(), (0..10_000).collect::<Vec<_>>());
        // For too long: it ends, and says so once.
        writer.file = File::options().write(true).open("/dev/full").unwrap();
        let mut large = segment(0..1);
        large.payload = vec![0; 1 << 20];
        while !writer.is_over() {
            writer.write(&large);
        }
        assert!(writer.ends_now() && !writer.ends_now());
        assert!(writer.flush().is_err(), "it is known at the end as well");
    }

    #[test]
    fn of_a_file_that_was_cut_off_the_whole_segments_are_read_and_damage_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("capture");
        let mut writer = Writer::create(&path).unwrap();
        writer.write(&segment(0..5));
        writer.write(&segment(5..7));
        drop(writer);
        let whole = std::fs::read(&path).unwrap();
        let second = whole.len() - segment(5..7).payload.len() - 80;
        for len in second..whole.len() {
            std::fs::write(&path, &whole[..len]).unwrap();
            assert_eq!(times(&path).unwrap(), [0, 1, 2, 3, 4], "{len}");
        }
        let mut changed = whole.clone();
        *changed.last_mut().unwrap() ^= 1;
        std::fs::write(&path, changed).unwrap();
        let words = times(&path).unwrap_err().to_string();
        assert!(words.contains("segment 2 was changed"), "{words}");
        let mut large = whole;
        large[second + 40..second + 48].fill(0xff);
        std::fs::write(&path, large).unwrap();
        assert!(matches!(times(&path), Err(ReadError::Size(u64::MAX))));
    }
}
