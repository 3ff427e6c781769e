//! What user space decides before the programs are loaded.

use crate::RECEIVE_FUNCTIONS;

/// Bits of [`Settings::blind`].
pub mod blind {
    /// The step to TCP_CLOSE, the end of the socket, or both.
    pub const ENDS: u32 = 1;
    /// The step to SYN_SENT or to ESTABLISHED, accept(), or both.
    pub const BEGINNINGS: u32 = 2;
}

/// What user space tells the programs before they are loaded.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Which argument slot holds the return value of inet_csk_accept() for an fexit program: the number of
    /// its parameters, 4 before Linux 6.10 and 2 since.
    pub accept_return: u32,
    /// The reader is woken at once when this many bytes are waiting in the ring.
    pub wakeup_bytes: u32,
    /// Attached copies of each program, see `redundant` in the kernel side: 1 to [`MAX_COPIES`](crate::MAX_COPIES).
    pub copies: u32,
    /// 1 where first bytes and DNS messages are copied.
    pub names: u32,
    /// Parameters of the protocols' recvmsg functions, whose return value follows them: 6 before Linux 5.19, 5 since; 4 if they lack `addr_len`.
    pub recvmsg_parameters: u32,
    /// 1 where packets are counted.
    pub wire: u32,
    /// 1 if the remotes of raw and ping sockets are taken from the packets that they send.
    pub notes_egress: u32,
    /// Not 0: each program returns at once (for measurements).
    pub empty: u32,
    /// For tests, bits of [`blind`]: events that programs do not see on some sockets, as if the kernel had skipped the programs.
    pub blind: u32,
    /// Parameters of `__cgroup_bpf_run_filter_sock_addr()`: 4 up to Linux 5.11, 5 in between, 6 since 6.6; 0 if the kernel does not have it.
    pub filter_parameters: u32,
    /// The pause after which a flow of datagrams is over, nanoseconds.
    pub idle_ns: u64,
    /// Entries that `SOCKS` and `FLOWS` each have room for.
    pub max_entries: u64,
    /// Entries that `ACCT` has room for.
    pub max_shares: u64,
    /// Entries that `OVERFLOW` has room for.
    pub max_overflow: u64,
    /// Notes that `LATE_CALLS` has room for.
    pub max_calls: u64,
    /// Code addresses `[from, to)` of the functions in which the receive of a datagram ends; 0 where unknown.
    pub receive: [[u64; 2]; RECEIVE_FUNCTIONS],
}
