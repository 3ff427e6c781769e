//! Standard error that is never waited for: a reader that is slow, stopped or gone neither holds up a recording nor ends it. Lines
//! that it does not take are counted, and the count is told as soon as it takes something again.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::sync::{Mutex, OnceLock, PoisonError};

use crate::cli::When;

/// Bytes that wait for the reader at most.
const WAITING: usize = 64 << 10;
/// What is written at once where a descriptor can only be asked whether it takes anything: a pipe takes so much whole (pipe(7)).
const PIECE: usize = 4096;
/// How long the end of the program waits for a reader that takes nothing, milliseconds.
const PATIENCE: i32 = 1000;

static OUT: OnceLock<Mutex<Queue>> = OnceLock::new();

/// Standard error; every write is whole lines, or a line that the next one replaces.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stderr;

impl Write for Stderr {
    /// Takes all of it, and never fails: what nobody reads is counted.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        with_queue(|queue| queue.put(bytes));
        Ok(bytes.len())
    }

    /// One text, so that it is taken whole or not at all.
    fn write_fmt(&mut self, text: std::fmt::Arguments<'_>) -> io::Result<()> {
        self.write_all(text.to_string().as_bytes())
    }

    fn flush(&mut self) -> io::Result<()> {
        with_queue(Queue::push);
        Ok(())
    }
}

/// What `--color` says.
static COLOURS: OnceLock<When> = OnceLock::new();

/// Takes what `--color` says.
pub fn choose_colours(when: When) {
    let _ = COLOURS.set(when);
}

/// Whether to write in colours to what is a terminal or not: unless told otherwise, not where `NO_COLOR` is set (no-color.org).
pub fn colours(terminal: bool) -> bool {
    match COLOURS.get() {
        Some(When::Always) => true,
        Some(When::Never) => false,
        Some(When::Auto) | None => {
            terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        }
    }
}

/// Whether standard error has colours.
pub fn has_colours() -> bool {
    colours(io::stderr().is_terminal())
}

/// Shows what the next call replaces; nothing while the reader has not taken what came before.
pub fn refresh(text: &str) {
    with_queue(|queue| {
        queue.push();
        if queue.waiting.is_empty() {
            queue.put(text.as_bytes());
        }
    });
}

/// Gives a reader that still reads the time to take the rest.
pub fn finish() {
    with_queue(|queue| {
        loop {
            queue.push();
            queue.tell_missed();
            if queue.waiting.is_empty() || !queue.ready(PATIENCE) {
                return;
            }
        }
    });
}

fn with_queue(act: impl FnOnce(&mut Queue)) {
    let queue = OUT.get_or_init(|| {
        // SAFETY: standard error stays open as long as the program.
        let fd = unsafe { BorrowedFd::borrow_raw(libc::STDERR_FILENO) };
        Mutex::new(Queue::new(fd))
    });
    act(&mut queue.lock().unwrap_or_else(PoisonError::into_inner));
}

/// How a descriptor is written to without waiting.
enum WriteMode {
    /// A file has no reader that could be waited for.
    File(File),
    /// The same pipe or terminal, opened once more: `O_NONBLOCK` on the descriptor that we were given would be everybody's.
    Opened(File),
    /// A socket can be told with each call.
    Socket(OwnedFd),
    /// What cannot be opened again is asked each time whether it takes anything.
    Asked(File),
    /// There is none.
    Closed,
}

/// What waits for the reader.
struct Queue {
    way: WriteMode,
    waiting: VecDeque<u8>,
    /// Lines that are not said.
    missed: u64,
    /// Of these, what the note counts that waits for the reader.
    told: u64,
}

impl Queue {
    fn new(fd: BorrowedFd<'_>) -> Self {
        let way = fd.try_clone_to_owned().map_or(WriteMode::Closed, |owned| {
            let file = File::from(owned);
            let kind = file.metadata().map(|data| data.file_type());
            match kind {
                Ok(kind) if kind.is_file() => WriteMode::File(file),
                Ok(kind) if kind.is_socket() => WriteMode::Socket(file.into()),
                _ => again(&file).map_or(WriteMode::Asked(file), WriteMode::Opened),
            }
        });
        Self { way, waiting: VecDeque::new(), missed: 0, told: 0 }
    }

    /// Takes in a text, whole or not at all.
    fn put(&mut self, text: &[u8]) {
        self.push();
        self.tell_missed();
        if self.missed > 0 || self.waiting.len() + text.len() > WAITING {
            self.missed += lines(text);
            return;
        }
        self.waiting.extend(text);
        self.push();
    }

    /// Says how much was not said, once the reader has taken what came before.
    fn tell_missed(&mut self) {
        if self.missed > 0 && self.waiting.is_empty() {
            let note = format!("connmon: {} lines are missing here: nobody read them in time\n", self.missed);
            self.waiting.extend(note.as_bytes());
            // The count is told once its note has left.
            self.told = std::mem::take(&mut self.missed);
            self.push();
        }
    }

