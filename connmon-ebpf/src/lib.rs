//! The layout that the kernel side and user space share.
//!
//! Every struct is `repr(C)` with explicit padding, and its size is asserted at compile time. All numbers are
//! in host byte order unless a comment says otherwise; all times are nanoseconds of CLOCK_BOOTTIME.
#![no_std]

#[cfg(feature = "user")]
mod as_bytes;
mod offsets;
mod payload;
mod settings;
pub mod stat;

pub use offsets::Offsets;
pub use payload::{AskedRecord, DNS_PORT, DNS_PORTS, PAYLOAD_SIZES, PayloadHead, class};
pub use settings::{Settings, blind};

/// Bytes of a task's name, with its final NUL (`TASK_COMM_LEN`, include/linux/sched.h).
pub const COMM_LEN: usize = 16;
/// Processes whose figures are kept inside a [`SockEntry`]; further ones go to the `ACCT` map.
pub const INLINE_SHARES: usize = 2;
/// Room for the path components of an executable.
pub const PATH_LEN: usize = 1024;
/// Longest path component (`NAME_MAX` plus NUL).
pub const NAME_LEN: usize = 256;
/// Room for the path of a cgroup, with its final NUL.
pub const CGROUP_PATH_LEN: usize = 1024;
/// Bytes of the argument area that an exec record carries.
pub const ARGS_LEN: usize = 4096;

/// Number of users' places (see `quota` in the kernel side): the lowest bits of a user id select its place, so a power of two.
pub const USERS: u32 = 8_192;
const _: () = assert!(USERS.is_power_of_two() && USERS <= 1 << 16, "a place fits into `SockEntry::user`");

/// Most notes of calls in each of `CALLS` and `LATE_CALLS`, see `calls` in the kernel side.
pub const MAX_CALLS: u32 = 8_192;

/// Maps of which each user may fill only a part, see `quota` in the kernel side.
pub mod quota {
    /// `SOCKS`.
    pub const SOCKS: u32 = 0;
    /// `ATTEMPTS`.
    pub const ATTEMPTS: u32 = 1;
    /// `ACCT`.
    pub const ACCT: u32 = 2;
    /// `OVERFLOW`.
    pub const OVERFLOW: u32 = 3;
    /// `LATE_CALLS`.
    pub const CALLS: u32 = 4;
    /// The number of these maps.
    pub const MAPS: u32 = 5;

    /// Whether only user space deletes entries from a map.
    pub const fn is_deleted_by_user_space(map: u32) -> bool {
        matches!(map, ACCT | OVERFLOW)
    }

    /// Index in `DELETED` of the count of what user space deleted for the user at `place`, or for all users ([`USERS`](super::USERS)).
    pub const fn deleted(map: u32, place: u32) -> u32 {
        map * (super::USERS + 1) + place
    }
}

/// Copies of each program that the kernel may skip, see `redundant` in the kernel side.
pub const MAX_COPIES: u32 = 6;

/// Functions that [`Settings::receive`] has room for.
pub const RECEIVE_FUNCTIONS: usize = 7;

/// The first field of each record in the ring buffer.
pub mod kind {
    /// A [`super::SockEntry`], final: its socket is gone.
    pub const SOCK: u32 = 1;
    /// A [`super::ExecRecord`].
    pub const EXEC: u32 = 2;
    /// A [`super::TaskRecord`]: a new process.
    pub const FORK: u32 = 3;
    /// A [`super::TaskRecord`]: a process whose last thread ended.
    pub const EXIT: u32 = 4;
    /// A [`super::TaskRecord`]: a process that the snapshot found, older than the probes.
    pub const EXISTS: u32 = 5;
    /// A [`super::TaskRecord`]: a process moved to another cgroup.
    pub const MOVED: u32 = 6;
    /// A [`super::CgroupRecord`]: a new cgroup.
    pub const CGROUP: u32 = 7;
    /// A [`super::PayloadHead`] and the bytes behind it.
    pub const PAYLOAD: u32 = 8;
    /// A [`super::TaskRecord`]: a process executed a new program, but its [`super::ExecRecord`] found no room in the ring.
    pub const EXEC_LOST: u32 = 9;
    /// A [`super::AskedRecord`].
    pub const ASKED: u32 = 10;
}

