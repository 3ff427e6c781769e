//! Segments, the unit of record: the frames of one flush, as columns, compressed, hashed, and chained to the segment before.
//! Rows are made from segments, by the same code whether a recording goes on or is read again.

mod columns;
pub mod file;

use sha2::{Digest, Sha256};

use crate::frame::{Frame, FrameError};
pub use columns::Columns;

/// Of zstd: the fastest that still finds what repeats.
const LEVEL: i32 = 1;
/// Bytes that the columns of a segment have at most; a longer one is not read.
pub const MAX_LEN: usize = 64 << 20;
/// The prefix of the hashed data of a segment, which makes the hash differ from the hash of anything else.
const DOMAIN: &[u8] = b"connmon segment 1\0";

/// A SHA-256.
pub type Hash = [u8; 32];

/// The chain to which a segment belongs, and its place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// `/proc/sys/kernel/random/boot_id` of the recording.
    pub boot_id: String,
    /// Counted from 1 within the recording.
    pub number: u64,
    /// The hash of the segment before, whatever recording that was of; zero where there was none.
    pub previous: Hash,
}

/// When the frames of a segment came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The end of the segment before, or the start of the recording: nanoseconds of CLOCK_BOOTTIME.
    pub first_ns: u64,
    /// When the last frame had been taken in, nanoseconds of CLOCK_BOOTTIME.
    pub last_ns: u64,
    /// CLOCK_REALTIME − CLOCK_BOOTTIME at `last_ns`, nanoseconds.
    pub clock_offset_ns: i64,
}

/// Why a segment cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// It is not what its hash says.
    #[error("segment {0} was changed after it was sealed: its hash differs")]
    Hash(u64),
    /// It cannot be decompressed.
    #[error("a segment cannot be decompressed: {0}")]
    Compression(std::io::Error),
    /// Its columns are none.
    #[error("the columns of a segment are damaged")]
    Columns,
    /// A frame cannot be decoded.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// A compressed segment, which has no place in a chain yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// When its frames came.
    pub span: Span,
    /// The number of frames.
    pub frames: u64,
    /// Bytes before compression.
    pub len: u64,
    /// The compressed columns.
    pub payload: Vec<u8>,
    /// SHA-256 of `payload`.
    pub payload_hash: Hash,
}

impl Packed {
    /// Compresses columns.
    ///
    /// # Errors
    /// There is no memory.
    pub fn new(columns: &Columns, span: Span) -> Result<Self, SegmentError> {
        let bytes = columns.bytes();
        let payload = zstd::bulk::compress(&bytes, LEVEL).map_err(SegmentError::Compression)?;
        let payload_hash = Sha256::digest(&payload).into();
        Ok(Self { span, frames: columns.frames(), len: bytes.len() as u64, payload, payload_hash })
    }

    /// The hash that it has at a place in the chain: of its place, its times, its sizes, and the hash of its payload.
    pub fn hash(&self, link: &Link) -> Hash {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        hash.update((link.boot_id.len() as u64).to_le_bytes());
        hash.update(link.boot_id.as_bytes());
        for number in [
            link.number,
            self.span.first_ns,
            self.span.last_ns,
            self.span.clock_offset_ns as u64,
            self.frames,
            self.len,
        ] {
            hash.update(number.to_le_bytes());
        }
        hash.update(self.payload_hash);
        hash.update(link.previous);
        hash.finalize().into()
    }