    /// Hands on what the reader takes now.
    fn push(&mut self) {
        while !self.waiting.is_empty() {
            let (bytes, _) = self.waiting.as_slices();
            match self.way.write(bytes) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Nobody will read it: the reader has gone, or the disk is full.
                Err(_) => {
                    self.missed += lines(self.waiting.make_contiguous()) + self.told.saturating_sub(1);
                    self.waiting.clear();
                }
            }
        }
        self.told = 0;
    }

    /// Whether it takes something within so many milliseconds.
    fn ready(&self, patience: i32) -> bool {
        match &self.way {
            WriteMode::File(_) => true,
            WriteMode::Opened(file) | WriteMode::Asked(file) => takes(file.as_raw_fd(), patience),
            WriteMode::Socket(socket) => takes(socket.as_raw_fd(), patience),
            WriteMode::Closed => false,
        }
    }
}

impl WriteMode {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) | Self::Opened(file) => file.write(bytes),
            Self::Socket(socket) => {
                let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
                // SAFETY: `bytes` is valid for reading as long as told.
                let sent =
                    unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
                usize::try_from(sent).map_err(|_| io::Error::last_os_error())
            }
            Self::Asked(file) if takes(file.as_raw_fd(), 0) => file.write(&bytes[..bytes.len().min(PIECE)]),
            Self::Asked(_) => Err(io::ErrorKind::WouldBlock.into()),
            Self::Closed => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

/// The same pipe or terminal with flags of our own.
fn again(file: &File) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
    options.open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Whether a descriptor takes something, or is broken, within so many milliseconds.
fn takes(fd: i32, patience: i32) -> bool {
    let mut poll = libc::pollfd { fd, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid entry, as told.
    unsafe { libc::poll(&raw mut poll, 1, patience) > 0 }
}

/// Lines of a text; what has no end is one too.
fn lines(text: &[u8]) -> u64 {
    text.split_inclusive(|byte| *byte == b'\n').count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    /// Fills a queue whose reader does not read, lets it read, and looks at what it read.
    fn stalled<W: AsFd>(writer: W, queue: fn(&W) -> Queue, mut reader: impl Read + Send + 'static) {
        let mut queue = queue(&writer);
        let line = format!("{}\n", "x".repeat(99));
        let mut said = 0;
        while queue.missed == 0 {
            queue.put(line.as_bytes());
            said += 1;
        }
        (0..9).for_each(|_| queue.put(line.as_bytes()));
        let (missed, said) = (queue.missed, said - 1);
        assert_eq!(missed, 10);
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        let read_all = |queue: &mut Queue| {
            while !queue.waiting.is_empty() && queue.ready(-1) {
                queue.push();
            }
        };
        read_all(&mut queue);
        queue.put(b"the end\n");
        read_all(&mut queue);
        drop((queue, writer));
        let text = reader.join().unwrap().unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len() as u64, said + 2, "whole lines");
        assert_eq!(lines[lines.len() - 2], "connmon: 10 lines are missing here: nobody read them in time");
        assert_eq!(lines.last(), Some(&"the end"));
    }

    #[test]
    fn a_reader_that_stops_is_not_waited_for_and_told_what_it_missed() {
        let (reader, writer) = pipe().unwrap();
        stalled(writer, |writer| Queue::new(writer.as_fd()), reader);
        let (reader, writer) = pipe().unwrap();
        let asked = |writer: &io::PipeWriter| Queue {
            way: WriteMode::Asked(File::from(writer.as_fd().try_clone_to_owned().unwrap())),
            ..Queue::new(writer.as_fd())
        };
        stalled(writer, asked, reader);
        let (reader, writer) = UnixStream::pair().unwrap();
        stalled(writer, |writer| Queue::new(writer.as_fd()), reader);
    }

    #[test]
    fn a_reader_that_has_gone_is_none() {
        let (reader, writer) = pipe().unwrap();
        let mut before = Queue::new(writer.as_fd());
        drop(reader);
        let mut after = Queue::new(writer.as_fd());
        for queue in [&mut before, &mut after] {
            queue.put(b"one\ntwo\n");
            queue.put(b"three\n");
            assert!(queue.waiting.is_empty());
            assert_eq!(queue.missed, 3);
        }
        // SAFETY: a flag that is only read.
        let flags = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_GETFL) };
        assert_eq!(flags & libc::O_NONBLOCK, 0, "the descriptor is also others'");
    }

    #[test]
    fn a_file_goes_on_where_it_ends() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"before\n").unwrap();
        Queue::new(file.as_file().as_fd()).put(b"after\n");
        assert_eq!(std::fs::read_to_string(file.path()).unwrap(), "before\nafter\n");
    }
}
