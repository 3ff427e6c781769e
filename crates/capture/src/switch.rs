//! Begins and ends counting, for all programs at the same instant.

use aya::maps::{Array, MapData, MapError};
use connmon_ebpf::{Control, phase};

use super::probes::Probes;
use super::sys;

/// The programs' only static variable that changes.
const MAP: &str = ".bss";

/// The way to all programs at once.
pub struct CountingSwitch {
    map: Array<MapData, [u64; 3]>,
    phase: u32,
    epoch: u32,
    since_ns: u64,
    deleted: u64,
}

impl CountingSwitch {
    /// Takes the switch of these programs, which is off.
    ///
    /// # Errors
    /// The object has none.
    pub fn from_probes(probes: &mut Probes) -> Result<Self, MapError> {
        let map = probes.ebpf.take_map(MAP).ok_or_else(|| MapError::InvalidName { name: MAP.into() })?;
        // What is seen until the time is known may be older.
        Ok(Self { map: Array::try_from(map)?, phase: phase::OFF, epoch: 1, since_ns: u64::MAX, deleted: 0 })
    }

    /// Lets all programs count; everything from the returned time on is counted (CLOCK_BOOTTIME).
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn begin(&mut self) -> Result<u64, MapError> {
        self.set(phase::OFF)?;
        self.set(phase::SNAPSHOT)?;
        self.since_ns = sys::boot_time_ns();
        self.set(phase::SNAPSHOT)?;
        Ok(self.since_ns)
    }

    /// Puts all programs into a phase.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set(&mut self, phase: u32) -> Result<(), MapError> {
        self.phase = phase;
        self.write()
    }

    /// The epoch of datagrams that pass now.
    pub fn epoch(&self) -> u32 {
        self.epoch
    }

    /// Begins the next epoch; programs that run at this moment may still use the one before.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn raise_epoch(&mut self) -> Result<(), MapError> {
        self.epoch = self.epoch.wrapping_add(1);
        self.write()
    }

    /// Tells the programs how many entries of `FLOWS` have been deleted.
    ///
    /// # Errors
    /// The map cannot be written.
    pub fn set_deleted(&mut self, deleted: u64) -> Result<(), MapError> {
        self.deleted = deleted;
        self.write()
    }

    fn write(&mut self) -> Result<(), MapError> {
        let control =
            Control { phase: self.phase, epoch: self.epoch, since_ns: self.since_ns, deleted: self.deleted };
        self.map.set(0, bytemuck::cast::<Control, [u64; 3]>(control), 0)
    }
}
