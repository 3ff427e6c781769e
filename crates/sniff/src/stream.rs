//! Streams that come in pieces: out of order, twice, or not to the end. Bounded in number, length and holes.

use std::collections::{BTreeMap, HashMap};

use super::FlowId;
use super::http::{self, Chunk};
use super::outcome::ParseOutcome;

/// Streams that are put together at a time.
const MAX_STREAMS: usize = 1024;
/// Bytes of a stream that wait for what is missing.
const MAX_BYTES: usize = 256 * 1024;
/// The time that a stream waits for missing data, nanoseconds.
const WAIT_NS: u64 = 60_000_000_000;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamDirection {
    /// The id of its entry, where there is one already.
    pub connection: u64,
    /// Its ends.
    pub flow: FlowId,
    /// The data that this host sends.
    pub outbound: bool,
}

#[derive(Default)]
struct Stream {
    /// The sequence number of the first byte.
    base: u32,
    /// Pieces by their distance from there.
    pieces: BTreeMap<u32, Vec<u8>>,
    /// What nothing is missing before.
    ready: Vec<u8>,
    /// Bytes at the front that were taken out.
    taken: u32,
    /// What is ready is a part of something that may name somebody.
    is_part: bool,
    /// What is ready is a body in chunks.
    is_chunked: bool,
    /// What is ready was told early.
    is_told: bool,
    /// When it was last added to, in additions and nanoseconds of CLOCK_BOOTTIME.
    used: (u64, u64),
}

/// All streams.
#[derive(Default)]
pub struct Streams {
    known: HashMap<(StreamDirection, u64), Stream>,
    additions: u64,
    now_ns: u64,
    lost: u64,
}

impl Streams {
    /// What is added from here on comes at this time.
    pub fn set_time(&mut self, now_ns: u64) {
        self.now_ns = now_ns;
    }

    /// Gives up streams that have waited too long before `now_ns`; at the end, all that wait.
    pub fn forget(&mut self, now_ns: u64) {
        let lost = &mut self.lost;
        self.known.retain(|_, stream| {
            let is_late = stream.used.1.saturating_add(WAIT_NS) < now_ns && stream.waits();
            *lost += u64::from(is_late);
            !is_late
        });
    }

    /// Whether a stream has begun and goes on.
    pub fn has(&self, way: StreamDirection) -> bool {
        self.known.contains_key(&(way, 0))
    }

    /// Begins a stream at a sequence number, in place of an earlier one of that direction.
    pub fn begin(&mut self, way: StreamDirection, seq: u32) {
        self.give_up(way);
        self.open((way, 0), seq);
    }

    /// Adds a piece of a TCP stream that has begun, and takes out what `parse` finds at its beginning.
    pub fn follow<T>(
        &mut self,
        way: StreamDirection,
        seq: u32,
        data: &[u8],
        parse: impl Fn(&[u8]) -> ParseOutcome<T>,
    ) -> Vec<T> {
        let Some(base) = self.known.get(&(way, 0)).map(|stream| stream.base) else { return Vec::new() };
        self.add((way, 0), seq.wrapping_sub(base), data, parse)
    }

    /// The same at a distance from the beginning. A direction can have several streams, by their numbers.
    pub fn add<T>(
        &mut self,
        of: (StreamDirection, u64),
        offset: u32,
        data: &[u8],
        parse: impl Fn(&[u8]) -> ParseOutcome<T>,
    ) -> Vec<T> {
        let mut messages = Vec::new();
        let stream = self.open(of, 0);
        let fits = stream.insert(offset, data);
        loop {
            let len = match if stream.is_chunked { stream.chunk() } else { parse(&stream.ready) } {
                ParseOutcome::Message(message, len) => {
                    messages.push(message);
                    len
                }
                ParseOutcome::Chunked(message, len) => {
                    messages.push(message);
                    stream.is_chunked = true;
                    len
                }
                ParseOutcome::Skip(len) => len,
                ParseOutcome::Last(message) => {
                    messages.push(message);
                    self.known.remove(&of);
                    break;
                }
                ParseOutcome::Nothing => {
                    self.known.remove(&of);
                    break;
                }
                found => {
                    stream.is_part = matches!(found, ParseOutcome::Incomplete);
                    if let ParseOutcome::Early(message) = found
                        && !std::mem::replace(&mut stream.is_told, true)
                    {
                        messages.push(message);
                    }
                    if !fits {
                        self.known.remove(&of);
                        self.lost += 1;
                    }
                    break;
                }
            };
            stream.take(len);
        }
        messages
    }

