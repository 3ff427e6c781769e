//! Streams that come in pieces: out of order, twice, or not to the end. Bounded in number, length and holes.

use std::collections::{BTreeMap, HashMap};

use super::FlowId;

/// Streams that are put together at a time.
const MAX_STREAMS: usize = 1024;
/// Bytes of a stream that wait for what is missing.
const MAX_BYTES: usize = 256 * 1024;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The id of its entry, where there is one already.
    pub connection: u64,
    /// Its ends.
    pub flow: FlowId,
    /// What this host sends.
    pub outbound: bool,
}

/// What the beginning of a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// This, in so many bytes; more can follow.
    Message(T, usize),
    /// So many bytes that say nothing; what follows may.
    Skip(usize),
    /// This, and nothing more is of interest.
    Last(T),
    /// That is not to be said yet.
    Incomplete,
    /// Nothing of interest.
    Nothing,
}

impl<T> Found<T> {
    /// The same of another kind of message.
    pub fn map<U>(self, of: impl FnOnce(T) -> U) -> Found<U> {
        match self {
            Self::Message(message, len) => Found::Message(of(message), len),
            Self::Skip(len) => Found::Skip(len),
            Self::Last(message) => Found::Last(of(message)),
            Self::Incomplete => Found::Incomplete,
            Self::Nothing => Found::Nothing,
        }
    }
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
    /// When it was last added to, in additions.
    used: u64,
}

/// All streams.
#[derive(Default)]
pub struct Streams {
    known: HashMap<(Way, u64), Stream>,
    additions: u64,
    lost: u64,
}

impl Streams {
    /// Begins a stream at a sequence number, in place of an earlier one of that direction.
    pub fn begin(&mut self, way: Way, seq: u32) {
        self.known.remove(&(way, 0));
        self.open((way, 0), seq);
    }

    /// Adds a piece of a TCP stream that has begun, and takes out what `parse` finds at its beginning.
    pub fn follow<T>(
        &mut self,
        way: Way,
        seq: u32,
        data: &[u8],
        parse: impl Fn(&[u8]) -> Found<T>,
    ) -> Vec<T> {
        let Some(base) = self.known.get(&(way, 0)).map(|stream| stream.base) else { return Vec::new() };
        self.add((way, 0), seq.wrapping_sub(base), data, parse)
    }

    /// The same of a stream that begins with the first piece that is seen of it.
    pub fn join<T>(&mut self, way: Way, seq: u32, data: &[u8], parse: impl Fn(&[u8]) -> Found<T>) -> Vec<T> {
        let base = self.open((way, 0), seq).base;
        self.add((way, 0), seq.wrapping_sub(base), data, parse)
    }

    /// The same at a distance from the beginning. A direction can have several streams, by their numbers.
    pub fn add<T>(
        &mut self,
        of: (Way, u64),
        offset: u32,
        data: &[u8],
        parse: impl Fn(&[u8]) -> Found<T>,
    ) -> Vec<T> {
        let mut messages = Vec::new();
        let stream = self.open(of, 0);
        let fits = stream.insert(offset, data);
        loop {
            let len = match parse(&stream.ready) {
                Found::Message(message, len) => {
                    messages.push(message);
                    len
                }
                Found::Skip(len) => len,
                Found::Last(message) => {
                    messages.push(message);
                    self.known.remove(&of);
                    break;
                }
                Found::Nothing => {
                    self.known.remove(&of);
                    break;
                }
                Found::Incomplete => {
                    if !fits {
                        self.known.remove(&of);
                        self.lost += 1;
                    }
                    break;
                }
            };
            stream.ready.drain(..len);
            // `ready` is far shorter than 2^32.
            stream.taken = stream.taken.wrapping_add(len as u32);
        }
        messages
    }

    /// Gives up a TCP stream, of which something is missing.
    pub fn give_up(&mut self, way: Way) {
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
    fn open(&mut self, of: (Way, u64), seq: u32) -> &mut Stream {
        self.additions += 1;
        if self.known.len() >= MAX_STREAMS && !self.known.contains_key(&of) {
            let oldest = self.known.iter().min_by_key(|(_, stream)| stream.used).map(|(way, _)| *way);
            let oldest = oldest.and_then(|way| self.known.remove(&way));
            self.lost += u64::from(oldest.is_some_and(|stream| stream.waits()));
        }
        let stream = self.known.entry(of).or_insert_with(|| Stream { base: seq, ..Stream::default() });
        stream.used = self.additions;
        stream
    }
}

impl Stream {
    fn waits(&self) -> bool {
        !self.ready.is_empty() || !self.pieces.is_empty()
    }

    /// Takes in a piece; false if it is too far off.
    fn insert(&mut self, offset: u32, data: &[u8]) -> bool {
        let ready = |stream: &Self| stream.taken.wrapping_add(stream.ready.len() as u32);
        // What is sent again lies behind; what is far ahead would have to wait for too much.
        let ahead = offset.wrapping_sub(ready(self)) as i32;
        let waiting: usize = self.pieces.values().map(Vec::len).sum();
        if ahead > MAX_BYTES as i32 || waiting + self.ready.len() + data.len() > MAX_BYTES {
            return false;
        }
        let piece = self.pieces.entry(offset).or_default();
        // Sent again, it may be cut elsewhere.
        if piece.len() < data.len() {
            *piece = data.to_vec();
        }
        loop {
            let end = ready(self);
            let Some((offset, len)) = self
                .pieces
                .iter()
                .map(|(offset, data)| (*offset, data.len()))
                .find(|(offset, _)| end.wrapping_sub(*offset) as i32 >= 0)
            else {
                return true;
            };
            let piece = self.pieces.remove(&offset).unwrap_or_default();
            let known = end.wrapping_sub(offset) as usize;
            if known < len {
                self.ready.extend_from_slice(&piece[known..]);
            }
        }
    }
}
