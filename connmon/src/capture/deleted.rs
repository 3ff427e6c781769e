//! Tells the kernel side which shares have been deleted from `ACCT`, so that it knows how many each user has there.

use std::collections::BTreeSet;

use aya::maps::{Array, MapData, MapError};
use connmon_ebpf::USERS;

/// Deleted shares by the place of their user; the last is the sum.
pub struct DeletedShares {
    map: Array<MapData, u64>,
    counts: Vec<u64>,
    /// Places that have changed since the last time that they were told.
    changed: BTreeSet<u32>,
}

impl DeletedShares {
    /// None yet.
    pub fn new(map: Array<MapData, u64>) -> Self {
        Self { map, counts: vec![0; USERS as usize + 1], changed: BTreeSet::new() }
    }

    /// How many there are.
    pub fn total(&self) -> u64 {
        self.counts[USERS as usize]
    }

    /// One of this user's is deleted.
    pub fn add(&mut self, uid: u32) {
        for place in [uid % USERS, USERS] {
            self.counts[place as usize] += 1;
            self.changed.insert(place);
        }
    }

    /// Tells the kernel side.
    ///
    /// # Errors
    /// The map cannot be written; what it was not told is told the next time.
    pub fn tell(&mut self) -> Result<(), MapError> {
        while let Some(place) = self.changed.first().copied() {
            self.map.set(place, self.counts[place as usize], 0)?;
            self.changed.remove(&place);
        }
        Ok(())
    }
}
