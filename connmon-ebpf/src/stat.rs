//! Counters of everything that can go wrong: indices into the per-CPU array `STATS`.

/// Connections whose final record found neither room in the ring nor in `OVERFLOW`.
pub const LOST_CONNECTIONS: u32 = 0;
/// Application bytes sent on those connections.
pub const LOST_TX: u32 = 1;
/// Application bytes received on those connections.
pub const LOST_RX: u32 = 2;
/// Records of processes and cgroups that found no room in the ring.
pub const LOST_PROCESSES: u32 = 3;
/// TCP sockets that got neither an entry nor a note in the pool; in versions before `POOLED`, those that found `SOCKS` full.
pub const SOCKS_FULL: u32 = 4;
/// Datagrams, and pools, that found `FLOWS` full.
pub const FLOWS_FULL: u32 = 5;
/// Times that a process's share found no room in `ACCT`.
pub const ACCT_FULL: u32 = 6;
/// Application bytes sent that no entry could take.
pub const UNATTRIBUTED_TX: u32 = 7;
/// Application bytes received that no entry could take.
pub const UNATTRIBUTED_RX: u32 = 8;
/// Failed reads of kernel memory.
pub const READ_ERRORS: u32 = 9;
/// Final records that went to `OVERFLOW`.
pub const OVERFLOWED: u32 = 10;
/// Calls, connects and pooled sockets whose note found no room.
pub const CALLS_FULL: u32 = 11;
/// The last id handed out on this CPU; not an error.
pub const IDS: u32 = 12;
/// Events that only a copy after the first saw; not an error.
pub const RESCUED: u32 = 13;
/// Sockets whose end no hook has seen.
pub const ENDS_UNSEEN: u32 = 14;
/// Entries made in `FLOWS`; not an error.
pub const FLOWS_MADE: u32 = 15;
/// Entries made in `ACCT`; not an error.
pub const SHARES_MADE: u32 = 16;
/// Copies of payload (first bytes of connections, DNS messages) and [`AskedRecord`](super::AskedRecord)s that could not be made.
pub const PAYLOADS_LOST: u32 = 17;
/// TCP sockets counted in `SOCKS_FULL` that got an entry after all; no longer counted.
pub const SOCKS_FOUND: u32 = 18;
/// Sockets that got no entry of their own, see [`flag::POOL`](super::flag::POOL).
pub const POOLED: u32 = 19;
/// Those of `POOLED` that have an entry after all, because another CPU made it.
pub const POOL_LEFT: u32 = 20;
/// The number of these counters.
pub const COUNT: u32 = 21;

/// The names of the counters, in the order of their indices.
pub const NAMES: [&str; COUNT as usize] = [
    "LOST_CONNECTIONS",
    "LOST_TX",
    "LOST_RX",
    "LOST_PROCESSES",
    "SOCKS_FULL",
    "FLOWS_FULL",
    "ACCT_FULL",
    "UNATTRIBUTED_TX",
    "UNATTRIBUTED_RX",
    "READ_ERRORS",
    "OVERFLOWED",
    "CALLS_FULL",
    "IDS",
    "RESCUED",
    "ENDS_UNSEEN",
    "FLOWS_MADE",
    "SHARES_MADE",
    "PAYLOADS_LOST",
    "SOCKS_FOUND",
    "POOLED",
    "POOL_LEFT",
];

/// Whether a counter counts what should not happen: something is lost, not known, or had to take the long way (`OVERFLOWED`).
pub const fn is_trouble(stat: u32) -> bool {
    !matches!(stat, IDS | RESCUED | FLOWS_MADE | SHARES_MADE | SOCKS_FOUND | POOLED | POOL_LEFT)
}
