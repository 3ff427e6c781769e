//! Settings of a recorder: the backend and the limits.

use std::fmt;

/// The ways in which calls that move bytes are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Trampolines on the protocols' functions: the cheapest, Linux 5.8 and later.
    Fentry,
    /// Probes on the same functions.
    Kprobe,
    /// Socket tracepoints and cgroup programs, Linux 6.3 and later.
    Tracepoint,
}

impl Backend {
    /// In the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// The name on the command line and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The tasks and the limits of the kernel side.
#[derive(Clone, Copy, Debug)]
pub struct CaptureOptions {
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Connections that can be open at once.
    pub max_connections: u32,
    /// The pause after which a flow of datagrams is over, nanoseconds.
    pub idle_ns: u64,
    /// Whether packets are counted.
    pub wire: bool,
    /// Whether DNS messages and the first bytes of connections are looked at.
    pub names: bool,
    /// The programs are there but do nothing: what it costs to call them.
    pub empty: bool,
    /// Whether the probes tell of troubles themselves.
    pub probe_log: bool,
    /// For tests: bits of `connmon_ebpf::blind`.
    pub blind: u32,
}

impl Default for CaptureOptions {
    fn default() -> Self {
        Self {
            ring_bytes: 8 << 20,
            max_connections: 131_072,
            // As nf_conntrack_udp_timeout_stream, a flow that was answered.
            idle_ns: 120_000_000_000,
            wire: true,
            names: true,
            empty: false,
            probe_log: false,
            blind: 0,
        }
    }
}
