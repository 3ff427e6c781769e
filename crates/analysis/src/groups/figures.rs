//! Sums of the figures of connections.

use std::cmp::Reverse;
use std::iter::Sum;
use std::ops::{Add, AddAssign};

use connmon_record::{Connection, Direction, Proto, Share, Step};

/// Connections and bytes. A further figure is a field, a line in one of the functions that make figures, and one in
/// `add_assign`, the only place where connections' bytes are added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupFigures {
    /// Connections.
    pub connections: u64,
    /// Of these, connections that failed: see [`Connection::has_failed`].
    pub failed: u64,
    /// Of these, connections that the other side opened.
    pub inbound: u64,
    /// Of these, connections that last.
    pub open: u64,
    /// Connections, or subflows of them, whose bytes may be incomplete; each says why.
    pub inexact: u64,
    /// Application bytes sent.
    pub tx_bytes: u64,
    /// Application bytes received.
    pub rx_bytes: u64,
    /// Bytes sent from the IP header on; 0 where packets were not counted, or are not asked for.
    pub wire_tx_bytes: u64,
    /// Bytes received from the IP header on.
    pub wire_rx_bytes: u64,
    /// Connections that are not in the figures of the wire: only a part of their time is meant, or it is not known.
    pub wire_unknown: u64,
}

impl GroupFigures {
    /// A connection with all its bytes.
    pub fn from_connection(connection: &Connection) -> Self {
        connection.traffic.iter().map(Self::of_bytes).fold(Self::of_connection(connection), Self::add)
    }

    /// A connection without its bytes. A subflow is a part of an MPTCP connection that is counted itself.
    pub fn of_connection(connection: &Connection) -> Self {
        let one = |is: bool| u64::from(is && !connection.subflow);
        Self {
            connections: one(true),
            failed: one(connection.has_failed()),
            inbound: one(connection.direction == Direction::In),
            open: one(connection.is_open()),
            inexact: u64::from(connection.inexact.is_some()),
            ..Self::default()
        }
    }

    /// The figures of a connection on the wire. They are unknown if the connection is not `whole`, and for some connections
    /// always.
    pub fn of_wire(connection: &Connection, whole: bool) -> Self {
        let known = connection.wire.filter(|_| whole);
        let wire = known.unwrap_or_default();
        Self {
            wire_tx_bytes: wire.tx_bytes,
            wire_rx_bytes: wire.rx_bytes,
            wire_unknown: u64::from(known.is_none() && has_wire(connection)),
            ..Self::default()
        }
    }

    /// Bytes alone.
    pub fn of_bytes(moved: &impl Moved) -> Self {
        let (tx_bytes, rx_bytes) = moved.moved();
        Self { tx_bytes, rx_bytes, ..Self::default() }
    }

    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.tx_bytes.saturating_add(self.rx_bytes)
    }

    /// The order of groups for people: most bytes first, then most connections.
    pub fn rank(&self) -> impl Ord + Copy + use<> {
        Reverse((self.bytes(), self.connections))
    }
}

impl AddAssign for GroupFigures {
    fn add_assign(&mut self, more: Self) {
        self.connections = self.connections.saturating_add(more.connections);
        self.failed = self.failed.saturating_add(more.failed);
        self.inbound = self.inbound.saturating_add(more.inbound);
        self.open = self.open.saturating_add(more.open);
        self.inexact = self.inexact.saturating_add(more.inexact);
        self.tx_bytes = self.tx_bytes.saturating_add(more.tx_bytes);
        self.rx_bytes = self.rx_bytes.saturating_add(more.rx_bytes);
        self.wire_tx_bytes = self.wire_tx_bytes.saturating_add(more.wire_tx_bytes);
        self.wire_rx_bytes = self.wire_rx_bytes.saturating_add(more.wire_rx_bytes);
        self.wire_unknown = self.wire_unknown.saturating_add(more.wire_unknown);
    }
}

/// Figures of what calls moved, without those of the wire: fewer bytes, where there are many.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CallFigures {
    connections: u64,
    failed: u64,
    inbound: u64,
    open: u64,
    inexact: u64,
    tx_bytes: u64,
    rx_bytes: u64,
}

impl CallFigures {
    /// The figures, with none of the wire.
    pub(crate) fn all(self) -> GroupFigures {
        let Self { connections, failed, inbound, open, inexact, tx_bytes, rx_bytes } = self;
        GroupFigures {
            connections,
            failed,
            inbound,
            open,
            inexact,
            tx_bytes,
            rx_bytes,
            ..GroupFigures::default()
        }
    }
}

impl AddAssign<GroupFigures> for CallFigures {
    fn add_assign(&mut self, more: GroupFigures) {
        let GroupFigures { connections, failed, inbound, open, inexact, tx_bytes, rx_bytes, .. } =
            self.all() + more;
        *self = Self { connections, failed, inbound, open, inexact, tx_bytes, rx_bytes };
    }
}

impl Add for GroupFigures {
    type Output = Self;

    fn add(mut self, more: Self) -> Self {
        self += more;
        self
    }
}

impl Sum for GroupFigures {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), Self::add)
    }
}

/// Whatever moved bytes.
pub trait Moved {
    /// Bytes sent and received.
    fn moved(&self) -> (u64, u64);
}

impl Moved for Share {
    fn moved(&self) -> (u64, u64) {
        (self.tx_bytes, self.rx_bytes)
    }
}

impl Moved for Step {
    fn moved(&self) -> (u64, u64) {
        (self.tx_bytes, self.rx_bytes)
    }
}

/// Whether a connection has figures of the wire, or should: what an MPTCP connection puts there, its subflows have.
pub fn has_wire(connection: &Connection) -> bool {
    connection.proto != Proto::MPTCP
}

/// Figures of everything, and of the two protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FiguresByProtocol {
    /// Everything.
    pub all: GroupFigures,
    /// TCP alone.
    pub tcp: GroupFigures,
    /// UDP alone.
    pub udp: GroupFigures,
}

impl FiguresByProtocol {
    /// Counts figures of connections of a protocol.
    pub fn count(&mut self, proto: Proto, figures: GroupFigures) {
        self.all += figures;
        match proto {
            Proto::TCP => self.tcp += figures,
            Proto::UDP => self.udp += figures,
            _ => {}
        }
    }
}

impl AddAssign for FiguresByProtocol {
    fn add_assign(&mut self, more: Self) {
        self.all += more.all;
        self.tcp += more.tcp;
        self.udp += more.udp;
    }
}