/// Values of [`SockEntry::proto`]: IP protocol numbers (include/uapi/linux/in.h), and two of our own.
pub mod proto {
    /// ICMP over IPv4, by a ping or a raw socket.
    pub const ICMP: u16 = 1;
    /// TCP.
    pub const TCP: u16 = 6;
    /// UDP.
    pub const UDP: u16 = 17;
    /// ICMP over IPv6, by a ping or a raw socket.
    pub const ICMPV6: u16 = 58;
    /// Multipath TCP: what the process talks to; its subflows are TCP sockets.
    pub const MPTCP: u16 = 262;
    /// Added to the protocol number of a raw socket of any other IP protocol, to tell it from that protocol's own sockets.
    pub const RAW: u16 = 0x200;
    /// A packet socket (AF_PACKET): whole frames, without addresses.
    pub const PACKET: u16 = 0x300;
}

/// Bits of [`SockEntry::flags`]. Once the entry is in its map, only hooks that hold the socket's lock, or remove the entry, write them.
pub mod flag {
    /// The socket existed before the probes did.
    pub const PREEXISTING: u32 = 1 << 0;
    /// TCP_CLOSE was seen, and the kernel's totals are in the entry.
    pub const TOTALS: u32 = 1 << 1;
    /// The socket is gone; the entry is on its way through the ring and no longer counts as live.
    pub const RELEASED: u32 = 1 << 2;
    /// This host opened it.
    pub const OUTBOUND: u32 = 1 << 3;
    /// The other side opened it.
    pub const INBOUND: u32 = 1 << 4;
    /// The peer's FIN arrived (`SOCK_DONE`, set by tcp_fin(), net/ipv4/tcp_input.c).
    pub const FIN_RECEIVED: u32 = 1 << 5;
    /// One remote of a datagram socket that talks to several; lives in `FLOWS`.
    pub const FLOW: u32 = 1 << 6;
    /// A connect that failed before a SYN was sent.
    pub const NEVER_SENT: u32 = 1 << 7;
    /// The remote address of a datagram could not be had.
    pub const REMOTE_UNKNOWN: u32 = 1 << 8;
    /// An upper-layer protocol (ULP) runs on this TCP socket (`icsk_ulp_ops`, include/net/inet_connection_sock.h): kernel TLS, MPTCP.
    pub const LAYERED: u32 = 1 << 9;
    /// The ULP was there from the start: this is a subflow of an MPTCP connection.
    pub const SUBFLOW: u32 = 1 << 10;
    /// No hook saw the socket's end. Another socket was found at its address, or two sweeps in a row found that or the socket closed; the
    /// time of closing is when that was noticed.
    pub const END_UNSEEN: u32 = 1 << 12;
    /// The datagram socket is, or may be, older than the recording, and may have exchanged datagrams with this remote before it.
    pub const SOCKET_OLDER: u32 = 1 << 13;
    /// The socket was found in use, and no hook saw its beginning.
    pub const BEGIN_UNSEEN: u32 = 1 << 15;
    /// Set by user space: the epoch of this flow of datagrams is over. Nothing is added to this entry; later datagrams go to another.
    pub const RETIRED: u32 = 1 << 14;
    /// The entry stands for several further remotes of a datagram socket, because there was no room for an entry each.
    pub const AGGREGATE: u32 = 1 << 16;
    /// With [`AGGREGATE`], also in `FLOWS`: the entry stands not for remotes of one socket but for sockets of one user and protocol, for
    /// which there was no room for an entry each. Nothing is known of their ends.
    pub const POOL: u32 = 1 << 17;
    /// Set by user space: the socket has also read datagrams whose remote is unknown, and some may have come from this remote.
    pub const UNKNOWN_BESIDE: u32 = 1 << 18;
}

