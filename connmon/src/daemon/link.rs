//! Between the two processes of a recording: what the keeper tells, and what it is asked for.
//!
//! What it tells goes as in a capture file: kind and length (u32, little endian) and the payload, with some kinds more. Requests are
//! a byte that says which, and a number (u64, little endian).

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use connmon_ebpf::kind;
use connmon_live::Listener;
use connmon_record::frame::{Frame, FrameError};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::cost::Cost;

/// Bytes that are read at once, or come together before they are written.
pub(super) const PIECE: usize = 256 << 10;
/// A longer message is damage.
const LONGEST: usize = 64 << 20;
const HEAD: usize = 8;

// Kinds beside those of frames.
const UNTIL: u32 = 1000;
const READY: u32 = 1001;
const FLUSH: u32 = 1002;
const LISTENERS: u32 = 1003;
const COST: u32 = 1004;
const FULL: u32 = 1005;
const FAILED: u32 = 1006;

/// A moment of the keeper's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    /// Nanoseconds of CLOCK_BOOTTIME.
    pub(super) boot_ns: u64,
    /// CLOCK_REALTIME − CLOCK_BOOTTIME, nanoseconds.
    pub(super) offset_ns: i64,
}

/// What the keeper tells.
#[derive(Debug)]
pub(super) enum Told<'a> {
    /// Of the recording.
    Frame(Frame),
    /// What was said on a connection, as the kernel side copied it.
    Payload(&'a [u8]),
    /// No more payload from before this time of CLOCK_BOOTTIME.
    PayloadsUntil(u64),
    /// Everything is recorded from now on.
    Ready(Moment),
    /// All is told that happened before this moment: what has come together can be sealed.
    Flush(Moment),
    /// The sockets that listen.
    Listeners(Vec<Listener>),
    /// What the keeper costs.
    Cost(Cost),
    /// More waits for the recorder than there may; or not any more.
    Full(bool),
    /// It cannot record, for this reason.
    Failed(String),
}

/// What the keeper is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// To attach the probes.
    Begin,
    /// To sweep and flush no sooner than what is told here allows: how long the last segment took to write, microseconds, and
    /// whether somebody watches.
    Pace(u64, bool),
    /// To look for sockets that listen.
    Listeners,
    /// To end the recording in order.
    End,
}

/// Bytes of a request.
const REQUEST: usize = 9;
const WATCHED: u64 = 1 << 63;

impl Request {
    fn encode(self) -> [u8; REQUEST] {
        let (which, number) = match self {
            Self::Begin => (1, 0),
            Self::Pace(cost, watched) => (2, (cost & !WATCHED) | if watched { WATCHED } else { 0 }),
            Self::Listeners => (3, 0),
            Self::End => (4, 0),
        };
        let mut bytes = [which; REQUEST];
        bytes[1..].copy_from_slice(&u64::to_le_bytes(number));
        bytes
    }

    fn decode([which, number @ ..]: [u8; REQUEST]) -> Option<Self> {
        let number = u64::from_le_bytes(number);
        Some(match which {
            1 => Self::Begin,
            2 => Self::Pace(number & !WATCHED, number & WATCHED != 0),
            3 => Self::Listeners,
            4 => Self::End,
            _ => return None,
        })
    }
}

/// Both ends.
pub(super) fn pair() -> io::Result<(RecorderEnd, KeeperEnd)> {
    let (recorder, keeper) = UnixStream::pair()?;
    recorder.set_nonblocking(true)?;
    keeper.set_nonblocking(true)?;
    Ok((
        RecorderEnd { stream: recorder, piece: vec![0; PIECE], buffer: Vec::new(), at: 0, over: false },
        KeeperEnd { stream: keeper, waiting: Vec::new(), sent: 0, refused: 0, asked: Vec::new() },
    ))
}

/// The recorder's end.
pub(super) struct RecorderEnd {
    stream: UnixStream,
    /// Where the next piece is read to.
    piece: Vec<u8>,
    /// What has been read and is not taken yet, from `at` on.
    buffer: Vec<u8>,
    at: usize,
    over: bool,
}

