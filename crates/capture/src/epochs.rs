//! Lets the entries of datagrams leave before their socket does: the epoch is raised, and once no program can be running that
//! read the one before, what bears an earlier one stands still.

use std::io;

use connmon_ebpf::{SockEntry, proto};

use super::switch::CountingSwitch;
use super::sys::{self, Grace};
use connmon_record::CaptureOptions;

/// When the epoch is raised.
pub struct Epochs {
    grace: Grace,
    /// The pause after which a flow is over.
    idle_ns: u64,
    /// Entries in `FLOWS` from which it is raised at once.
    many: u64,
    raised_ns: u64,
    /// No program can be running that read an earlier one.
    settled: u32,
}

impl Epochs {
    /// Begins with an epoch that has just been raised. To be called with all rights.
    ///
    /// # Errors
    /// The kernel refuses what tells that programs have ended.
    pub fn new(options: &CaptureOptions) -> io::Result<Self> {
        let (idle_ns, many) = (options.idle_ns, u64::from(options.max_connections) / 8);
        Ok(Self { grace: Grace::new()?, idle_ns, many, raised_ns: sys::boot_time_ns(), settled: 0 })
    }

    /// Raises the epoch if it is time for that, and waits until all programs have ended that began before. Twice while a flow
    /// pauses until it is over: an entry has left the kernel before its connection ends. Where there are so many entries
    /// (`flows`) that they soon would have to share the room, with each sweep.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn advance(&mut self, switch: &mut CountingSwitch, flows: u64) -> io::Result<()> {
        let now = sys::boot_time_ns();
        if flows > self.many || now.saturating_sub(self.raised_ns) >= self.idle_ns / 2 {
            self.raised_ns = now;
            switch.raise_epoch().map_err(io::Error::other)?;
        }
        if self.settled != switch.epoch() {
            self.grace.wait()?;
            self.settled = switch.epoch();
        }
        Ok(())
    }

    /// What bears an earlier epoch stands still.
    pub fn settled(&self) -> u32 {
        self.settled
    }

    /// Whether nothing is added any more to an entry of `SOCKS`, though its socket lives.
    pub fn is_retired(entry: &SockEntry, epoch: u32) -> bool {
        !matches!(entry.proto, proto::TCP | proto::MPTCP | proto::PACKET) && entry.write_seq < epoch
    }
}