/// An id that no other entry of a recording has: the CPU (Linux has 8192 at most: `NR_CPUS`, arch/x86/Kconfig), a count on that CPU,
/// and bits of the clock, because an interrupt between the add and the read can make two entries see the same count.
#[inline(always)]
pub const fn entry_id(cpu: u64, count: u64, time_ns: u64) -> u64 {
    (cpu << 51) | ((count & ((1 << 35) - 1)) << 16) | (time_ns & ((1 << 16) - 1))
}

/// Values of [`Control::phase`].
pub mod phase {
    /// Programs return at once: they are being attached, or detached.
    pub const OFF: u32 = 0;
    /// Everything is counted, and the snapshot is still finding out which sockets are older than the recording.
    pub const SNAPSHOT: u32 = 1;
    /// Everything is counted.
    pub const ON: u32 = 2;
}

/// What user space tells the programs while they run. It lets all of them start and stop counting at the same instants, however long it
/// takes to attach and detach them.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Control {
    /// One of [`phase`].
    pub phase: u32,
    /// See [`FlowKey::epoch`]; the first is 1.
    pub epoch: u32,
    /// The time just before counting began.
    pub since_ns: u64,
    /// Entries that user space has deleted from `FLOWS`.
    pub deleted: u64,
}

/// Most sockets that one run of `ends`, the program that finds ends that no hook saw, examines.
pub const SOCKETS_AT_ONCE: usize = 256;

/// The longest time that a handshake can take, in nanoseconds: somewhat more than all retries of a SYN (`tcp_syn_retries`, ip-sysctl). A
/// connection that is first seen later than this after a recording's start did not begin before it.
pub const STRADDLE_NS: u64 = 130_000_000_000;

/// An address and port. IPv4 lies in the first four bytes. The port is in host byte order.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addr {
    /// Network byte order.
    pub ip: [u32; 4],
    /// Host byte order.
    pub port: u16,
    /// AF_INET or AF_INET6.
    pub family: u16,
}

/// What one process sent and received on one connection. Counters only grow. `ACCT` uses only them: its key identifies the process.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// Address of the `struct task_struct` that used the share last: a hint that saves looking up the start time.
    pub task: u64,
    /// Start of the process.
    pub start_ns: u64,
    /// Thread group id; 0 where the slot is free.
    pub tgid: u32,
    /// Real user id.
    pub uid: u32,
    /// Bytes that calls handed to the kernel.
    pub tx_bytes: u64,
    /// Bytes that the kernel handed to calls.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

/// What a connection put on the wire, from the IP header on, as the host's sockets saw it. Counters only grow.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wire {
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Packets received.
    pub rx_packets: u64,
}