impl AsFd for RecorderEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl RecorderEnd {
    /// Reads what there is, up to a piece of it; whether there was something, or the end.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.at));
        match self.stream.read(&mut self.piece) {
            Ok(0) => self.over = true,
            Ok(read) => self.buffer.extend(&self.piece[..read]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(false);
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => self.over = true,
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    /// The keeper has gone, and everything that it told has been read.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The next that has come whole.
    pub(super) fn next(&mut self) -> Option<Result<Told<'_>, FrameError>> {
        let rest = &self.buffer[self.at..];
        let head: &[u8; HEAD] = rest.first_chunk()?;
        let [a, b, c, d, e, f, g, h] = *head;
        let (kind, len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]) as usize);
        if len > LONGEST {
            self.over = true;
            return Some(Err(FrameError::new(kind, len)));
        }
        if rest.len() < HEAD + len {
            return None;
        }
        let payload = self.at + HEAD..self.at + HEAD + len;
        self.at = payload.end;
        let payload = &self.buffer[payload];
        Some(decode(kind, payload))
    }

    /// Asks the keeper. It reads at once, so there is room; one that has gone is noticed by what it tells.
    pub(super) fn ask(&mut self, request: Request) {
        if let Err(error) = self.stream.write_all(&request.encode()) {
            tracing::debug!("the keeper cannot be asked: {error}");
        }
    }
}

fn decode(kind: u32, payload: &[u8]) -> Result<Told<'_>, FrameError> {
    let error = || FrameError::new(kind, payload.len());
    let number = |at: usize| payload.get(at..)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes));
    let moment = || {
        let (boot_ns, offset_ns) = number(0).zip(number(8)).ok_or_else(error)?;
        Ok(Moment { boot_ns, offset_ns: offset_ns.cast_signed() })
    };
    fn json<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
        serde_json::from_slice(bytes).ok()
    }
    Ok(match kind {
        kind::PAYLOAD => Told::Payload(payload),
        UNTIL => Told::PayloadsUntil(number(0).ok_or_else(error)?),
        READY => Told::Ready(moment()?),
        FLUSH => Told::Flush(moment()?),
        LISTENERS => Told::Listeners(json(payload).ok_or_else(error)?),
        COST => Told::Cost(json(payload).ok_or_else(error)?),
        FULL => Told::Full(payload == [1]),
        FAILED => Told::Failed(String::from_utf8_lossy(payload).into_owned()),
        _ => Told::Frame(Frame::decode(kind, payload)?),
    })
}

/// The keeper's end.
pub(super) struct KeeperEnd {
    stream: UnixStream,
    waiting: Vec<u8>,
    sent: usize,
    /// Bytes that the recorder did not take when that was last tried.
    refused: usize,
    asked: Vec<u8>,
}

impl AsFd for KeeperEnd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl KeeperEnd {
    /// Puts something into the queue.
    pub(super) fn tell(&mut self, told: &Told<'_>) {
        let moment = |Moment { boot_ns, offset_ns }: &Moment| {
            [boot_ns.to_le_bytes(), offset_ns.to_le_bytes()].concat()
        };
        fn json<T: Serialize>(value: &T) -> Vec<u8> {
            // These consist of strings and numbers, which JSON can hold.
            serde_json::to_vec(value).unwrap_or_default()
        }
        match told {
            Told::Frame(frame) => frame.encode(&mut self.waiting),
            Told::Payload(bytes) => self.put(kind::PAYLOAD, bytes),
            Told::PayloadsUntil(time) => self.put(UNTIL, &time.to_le_bytes()),
            Told::Ready(at) => self.put(READY, &moment(at)),
            Told::Flush(at) => self.put(FLUSH, &moment(at)),
            Told::Listeners(all) => self.put(LISTENERS, &json(all)),
            Told::Cost(cost) => self.put(COST, &json(cost)),
            Told::Full(full) => self.put(FULL, &[u8::from(*full)]),
            Told::Failed(why) => self.put(FAILED, why.as_bytes()),
        }
    }

    fn put(&mut self, kind: u32, payload: &[u8]) {
        self.waiting.extend(kind.to_le_bytes());
        // A message is a record, or a list of at most some ten thousand entries.
        self.waiting.extend((payload.len() as u32).to_le_bytes());
        self.waiting.extend(payload);
    }

