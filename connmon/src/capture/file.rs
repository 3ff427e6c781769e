//! Capture files: the frames of a recording one after the other, to be replayed later.
//!
//! Format: `CONNMON2`, then for each frame kind and length (u32, little endian) and the payload. A file that ends
//! within a frame was cut off by a crash; what is before is good.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use super::{Frame, FrameError};

const MAGIC: &[u8; 8] = b"CONNMON2";
/// No frame is near this size; a larger length means damage.
const MAX_FRAME: u32 = 1 << 20;

/// Writes frames as they come.
pub struct Writer {
    out: BufWriter<File>,
    buffer: Vec<u8>,
}

impl Writer {
    /// Creates `path` anew.
    ///
    /// # Errors
    /// The file cannot be written, or is a record already.
    pub fn create(path: &Path) -> io::Result<Self> {
        crate::files::check_place(path)?;
        let mut out = BufWriter::new(crate::files::create_private(path)?);
        out.write_all(MAGIC)?;
        Ok(Self { out, buffer: Vec::new() })
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, frame: &Frame) -> io::Result<()> {
        self.buffer.clear();
        frame.encode(&mut self.buffer);
        self.out.write_all(&self.buffer)
    }

    /// Hands everything to the kernel.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Why a capture file could not be read on.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// From the operating system.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It does not begin like one.
    #[error("this is no connmon capture")]
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