/// One connection: the value of `SOCKS` and `FLOWS`, and, once its socket is gone, a record in the ring.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SockEntry {
    /// [`kind::SOCK`].
    pub kind: u32,
    /// [`flag`] bits.
    pub flags: u32,
    /// Unique within a recording.
    pub id: u64,
    /// For a flow, the id of its socket's entry. On the kernel side of a TCP connection, notes of `hooks::payload`, of which user space never
    /// takes notice ([`SockEntry::without_notes`]); else 0.
    pub parent: u64,
    /// When the connection was first seen.
    pub opened_ns: u64,
    /// When TCP_ESTABLISHED was reached; 0 if never.
    pub established_ns: u64,
    /// When TCP_CLOSE was reached, or the socket released; 0 before.
    pub closed_ns: u64,
    /// This host's end.
    pub local: Addr,
    /// The other end.
    pub remote: Addr,
    /// IPPROTO_*.
    pub proto: u16,
    /// TCP state before TCP_CLOSE.
    pub old_state: u8,
    /// 1 once the size on the wire of some packet is not known, and for a [`flag::POOL`]. A byte of its own, because softirqs write it
    /// while others write `flags`.
    pub wire_unknown: u8,
    /// `sk_err` at TCP_CLOSE, or the errno of a failed connect, positive.
    pub err: u32,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// Retransmitted segments.
    pub retransmits: u32,
    /// `bytes_sent − bytes_retrans` at TCP_CLOSE.
    pub kernel_tx: u64,
    /// `bytes_received` at TCP_CLOSE; counts the peer's FIN.
    pub kernel_rx: u64,
    /// TCP: `bytes_retrans` at TCP_CLOSE. Datagrams, in `SOCKS`: flows begun in an epoch, see `quota` in the kernel side.
    pub retransmitted: u64,
    /// `srtt_us` at TCP_CLOSE: the smoothed round-trip time in eighths of a microsecond.
    pub srtt: u32,
    /// TCP: the last event of the life cycle, see `redundant` in the kernel side. Other sockets: the number of the inode.
    pub mark: u32,
    /// Packets and their bytes, if they are counted.
    pub wire: Wire,
    /// TCP: bytes delivered so far, `bytes_received − (rcv_nxt − copied_seq)`.
    pub delivered: u64,
    /// TCP: the `write_seq` up to which sent bytes have been counted (kprobe backend). Datagrams, in `SOCKS`: the epoch of the entry, see
    /// [`FlowKey::epoch`].
    pub write_seq: u32,
    /// 1 once `write_seq` has been set.
    pub has_write_seq: u8,
    /// 1 once the socket was found in a sockmap, whose BPF programs may move its bytes past its protocol. A byte of its own, for the
    /// reason given at `wire_unknown`.
    pub diverted: u8,
    /// How far the payload sent (0) and received (1) has been examined, see `hooks::payload` in the kernel side.
    pub looked: [u8; 2],
    /// Number of shares of further processes in `ACCT`.
    pub extra_shares: u32,
    /// Calls that found no room in `ACCT`, whose bytes count as unattributed, or none for their note, see `calls` in the kernel side.
    pub lost_calls: u32,
    /// Number of further remotes in `FLOWS`; for a [`flag::POOL`], of the sockets that it stands for.
    pub extra_flows: u32,
    /// In `SOCKS`: the place of the socket's user, see [`USERS`].
    pub user: u16,
    /// 1 if the last sweep found the socket closed, or another one at its address, though no hook saw its end. A byte of its own, because
    /// the sweep writes it while others write `flags`.
    pub stale: u8,
    /// Explicit padding.
    pub pad: u8,
    /// Name of the first process.
    pub comm: [u8; COMM_LEN],
    /// The first is the owner's: the process that connected or accepted, else the first that used the socket.
    pub shares: [Share; INLINE_SHARES],
}

impl SockEntry {
    /// The entry as user space is to see it.
    #[must_use]
    pub fn without_notes(self) -> Self {
        Self { parent: if self.flags & flag::FLOW == 0 { 0 } else { self.parent }, ..self }
    }
}

/// Key of `FLOWS`.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FlowKey {
    /// Id of the socket's entry.
    pub parent: u64,
    /// The remote; all zero for an aggregate. For a [`flag::POOL`], the protocol, and the parent is its user's place plus 1.
    pub remote: Addr,
    /// [`Control::epoch`] when the datagram passed. When user space raises the epoch, a flow that goes on moves to a new entry by itself.
    /// Once all programs that began before that have ended, entries of earlier epochs no longer change and can be deleted, so user space
    /// need not mark them, which it could not do safely while programs add to them. User space joins the entries of a flow, and their
    /// times tell it whether the flow paused.
    pub epoch: u32,
}

/// Key of `ACCT`.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct AcctKey {
    /// Id of the entry.
    pub id: u64,
    /// Start of the process.
    pub start_ns: u64,
    /// Thread group id.
    pub tgid: u32,
    /// Real user id.
    pub uid: u32,
}

/// An event of a process, or its state in the snapshot.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TaskRecord {
    /// [`kind::FORK`], [`kind::EXIT`], [`kind::EXISTS`], [`kind::MOVED`] or [`kind::EXEC_LOST`].
    pub kind: u32,
    /// Thread group id.
    pub tgid: u32,
    /// Start of the process.
    pub start_ns: u64,
    /// When this happened.
    pub time_ns: u64,
    /// Parent's thread group id.
    pub ppid: u32,
    /// Real user id.
    pub uid: u32,
    /// Start of the parent.
    pub parent_start_ns: u64,
    /// The task's name.
    pub comm: [u8; COMM_LEN],
    /// `PF_KTHREAD` and its like (include/linux/sched.h).
    pub task_flags: u32,
    /// Effective user id.
    pub euid: u32,
    /// Id of its cgroup in the cgroup v2 hierarchy, which is the inode number of the cgroup's directory.
    pub cgroup: u64,
    /// The audit system's login session; [`NO_SESSION`] for none.
    pub session: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Outside of any login session (`AUDIT_SID_UNSET`, include/linux/audit.h), or the kernel keeps none.
