//! The state of an engine, so that a restart changes nothing.

use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zstd::stream::read::Decoder;

use crate::detectors::Detectors;
use crate::engine::Engine;
use crate::findings::Findings;
use crate::position::Pending;
use crate::settings::Settings;
use crate::world::World;

/// Of zstd.
const LEVEL: i32 = 1;
/// Bytes that a state has at most before it is compressed; a longer one is not read.
const MAX_LEN: u64 = 1 << 28;
/// The form of the state. Raised when an engine could not go on from what an earlier one knew.
const FORM: u32 = 2;

/// Why a state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// It was made by another version.
    #[error("the state of findings is of another version")]
    Form,
    /// It has another digest than was noted.
    #[error("the state of findings is damaged: its digest differs")]
    Digest,
    /// It names what is not in it.
    #[error("the state of findings contradicts itself")]
    Unsound,
    /// It cannot be compressed or decompressed.
    #[error("the state of findings cannot be decompressed: {0}")]
    Compression(#[from] std::io::Error),
    /// It cannot be written.
    #[error("the state of findings cannot be written: {0}")]
    Write(#[from] ciborium::ser::Error<std::io::Error>),
    /// It is damaged.
    #[error("the state of findings is damaged: {0}")]
    Read(#[from] ciborium::de::Error<std::io::Error>),
}

#[derive(Serialize)]
struct Written<'a>(&'a Settings, &'a World, &'a Detectors, &'a Findings, &'a Pending);

#[derive(Deserialize)]
struct Kept(Settings, World, Detectors, Findings, Pending);

impl Engine {
    /// The present state.
    ///
    /// # Errors
    /// There is no memory.
    pub fn save(&self) -> Result<Vec<u8>, StateError> {
        self.save_with(&Pending::default())
    }

    /// An engine that goes on from a state.
    ///
    /// # Errors
    /// It was made by another version, or is damaged.
    pub fn restore(bytes: &[u8]) -> Result<Self, StateError> {
        Ok(Self::restore_with(bytes)?.0)
    }

    /// The present state, with that of what feeds it.
    pub(crate) fn save_with(&self, pending: &Pending) -> Result<Vec<u8>, StateError> {
        let mut state = Vec::new();
        let written = Written(&self.settings, &self.world, &self.detectors, &self.findings, pending);
        ciborium::into_writer(&written, &mut state)?;
        let mut sealed = FORM.to_le_bytes().to_vec();
        let packed = zstd::bulk::compress(&state, LEVEL)?;
        sealed.extend(Sha256::digest(&packed));
        sealed.extend(packed);
        Ok(sealed)
    }

    /// An engine that goes on from a state, and the state of what fed it.
    pub(crate) fn restore_with(bytes: &[u8]) -> Result<(Self, Pending), StateError> {
        let (form, sealed) = bytes.split_first_chunk().ok_or(StateError::Form)?;
        if *form != FORM.to_le_bytes() {
            return Err(StateError::Form);
        }
        let (digest, packed) = sealed.split_first_chunk::<32>().ok_or(StateError::Digest)?;
        if Sha256::digest(packed)[..] != digest[..] {
            return Err(StateError::Digest);
        }
        let mut state = Vec::new();
        Decoder::new(packed)?.take(MAX_LEN).read_to_end(&mut state)?;
        let Kept(settings, mut world, detectors, mut findings, pending) =
            ciborium::from_reader(state.as_slice())?;
        if !world.is_sound() || !detectors.is_sound(&world) {
            return Err(StateError::Unsound);
        }
        world.make_keys();
        findings.make_places();
        let mut engine = Self::new(settings);
        (engine.world, engine.detectors, engine.findings) = (world, detectors, findings);
        Ok((engine, pending))
    }
}
