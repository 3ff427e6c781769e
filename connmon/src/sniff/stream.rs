//! Streams that come in pieces: out of order, twice, or not to the end. Bounded in number, length and holes.

use std::collections::{BTreeMap, HashMap};

use super::FlowId;

/// Streams that are put together at a time.
const MAX_STREAMS: usize = 1024;
/// Bytes of a stream that wait for what is missing.
const MAX_BYTES: usize = 128 * 1024;

/// One direction of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Way {
    /// The connection.
    pub flow: FlowId,
    /// What this host sends.
    pub outbound: bool,
}

/// What the beginning of a stream holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// This.
    Message(T),
    /// That is not to be said yet.
    Incomplete,
    /// Nothing of interest.
    Nothing,
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
    known: HashMap<Way, Stream>,
    additions: u64,
}

impl Streams {
    /// Adds a piece of a TCP stream, whose first piece comes first, and looks for a message at its beginning. `whole`: nothing
    /// of the piece is missing.
    pub fn add<T>(
        &mut self,
        way: Way,
        seq: u32,
        data: &[u8],
        whole: bool,
        parse: impl Fn(&[u8]) -> Found<T>,
    ) -> Option<T> {
        let base = self.open(way, seq).base;
        let found = self.add_at(way, seq.wrapping_sub(base), data, parse);
        if !whole {
            self.known.remove(&way);
        }
        found
    }

    /// The same at a distance from the beginning.
    pub fn add_at<T>(
        &mut self,
        way: Way,
        offset: u32,
        data: &[u8],
        parse: impl Fn(&[u8]) -> Found<T>,
    ) -> Option<T> {
        let stream = self.open(way, 0);
        let found = if stream.insert(offset, data) { parse(&stream.ready) } else { Found::Nothing };
        if !matches!(found, Found::Incomplete) {
            self.known.remove(&way);
        }
        match found {
            Found::Message(message) => Some(message),
            Found::Incomplete | Found::Nothing => None,
        }
    }

    /// Adds a piece of a TCP stream and takes out all messages that are complete: `next` gives the first, and how many bytes
    /// it has.
    pub fn take<T>(
        &mut self,
        way: Way,
        seq: u32,
        data: &[u8],
        whole: bool,
        next: impl Fn(&[u8]) -> Option<(T, usize)>,
    ) -> Vec<T> {
        let mut messages = Vec::new();
        let stream = self.open(way, seq);
        let fits = stream.insert(seq.wrapping_sub(stream.base), data);
        while let Some((message, len)) = next(&stream.ready).filter(|_| fits) {
            messages.push(message);
            stream.ready.drain(..len);
            // `ready` is far shorter than 2^32.
            stream.taken = stream.taken.wrapping_add(len as u32);
        }
        if !fits || !whole {
            self.known.remove(&way);
        }
        messages
    }

    /// Streams that wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// The stream, a new one if there is none.
    fn open(&mut self, way: Way, seq: u32) -> &mut Stream {
        self.additions += 1;
        if self.known.len() >= MAX_STREAMS && !self.known.contains_key(&way) {
            let oldest = self.known.iter().min_by_key(|(_, stream)| stream.used).map(|(way, _)| *way);
            oldest.and_then(|way| self.known.remove(&way));
        }
        let stream = self.known.entry(way).or_insert_with(|| Stream { base: seq, ..Stream::default() });
        stream.used = self.additions;
        stream
    }
}

impl Stream {
    /// Takes in a piece; false if it is too far off.
    fn insert(&mut self, offset: u32, data: &[u8]) -> bool {
        let ready = |stream: &Self| stream.taken.wrapping_add(stream.ready.len() as u32);
        // What is sent again lies behind; what is far ahead would have to wait for too much.
        let ahead = offset.wrapping_sub(ready(self)) as i32;
        let waiting: usize = self.pieces.values().map(Vec::len).sum();
        if ahead > MAX_BYTES as i32 || waiting + self.ready.len() + data.len() > MAX_BYTES {
            return false;
        }
        self.pieces.entry(offset).or_insert_with(|| data.to_vec());
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
