//! The state of the tracker after a segment, so that rows of later segments can be made without the segments before.

use std::io::Read;

use zstd::stream::read::Decoder;

use super::Tracker;

/// Of zstd.
const LEVEL: i32 = 1;
/// Bytes that a state has at most; a longer one is not read.
const MAX_LEN: u64 = 1 << 30;
/// The form of the state. Raised when a tracker could not go on from what an earlier one knew.
const FORM: u32 = 3;

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It was made by another version.
    #[error("the checkpoint is of another version")]
    Form,
    /// It cannot be compressed or decompressed.
    #[error("a checkpoint cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    /// It cannot be written.
    #[error("a checkpoint cannot be written: {0}")]
    Write(#[from] ciborium::ser::Error<std::io::Error>),
    /// It is damaged.
    #[error("a checkpoint is damaged: {0}")]
    Read(#[from] ciborium::de::Error<std::io::Error>),
}

impl Tracker {
    /// The present state; to be called after rows have been taken out.
    ///
    /// # Errors
    /// There is no memory.
    pub fn checkpoint(&self) -> Result<Vec<u8>, CheckpointError> {
        let mut state = FORM.to_le_bytes().to_vec();
        ciborium::into_writer(self, &mut state)?;
        Ok(zstd::bulk::compress(&state, LEVEL)?)
    }

    /// A tracker that goes on from a checkpoint.
    ///
    /// # Errors
    /// It was made by another version, or is damaged.
    pub fn from_checkpoint(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let mut state = Vec::new();
        Decoder::new(bytes)?.take(MAX_LEN).read_to_end(&mut state)?;
        match state.split_first_chunk() {
            Some((form, state)) if *form == FORM.to_le_bytes() => Ok(ciborium::from_reader(state)?),
            _ => Err(CheckpointError::Form),
        }
    }
}