    /// Calls `each` for each frame, in the order in which they came.
    ///
    /// # Errors
    /// The payload is not what was sealed, or cannot be decoded; frames before that have been passed on.
    pub fn read(&self, number: u64, each: impl FnMut(Frame)) -> Result<(), SegmentError> {
        if Hash::from(Sha256::digest(&self.payload)) != self.payload_hash {
            return Err(SegmentError::Hash(number));
        }
        let len = usize::try_from(self.len).unwrap_or(usize::MAX).min(MAX_LEN);
        let bytes = zstd::bulk::decompress(&self.payload, len).map_err(SegmentError::Compression)?;
        columns::read(&bytes, each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_ebpf::{AcctKey, Share, SockEntry, TaskRecord, kind};
    use proptest::prelude::*;

    fn frame(choice: u8, value: u64) -> Frame {
        match choice {
            0 => Frame::Closed(Box::new(SockEntry { kind: kind::SOCK, id: value, ..SockEntry::default() })),
            1 => Frame::Live(Box::new(SockEntry { kernel_tx: value, ..SockEntry::default() })),
            2 => Frame::Task(TaskRecord { kind: kind::FORK, start_ns: value, ..TaskRecord::default() }),
            3 => Frame::Share(
                AcctKey { id: value, ..AcctKey::default() },
                Share { tx_bytes: value / 2, ..Share::default() },
            ),
            4 => Frame::Gap(value, value, "x".repeat((value % 70) as usize)),
            _ => Frame::SweepEnd(value),
        }
    }

    fn packed(frames: &[Frame]) -> Packed {
        let mut columns = Columns::default();
        frames.iter().for_each(|frame| columns.push(frame));
        Packed::new(&columns, Span { first_ns: 1, last_ns: 2, clock_offset_ns: -3 }).unwrap()
    }

    fn frames_of(packed: &Packed) -> Result<Vec<Frame>, SegmentError> {
        let mut frames = Vec::new();
        packed.read(1, |frame| frames.push(frame)).map(|()| frames)
    }

    proptest! {
        #[test]
        fn frames_come_back_in_their_order(frames in prop::collection::vec((0_u8..6, any::<u64>()), 0..60)) {
            let frames: Vec<Frame> = frames.into_iter().map(|(choice, value)| frame(choice, value)).collect();
            let sealed = packed(&frames);
            prop_assert_eq!(sealed.frames, frames.len() as u64);
            prop_assert_eq!(frames_of(&sealed).unwrap(), frames);
        }

        #[test]
        fn damage_is_an_error(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
            let mut sealed = packed(&[frame(0, 5), frame(0, 6), frame(5, 7)]);
            let at = at.index(sealed.payload.len());
            sealed.payload[at] ^= 1 << bit;
            prop_assert!(matches!(frames_of(&sealed), Err(SegmentError::Hash(1))));
            // Whoever makes a new hash for it still makes nothing worse than an error.
            sealed.payload_hash = Sha256::digest(&sealed.payload).into();
            let _ = frames_of(&sealed);
        }

        #[test]
        fn foreign_columns_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = columns::read(&bytes, |_| ());
        }
    }

    #[test]
    fn the_hash_is_of_all_that_a_segment_says() {
        let sealed = packed(&[frame(0, 5)]);
        let link = Link { boot_id: "boot".into(), number: 1, previous: [0; 32] };
        let hash = sealed.hash(&link);
        let others = [
            sealed.hash(&Link { boot_id: "other".into(), ..link.clone() }),
            sealed.hash(&Link { number: 2, ..link.clone() }),
            sealed.hash(&Link { previous: [1; 32], ..link.clone() }),
            Packed { span: Span { last_ns: 9, ..sealed.span }, ..sealed.clone() }.hash(&link),
            Packed { frames: 2, ..sealed.clone() }.hash(&link),
            packed(&[frame(0, 6)]).hash(&link),
        ];
        assert!(others.iter().all(|other| *other != hash));
        assert_eq!(sealed.clone().hash(&link), hash);
        // The same frames give the same bytes: a recording that is made again can be compared.
        assert_eq!(packed(&[frame(0, 5)]), sealed);
    }

    #[test]
    fn many_like_ones_are_small() {
        let frames: Vec<Frame> = (0..5000).map(|at| frame(0, at)).collect();
        assert!(packed(&frames).payload.len() < 2000, "{}", packed(&frames).payload.len());
    }
}
