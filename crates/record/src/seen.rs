//! Facts that the recorder itself saw on one connection.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::{Direction, End, Endpoint, Proto, Timestamp};

/// Facts that the recorder itself saw on one connection: those that depend on no name, no process and no database.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The protocol.
    pub proto: Proto,
    /// The side that opened the connection.
    pub direction: Direction,
    /// This host's end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// The address that the process asked for, where a BPF program led the connection to `remote` and it was seen.
    pub asked: Option<Endpoint>,
    /// First seen: connect, accept, or the first datagram.
    pub opened: Timestamp,
    /// When it ended; `None` where that was not seen.
    pub closed: Option<Timestamp>,
    /// Why it ended, or [`End::RecordingEnded`]; `None` while it lasts.
    pub end: Option<End>,
    /// It existed before the recording began, so its figures are partial.
    pub preexisting: bool,
    /// A subflow of an MPTCP connection, on which the application bytes are counted.
    pub subflow: bool,
    /// Why the figures may be incomplete; `None` where they are exact.
    pub inexact: Option<Cow<'static, str>>,
    /// The kernel's own totals, for TCP connections whose end was seen.
    pub kernel: Option<KernelTotals>,
    /// Packets, where they were counted.
    pub wire: Option<Wire>,
    /// Inode number of the network namespace.
    pub netns: u32,
    /// By how much the clock was set between `opened` and `closed`, nanoseconds.
    pub clock_set_ns: i64,
}

/// A connection of which nothing is known.
impl Default for Facts {
    fn default() -> Self {
        Self {
            proto: Proto(0),
            direction: Direction::Unknown,
            local: Endpoint::UNSPECIFIED,
            remote: Endpoint::UNSPECIFIED,
            asked: None,
            opened: Timestamp(0),
            closed: None,
            end: None,
            preexisting: false,
            subflow: false,
            inexact: None,
            kernel: None,
            wire: None,
            netns: 0,
            clock_set_ns: 0,
        }
    }
}

/// The kernel's totals of a TCP connection, read when it reached TCP_CLOSE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelTotals {
    /// Payload bytes sent once: `bytes_sent − bytes_retrans`, without SYN and FIN.
    pub tx_bytes: u64,
    /// Payload bytes received in order, without the peer's FIN.
    pub rx_bytes: u64,
    /// Retransmitted segments.
    pub retransmits: u32,
    /// Retransmitted payload bytes.
    pub retransmitted_bytes: u64,
    /// The smoothed round-trip time at the end, microseconds.
    pub rtt_us: u32,
}

/// What a connection put on the wire, from the IP header on, as the host's sockets saw it: not what a lower layer adds or
/// drops, nor what comes after the socket is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