    /// Bytes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len() - self.sent
    }

    /// Hands on what has come together, once that is a piece more than the recorder would not take when that was last tried.
    ///
    /// # Errors
    /// It has gone.
    pub(super) fn push_piece(&mut self) -> io::Result<()> {
        if self.waiting() >= self.refused + PIECE { self.push() } else { Ok(()) }
    }

    /// Hands the recorder as much as it takes now.
    ///
    /// # Errors
    /// It has gone.
    pub(super) fn push(&mut self) -> io::Result<()> {
        while self.sent < self.waiting.len() {
            match self.stream.write(&self.waiting[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.refused = self.waiting();
        // What was sent is dropped when it is most of the queue, so that no byte is moved often.
        if self.sent * 2 >= self.waiting.len() {
            self.waiting.drain(..self.sent);
            self.sent = 0;
            if self.waiting.is_empty() && self.waiting.capacity() > PIECE {
                self.waiting = Vec::new();
            }
        }
        Ok(())
    }

    /// Hands on everything, however long the recorder takes.
    ///
    /// # Errors
    /// It has gone.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        self.push()
    }

    /// What is asked for, unless nothing is.
    ///
    /// # Errors
    /// The recorder has gone.
    pub(super) fn asked(&mut self) -> io::Result<Option<Request>> {
        let mut bytes = [0; REQUEST];
        let missing = REQUEST - self.asked.len();
        match self.stream.read(&mut bytes[..missing]) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => self.asked.extend(&bytes[..count]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
        let Some(request) = self.asked.first_chunk().copied() else { return Ok(None) };
        self.asked.clear();
        Ok(Request::decode(request))
    }

    /// Waits for the first request.
    ///
    /// # Errors
    /// The recorder has gone.
    pub(super) fn wait(&mut self) -> io::Result<Request> {
        self.stream.set_nonblocking(false)?;
        let request = loop {
            if let Some(request) = self.asked()? {
                break request;
            }
        };
        self.stream.set_nonblocking(true)?;
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that has come.
    fn heard(end: &mut RecorderEnd) -> Vec<String> {
        let mut all = Vec::new();
        while end.fill().unwrap() && !end.is_over() {
            while let Some(told) = end.next() {
                all.push(format!("{:?}", told.unwrap()));
            }
        }
        all
    }

    #[test]
    fn what_is_told_is_heard() {
        let (mut recorder, mut keeper) = pair().unwrap();
        let payload = [&kind::PAYLOAD.to_ne_bytes()[..], &[7; 30]].concat();
        let at = Moment { boot_ns: u64::MAX, offset_ns: -5 };
        let all = [
            Told::Frame(Frame::SweepEnd(9)),
            Told::Payload(&payload),
            Told::PayloadsUntil(u64::MAX),
            Told::Ready(at),
            Told::Flush(at),
            Told::Listeners(Vec::new()),
            Told::Cost(Cost::default()),
            Told::Full(true),
            Told::Full(false),
            Told::Failed("no".into()),
        ];
        all.iter().for_each(|told| keeper.tell(told));
        keeper.push().unwrap();
        assert_eq!(keeper.waiting(), 0);
        assert_eq!(heard(&mut recorder), all.map(|told| format!("{told:?}")));
    }

    #[test]
    fn what_is_not_taken_waits_and_comes_whole() {
        let (mut recorder, mut keeper) = pair().unwrap();
        let payload = vec![3; 40_000];
        for _ in 0..100 {
            keeper.tell(&Told::Payload(&payload));
        }
        let mut count = 0;
        while count < 100 {
            keeper.push().unwrap();
            count += heard(&mut recorder).len();
        }
        assert_eq!(keeper.waiting(), 0);
        keeper.finish().unwrap();
        assert!(recorder.fill().unwrap() && recorder.is_over());
    }

    #[test]
    fn what_is_asked_is_known() {
        let (mut recorder, mut keeper) = pair().unwrap();
        assert_eq!(keeper.asked().unwrap(), None);
        let all = [
            Request::Begin,
            Request::Pace(5, true),
            Request::Pace(6, false),
            Request::Listeners,
            Request::End,
        ];
        all.iter().for_each(|request| recorder.ask(*request));
        assert_eq!(keeper.wait().unwrap(), Request::Begin);
        assert_eq!(std::iter::from_fn(|| keeper.asked().unwrap()).collect::<Vec<_>>(), all[1..]);
        drop(recorder);
        assert!(keeper.asked().is_err() && keeper.wait().is_err());
    }
}