    /// What a TCP stream has before a sequence number is cut off: unless it is of no interest, the stream is given up.
    pub fn cut(&mut self, way: StreamDirection, seq: u32) {
        let is_passed =
            |stream: &Stream| stream.end().wrapping_sub(seq.wrapping_sub(stream.base)) as i32 >= 0;
        if !self.known.get(&(way, 0)).is_some_and(is_passed) {
            self.give_up(way);
        }
    }

    /// Gives up a TCP stream, of which something is missing.
    fn give_up(&mut self, way: StreamDirection) {
        self.lost += u64::from(self.known.remove(&(way, 0)).is_some_and(|stream| stream.waits()));
    }

    /// Streams that had to be given up before they said anything.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Streams that wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The stream, a new one if there is none.
    fn open(&mut self, of: (StreamDirection, u64), seq: u32) -> &mut Stream {
        self.additions += 1;
        if self.known.len() >= MAX_STREAMS && !self.known.contains_key(&of) {
            let oldest = self.known.iter().min_by_key(|(_, stream)| stream.used).map(|(way, _)| *way);
            let oldest = oldest.and_then(|way| self.known.remove(&way));
            self.lost += u64::from(oldest.is_some_and(|stream| stream.waits()));
        }
        let stream = self.known.entry(of).or_insert_with(|| Stream { base: seq, ..Stream::default() });
        stream.used = (self.additions, self.now_ns);
        stream
    }
}

impl Stream {
    /// The number of bytes before the first missing one.
    fn end(&self) -> u32 {
        // Sequence numbers wrap as well.
        self.taken.wrapping_add(self.ready.len() as u32)
    }

    /// Whether something that may name somebody would be lost with it.
    fn waits(&self) -> bool {
        self.is_part || !self.pieces.is_empty()
    }

    /// Takes out so many bytes, also of what is still to come.
    fn take(&mut self, len: usize) {
        self.ready.drain(..len.min(self.ready.len()));
        self.taken = self.taken.wrapping_add(len as u32);
        (self.is_part, self.is_told) = (false, false);
        self.join();
    }

    /// The next part of a body in chunks.
    fn chunk<T>(&mut self) -> ParseOutcome<T> {
        match http::chunk(&self.ready) {
            Chunk::Skip(len) => ParseOutcome::Skip(len),
            Chunk::Last(len) => {
                self.is_chunked = false;
                ParseOutcome::Skip(len)
            }
            Chunk::Undecided => ParseOutcome::Undecided,
            Chunk::Broken => ParseOutcome::Nothing,
        }
    }

    /// Takes in a piece; false if it is too far off.
    fn insert(&mut self, offset: u32, data: &[u8]) -> bool {
        // What is sent again lies behind; what is far ahead would have to wait for too much.
        let ahead = offset.wrapping_sub(self.end()) as i32;
        let waiting: usize = self.pieces.values().map(Vec::len).sum();
        if ahead > MAX_BYTES as i32 || waiting + self.ready.len() + data.len() > MAX_BYTES {
            return false;
        }
        let piece = self.pieces.entry(offset).or_default();
        // Sent again, it may be cut elsewhere.
        if piece.len() < data.len() {
            *piece = data.to_vec();
        }
        self.join();
        true
    }

    /// Puts what waits behind what is ready, up to the first hole.
    fn join(&mut self) {
        loop {
            let end = self.end();
            let Some((offset, len)) = self
                .pieces
                .iter()
                .map(|(offset, data)| (*offset, data.len()))
                .find(|(offset, _)| end.wrapping_sub(*offset) as i32 >= 0)
            else {
                return;
            };
            let piece = self.pieces.remove(&offset).unwrap_or_default();
            let known = end.wrapping_sub(offset) as usize;
            if known < len {
                self.ready.extend_from_slice(&piece[known..]);
            }
        }
    }
}
