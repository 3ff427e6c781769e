//! Ends that no hook saw. A program that is attached nowhere looks at sockets of the kernel side's entries, and lets go of those that had
//! ended when it looked at them before as well.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya::maps::{Array, MapData};
use connmon_ebpf::SOCKETS_AT_ONCE;

use super::sys;

/// The interval at which sockets are examined, nanoseconds, however often the maps are swept.
const EVERY_NS: u64 = 10_000_000_000;

/// The program, and the map that shows it sockets.
pub struct UnseenEnds {
    program: OwnedFd,
    shown: Array<MapData, [u64; SOCKETS_AT_ONCE]>,
    /// When all sockets were last looked at, CLOCK_BOOTTIME.
    looked_ns: Option<u64>,
}

impl UnseenEnds {
    /// A program that has not run yet.
    pub fn new(program: OwnedFd, shown: Array<MapData, [u64; SOCKETS_AT_ONCE]>) -> Self {
        Self { program, shown, looked_ns: None }
    }

    /// Whether it is time to look at all sockets again.
    pub fn are_due(&self, now_ns: u64) -> bool {
        self.looked_ns.is_none_or(|looked| now_ns.saturating_sub(looked) >= EVERY_NS)
    }

    /// Lets the program look at sockets, which are all that there are at the time `now_ns`.
    ///
    /// # Errors
    /// The kernel refuses. What would have been found is found the next time.
    pub fn look_at(&mut self, sockets: &[u64], now_ns: u64) -> io::Result<()> {
        for some in sockets.chunks(SOCKETS_AT_ONCE) {
            let mut places = [0; SOCKETS_AT_ONCE];
            places[..some.len()].copy_from_slice(some);
            self.shown.set(0, places, 0).map_err(io::Error::other)?;
            sys::run(self.program.as_fd(), some.len() as u64)?;
        }
        self.looked_ns = Some(now_ns);
        Ok(())
    }
}
