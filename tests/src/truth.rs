//! What really happened, as the processes that did it counted it.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

mod agree;

pub use agree::disagreements;

/// The truth of one case, or of one phase of a case that waits in between.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Truth {
    /// The case's name with its family, such as `tcp-simple-v4`.
    pub case: String,
    /// `before`/`after`/`open` for cases that wait for the recorder in between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Bytes may rightly be sent and never received (resets, short buffers).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lossy: bool,
    /// Why this kernel cannot play the case; nothing else is true then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skipped: Option<String>,
    /// Start, RFC 3339.
    pub started: String,
    /// End, RFC 3339.
    pub ended: String,
    /// Every process of the case, also those without a connection.
    pub processes: Vec<Process>,
}

impl Truth {
    /// Both phases of a case together.
    pub fn merge(mut self, later: Self) -> Self {
        for process in later.processes {
            match self.processes.iter_mut().find(|known| known.same(&process)) {
                Some(known) => known.merge(process),
                None => self.processes.push(process),
            }
        }
        self.ended = later.ended;
        self
    }
}

/// One process.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Process {
    /// PID in the generator's own PID namespace.
    pub pid: u32,
    /// Start in clock ticks since boot: with the PID, an identity.
    #[serde(default)]
    pub start_ticks: u64,
    /// Parent's PID.
    pub ppid: u32,
    /// Target of `/proc/PID/exe`.
    pub exe: String,
    /// `/proc/PID/cmdline`, split at NUL.
    pub cmdline: Vec<String>,
    /// Further command lines that this PID had (it called exec).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<Vec<String>>,
    /// Real user.
    pub uid: u32,
    /// The role it played in the case.
    pub role: String,
    /// Sums, for cases with too many connections to list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// Connections it owned, or moved bytes on.
    pub connections: Vec<Connection>,
}

impl Totals {
    /// Adds a connection that the process owns.
    pub fn add(&mut self, connection: &Connection) {
        self.connections += 1;
        self.tx_bytes += connection.tx_bytes;
        self.rx_bytes += connection.rx_bytes;
    }
}

/// Sums over the connections of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Connections owned.
    pub connections: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
}

/// One connection as one process saw it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Transport.
    pub proto: Proto,
    /// 4 or 6; an IPv4-mapped IPv6 address counts as 4.
    pub family: u8,
    /// Who opened it; for UDP, who sent first.
    pub direction: Direction,
    /// Own end; `None` where the kernel never chose one.
    pub local: Option<Endpoint>,
    /// The other end.
    pub remote: Endpoint,
    /// Sum of what the sending calls returned.
    pub tx_bytes: u64,
    /// Sum of what the receiving calls returned, peeks left out.
    pub rx_bytes: u64,
    /// Sending calls that succeeded.
    pub tx_calls: u64,
    /// Receiving calls that delivered something.
    pub rx_calls: u64,
    /// How it ended for this side; `None`: not checked.
    pub end: Option<End>,
    /// Still open when this truth was written.
    #[serde(default)]
    pub open: bool,
    /// Was there before the truth of this phase begins.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub preexisting: bool,
    /// Opened or accepted by this process, not inherited or passed to it.
    pub owner: bool,
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Proto {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// Multipath TCP, as the process sees it.
    Mptcp,
    /// ICMP for IPv4.
    Icmp,
    /// ICMP for IPv6.
    Icmp6,
    /// IP, headers and all.
    Raw,
    /// Frames, which have no addresses of ours.
    Packet,
    /// A protocol number for experiments, over IP.
    #[serde(rename = "ip-253")]
    Experiment,
}

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// This side.
    Out,
    /// The other side.
    In,
    /// A record may not know; a truth always does.
    Unknown,
}

/// How a TCP connection ended for one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum End {
    /// Both directions closed in order.
    Fin,
    /// The peer reset it.
    Rst,
    /// No answer.
    Timeout,
    /// The peer refused it.
    Refused,
    /// This side reset it.
    Abort,
    /// No way there.
    Unreachable,
}

/// Address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// Address, never an IPv4-mapped one.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Self {
        Self { ip: addr.ip().to_canonical(), port: addr.port() }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", SocketAddr::new(self.ip, self.port))
    }
}

impl Connection {
    /// A connection without a byte so far.
    pub fn new(proto: Proto, direction: Direction, local: Option<SocketAddr>, remote: SocketAddr) -> Self {
        let remote = Endpoint::from(remote);
        Self {
            proto,
            family: if remote.ip.is_ipv4() { 4 } else { 6 },
            direction,
            local: local.map(Endpoint::from),
            remote,
            tx_bytes: 0,
            rx_bytes: 0,
            tx_calls: 0,
            rx_calls: 0,
            end: None,
            open: true,
            preexisting: false,
            owner: true,
        }
    }

    /// Whether both describe the same flow from the same side.
    pub fn same_flow(&self, other: &Self) -> bool {
        (self.proto, self.direction, self.local, self.remote)
            == (other.proto, other.direction, other.local, other.remote)
    }
}

impl Process {
    /// Stands for whoever should have accepted a connection, and did not.
    pub fn nobody(connections: Vec<Connection>) -> Self {
        Self { role: "nobody".to_owned(), connections, ..Self::default() }
    }

    /// The PID; `None` if it stands for nobody.
    pub fn known_pid(&self) -> Option<u32> {
        (self.pid != 0).then_some(self.pid)
    }

    /// Whether both are the same process.
    pub fn same(&self, other: &Self) -> bool {
        (self.pid, self.start_ticks) == (other.pid, other.start_ticks)
    }

    /// Takes over what the same PID reported at another time.
    pub fn merge(&mut self, later: Self) {
        if later.cmdline != self.cmdline {
            self.also.push(std::mem::replace(&mut self.cmdline, later.cmdline));
        }
        self.exe = later.exe;
        for theirs in later.connections {
            match self.connections.iter_mut().find(|ours| ours.same_flow(&theirs)) {
                Some(ours) => {
                    ours.tx_bytes += theirs.tx_bytes;
                    ours.rx_bytes += theirs.rx_bytes;
                    ours.tx_calls += theirs.tx_calls;
                    ours.rx_calls += theirs.rx_calls;
                    ours.end = theirs.end;
                    ours.open = theirs.open;
                }
                None => self.connections.push(theirs),
            }
        }
    }
}
