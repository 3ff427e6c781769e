//! Frames as columns: records of one kind stand together, and of records of one size each eight bytes stand with those of the
//! other records at the same place, as differences. Most of them are zero then.
//!
//! Format, all numbers little endian: the order (number of runs, and each run's kind and count, u32), then for each kind, in
//! ascending order, its kind, count and size (u32). Size [`VARIES`] is followed by the lengths (u32) and the records; any other by
//! its lanes of eight bytes, each of which is [`SAME`] and the value that all records have, or [`DIFFERENT`] and the difference
//! of each record to the one before; and by what is left of each record behind its last lane.

use std::collections::BTreeMap;

use super::{MAX_LEN, SegmentError};
use crate::frame::Frame;

/// Bytes of a lane.
const LANE: usize = 8;
/// Larger records are kept as they are: there are few, and they are mostly text.
const MAX_SIZE: usize = 1024;
const VARIES: u32 = u32::MAX;
const SAME: u8 = 0;
const DIFFERENT: u8 = 1;

/// Frames that come together until they are sealed.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// Kinds as they came, and how many of one after the other.
    order: Vec<(u32, u32)>,
    kinds: BTreeMap<u32, Records>,
    buffer: Vec<u8>,
    frames: u64,
    weight: usize,
}

/// The records of one kind, one after the other.
#[derive(Clone, Debug, Default)]
struct Records {
    lengths: Vec<u32>,
    bytes: Vec<u8>,
}

impl Columns {
    /// Appends a frame.
    pub fn push(&mut self, frame: &Frame) {
        self.buffer.clear();
        frame.encode(&mut self.buffer);
        let Some(([kind, len], payload)) = head(&self.buffer) else { return };
        match self.order.last_mut() {
            Some((last, count)) if *last == kind => *count += 1,
            _ => self.order.push((kind, 1)),
        }
        let records = self.kinds.entry(kind).or_default();
        records.lengths.push(len);
        records.bytes.extend(payload);
        self.frames += 1;
        self.weight += self.buffer.len();
    }

    /// Frames so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Bytes so far.
    pub fn weight(&self) -> usize {
        self.weight
    }

    /// Whether there is room for more in one segment.
    pub fn is_full(&self) -> bool {
        self.weight >= MAX_LEN / 4
    }

    /// The canonical bytes: the same frames always give the same.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.weight / 4 + 64);
        put(&mut out, &[self.order.len() as u32]);
        self.order.iter().for_each(|(kind, count)| put(&mut out, &[*kind, *count]));
        for (kind, records) in &self.kinds {
            records.write(*kind, &mut out);
        }
        out
    }
}

impl Records {
    fn write(&self, kind: u32, out: &mut Vec<u8>) {
        let size = self.lengths.first().copied().unwrap_or(0);
        let is_uniform =
            self.lengths.iter().all(|len| *len == size) && (1..=MAX_SIZE).contains(&(size as usize));
        let count = self.lengths.len() as u32;
        if !is_uniform {
            put(out, &[kind, count, VARIES]);
            put(out, &self.lengths);
            out.extend(&self.bytes);
            return;
        }
        put(out, &[kind, count, size]);
        let size = size as usize;
        for lane in 0..size / LANE {
            let values = || self.bytes.chunks_exact(size).map(|record| value(&record[lane * LANE..]));
            let first = values().next().unwrap_or(0);
            if values().all(|value| value == first) {
                out.push(SAME);
                out.extend(first.to_le_bytes());
                continue;
            }
            out.push(DIFFERENT);
            let mut before = 0_u64;
            for value in values() {
                out.extend(value.wrapping_sub(before).to_le_bytes());
                before = value;
            }
        }
        let tail = size - size % LANE;
        self.bytes.chunks_exact(size).for_each(|record| out.extend(&record[tail..]));
    }
}

/// Calls `each` for each frame.
pub(super) fn read(bytes: &[u8], mut each: impl FnMut(Frame)) -> Result<(), SegmentError> {
    let mut input = Input(bytes);
    let runs = input.number()?;
    let order = (0..runs).map(|_| Ok((input.number()?, input.number()?)));
    let order: Vec<(u32, u32)> = order.collect::<Result<_, SegmentError>>()?;
    let mut kinds: BTreeMap<u32, (Records, usize, usize)> = BTreeMap::new();
    let mut room = MAX_LEN;
    while !input.0.is_empty() {
        let kind = input.number()?;
        kinds.insert(kind, (input.records(&mut room)?, 0, 0));
    }
    for (kind, count) in order {
        for _ in 0..count {
            let (records, next, at) = kinds.get_mut(&kind).ok_or(SegmentError::Columns)?;
            let len = *records.lengths.get(*next).ok_or(SegmentError::Columns)? as usize;
            let payload = records.bytes.get(*at..*at + len).ok_or(SegmentError::Columns)?;
            each(Frame::decode(kind, payload)?);
            (*next, *at) = (*next + 1, *at + len);
        }
    }
    Ok(())
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8], SegmentError> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(SegmentError::Columns)?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u32, SegmentError> {
        let bytes = self.take(4)?;
        bytes.try_into().map(u32::from_le_bytes).map_err(|_| SegmentError::Columns)
    }

    /// The records of one kind; `room` is what may still be unfolded, for a lane of one value stands for many.
    fn records(&mut self, room: &mut usize) -> Result<Records, SegmentError> {
        let (count, size) = (self.number()?, self.number()?);
        // What each record needs here at least is its length or nothing.
        if size == VARIES {
            let lengths = self.take(count as usize * 4)?;
            let lengths: Vec<u32> =
                lengths.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect();
            let len = lengths.iter().try_fold(0_usize, |sum, len| sum.checked_add(*len as usize));
            let bytes = self.take(len.ok_or(SegmentError::Columns)?)?.to_vec();
            return Ok(Records { lengths, bytes });
        }
        let (count, size) = (count as usize, size as usize);
        let len = count.checked_mul(size).filter(|len| len <= room && (1..=MAX_SIZE).contains(&size));
        let len = len.ok_or(SegmentError::Columns)?;
        *room -= len;
        let mut bytes = vec![0; len];
        for lane in 0..size / LANE {
            let is_same = match self.take(1)? {
                [SAME] => true,
                [DIFFERENT] => false,
                _ => return Err(SegmentError::Columns),
            };
            let stored = self.take(if is_same { LANE } else { count * LANE })?;
            let mut current = if is_same { value(stored) } else { 0 };
            for (at, record) in bytes.chunks_exact_mut(size).enumerate() {
                if !is_same {
                    current = current.wrapping_add(value(&stored[at * LANE..]));
                }
                record[lane * LANE..][..LANE].copy_from_slice(&current.to_le_bytes());
            }
        }
        let tail = size - size % LANE;
        for record in bytes.chunks_exact_mut(size) {
            record[tail..].copy_from_slice(self.take(size - tail)?);
        }
        Ok(Records { lengths: vec![size as u32; count], bytes })
    }
}

/// Kind, length and payload of an encoded frame.
fn head(bytes: &[u8]) -> Option<([u32; 2], &[u8])> {
    let (kind, rest) = bytes.split_first_chunk()?;
    let (len, payload) = rest.split_first_chunk()?;
    Some(([u32::from_le_bytes(*kind), u32::from_le_bytes(*len)], payload))
}

/// The lane at the beginning; the caller has seen that there is one.
fn value(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |lane| u64::from_le_bytes(*lane))
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend(number.to_le_bytes()));
}
