//! Capture files: the frames of a recording one after the other, to be replayed later.
//!
//! Format: `CONNMON2`, then for each frame kind and length (u32, little endian) and the payload. A file that ends
//! within a frame was cut off by a crash; what is before is good.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use super::{Frame, FrameError};

const MAGIC: &[u8; 8] = b"CONNMON2";
/// No frame is near this size; a larger length means damage.
const MAX_FRAME: u32 = 1 << 20;

/// Bytes that come together before they are written.
const CHUNK: usize = 1 << 16;
/// Bytes that wait for a file that cannot be written, at most.
const MAX_WAITING: usize = 64 << 20;

/// Writes frames as they come. What the file does not take waits, and is tried again; where that becomes too much, the file
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

    /// Appends a frame.
    pub fn write(&mut self, frame: &Frame) {
        if self.over {
            return;
        }
        frame.encode(&mut self.waiting);
        if self.trouble.is_none() && self.waiting.len() >= CHUNK {
            self.push();
        }
        if self.waiting.len() > MAX_WAITING {
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
}

/// Reads frames back.
pub struct Reader {
    input: BufReader<File>,
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
        match input.read_exact(&mut magic) {
            Ok(()) if &magic == MAGIC => Ok(Self { input, buffer: Vec::new() }),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error.into()),
            _ => Err(ReadError::Foreign),
        }
    }

    /// The next frame; `None` at the end, also at one within a frame.
    ///
    /// # Errors
    /// The file cannot be read, or a frame is damaged.
    pub fn read(&mut self) -> Result<Option<Frame>, ReadError> {
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

    #[test]
    fn what_a_full_disk_does_not_take_is_written_later() {
        let mut writer = Writer::new(File::options().write(true).open("/dev/full").unwrap());
        for time in 0..10_000 {
            writer.write(&Frame::SweepEnd(time));
        }
        assert_eq!(writer.flush().unwrap_err().kind(), io::ErrorKind::StorageFull);
        let file = tempfile::NamedTempFile::new().unwrap();
        writer.file = file.reopen().unwrap();
        writer.flush().unwrap();
        let mut reader = Reader::open(file.path()).unwrap();
        for time in 0..10_000 {
            assert!(matches!(reader.read(), Ok(Some(Frame::SweepEnd(read))) if read == time));
        }
        assert!(matches!(reader.read(), Ok(None)));
        // For too long: it ends, and says so once.
        writer.file = File::options().write(true).open("/dev/full").unwrap();
        while !writer.is_over() {
            writer.write(&Frame::SweepEnd(0));
            if writer.trouble.is_none() {
                let _ = writer.flush();
            }
        }
        assert!(writer.ends_now() && !writer.ends_now());
        assert!(writer.flush().is_err(), "it is known at the end as well");
    }
}
