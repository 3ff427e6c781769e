//! Tells the kernel side which entries have been deleted from its maps, so that it knows how many each user has there.

use std::collections::{BTreeSet, HashMap};

use aya::maps::{Array, MapData, MapError};
use connmon_ebpf::{USERS, quota};

/// Entries deleted from the maps of [`quota`].
pub struct Deleted {
    map: Array<MapData, u64>,
    counts: HashMap<u32, u64>,
    /// Indices whose counts have changed since they were last told.
    changed: BTreeSet<u32>,
}

impl Deleted {
    /// None yet.
    pub fn new(map: Array<MapData, u64>) -> Self {
        Self { map, counts: HashMap::new(), changed: BTreeSet::new() }
    }

    /// The number of entries that have been deleted from a map.
    pub fn total(&self, map: u32) -> u64 {
        self.counts.get(&quota::deleted(map, USERS)).copied().unwrap_or(0)
    }

    /// One of the user at `place` is deleted.
    pub fn add(&mut self, map: u32, place: u32) {
        for index in [quota::deleted(map, place % USERS), quota::deleted(map, USERS)] {
            *self.counts.entry(index).or_default() += 1;
            self.changed.insert(index);
        }
    }

    /// Tells the kernel side.
    ///
    /// # Errors
    /// The map cannot be written; what it was not told is told the next time.
    pub fn tell(&mut self) -> Result<(), MapError> {
        while let Some(index) = self.changed.first().copied() {
            self.map.set(index, self.counts.get(&index).copied().unwrap_or(0), 0)?;
            self.changed.remove(&index);
        }
        Ok(())
    }
}
