//! What user space tells the programs while they run.

/// Values of [`Control::phase`].
pub mod phase {
    /// Programs return at once: they are being attached, or detached.
    pub const OFF: u32 = 0;
    /// Everything counts; which sockets are older than that is still being found out.
    pub const SNAPSHOT: u32 = 1;
    /// Everything counts.
    pub const ON: u32 = 2;
}

/// Bits of [`Settings::blind`].
pub mod blind {
    /// The step to TCP_CLOSE, the end of the socket, or both.
    pub const ENDS: u32 = 1;
    /// The step to SYN_SENT or to ESTABLISHED, accept(), or both.
    pub const BEGINNINGS: u32 = 2;
}

/// What user space tells the programs while they run. All count from one instant to another, however long it takes to attach
/// and to detach them.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// One of [`phase`].
    pub phase: u32,
    /// See [`FlowKey::epoch`](crate::FlowKey::epoch); the first is 1.
    pub epoch: u32,
    /// Just before counting began.
    pub since_ns: u64,
    /// Entries that user space has deleted from `FLOWS`.
    pub deleted: u64,
}

/// How long a handshake can take; a connection that comes to be seen later after the start of a recording has no part before
/// it. Nanoseconds: somewhat more than all retries of a SYN (`tcp_syn_retries`, ip-sysctl).
pub const STRADDLE_NS: u64 = 130_000_000_000;