pub const NO_SESSION: u32 = u32::MAX;

/// A cgroup was created.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CgroupRecord {
    /// [`kind::CGROUP`].
    pub kind: u32,
    /// Bytes used in `path`.
    pub path_len: u32,
    /// Its id.
    pub id: u64,
    /// Its path from the root of the hierarchy.
    pub path: [u8; CGROUP_PATH_LEN],
}

/// A process executed a new program.
#[repr(C)]
#[cfg_attr(feature = "user", derive(bytemuck::Pod, bytemuck::Zeroable))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExecRecord {
    /// [`kind::EXEC`].
    pub kind: u32,
    /// Thread group id.
    pub tgid: u32,
    /// Start of the process (exec does not change it).
    pub start_ns: u64,
    /// When this happened.
    pub time_ns: u64,
    /// Parent's thread group id.
    pub ppid: u32,
    /// Real user id.
    pub uid: u32,
    /// The task's name.
    pub comm: [u8; COMM_LEN],
    /// Bytes used in `path`.
    pub path_len: u32,
    /// Bytes used in `args`.
    pub args_len: u32,
    /// Bytes of all arguments, of which `args` may hold only the first.
    pub args_total: u32,
    /// 1 if the walk did not reach the root, so that `path` is incomplete.
    pub path_truncated: u32,
    /// Effective user id.
    pub euid: u32,
    /// As in [`TaskRecord::session`].
    pub session: u32,
    /// As in [`TaskRecord::cgroup`].
    pub cgroup: u64,
    /// Inode number of the executable.
    pub inode: u64,
    /// The kernel's number of its file system's device.
    pub device: u32,
    /// Hard links to the executable; 0 if it has been deleted, or never had a name.
    pub links: u32,
    /// Bytes used in `cwd`.
    pub cwd_len: u32,
    /// As `path_truncated`.
    pub cwd_truncated: u32,
    /// Path components from the file up to the root, each ended by NUL.
    pub path: [u8; PATH_LEN + NAME_LEN],
    /// Path components of the process's working directory, in the same form.
    pub cwd: [u8; PATH_LEN + NAME_LEN],
    /// The arguments, each ended by NUL.
    pub args: [u8; ARGS_LEN],
    /// When the executable's inode was last changed, in seconds since 1970. This field and those after it are missing from the records of
    /// earlier versions, see [`EXEC_LEN_0`].
    pub changed_s: i64,
    /// Nanoseconds within that second.
    pub changed_ns: u32,
    /// Explicit padding.
    pub pad: u32,
}

/// Bytes of an [`ExecRecord`] in captures of earlier versions.
pub const EXEC_LEN_0: usize = core::mem::offset_of!(ExecRecord, changed_s);

const _: () = {
    assert!(entry_id(8191, u64::MAX, u64::MAX) == u64::MAX);
    assert!(size_of::<Addr>() == 20);
    assert!(size_of::<Share>() == 56);
    assert!(size_of::<SockEntry>() == 328);
    assert!(size_of::<Wire>() == 32);
    assert!(size_of::<FlowKey>() == 32);
    assert!(size_of::<AcctKey>() == 24);
    assert!(size_of::<TaskRecord>() == 80);
    assert!(size_of::<CgroupRecord>() == 16 + CGROUP_PATH_LEN);
    assert!(EXEC_LEN_0 == 104 + 2 * (PATH_LEN + NAME_LEN) + ARGS_LEN);
    assert!(size_of::<ExecRecord>() == EXEC_LEN_0 + 16);
    assert!(size_of::<ExecRecord>().is_multiple_of(8));
    assert!(size_of::<Settings>() == 80 + 16 * RECEIVE_FUNCTIONS);
};
