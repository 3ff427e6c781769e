//! What is counted for each group.

use serde::Serialize;

use crate::model::{Connection, Proto};

/// Connections and bytes. A further figure is a field, a column, and a line in `add_bytes` and in `merge`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Connections, each counted for its owner only.
    pub connections: u64,
    /// Application bytes sent.
    pub tx_bytes: u64,
    /// Application bytes received.
    pub rx_bytes: u64,
    /// Bytes sent from the IP header on, each connection for its owner only; 0 where packets were not counted.
    pub wire_tx_bytes: u64,
    /// Bytes received from the IP header on.
    pub wire_rx_bytes: u64,
    /// Connections that are not in the figures of the wire: only a part of their time is meant, or it is not known.
    pub wire_unknown: u64,
}

/// The name of a column, and its figure.
pub type Column = (&'static str, fn(&Figures) -> u64);

impl Figures {
    /// Every figure, by its name in machine output.
    pub const COLUMNS: [Column; 6] = [
        ("connections", |f| f.connections),
        ("tx_bytes", |f| f.tx_bytes),
        ("rx_bytes", |f| f.rx_bytes),
        ("wire_tx_bytes", |f| f.wire_tx_bytes),
        ("wire_rx_bytes", |f| f.wire_rx_bytes),
        ("wire_unknown", |f| f.wire_unknown),
    ];

    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.tx_bytes.saturating_add(self.rx_bytes)
    }

    fn add_bytes(&mut self, tx: u64, rx: u64) {
        self.tx_bytes = self.tx_bytes.saturating_add(tx);
        self.rx_bytes = self.rx_bytes.saturating_add(rx);
    }

    fn merge(&mut self, other: &Self) {
        self.connections += other.connections;
        self.tx_bytes = self.tx_bytes.saturating_add(other.tx_bytes);
        self.rx_bytes = self.rx_bytes.saturating_add(other.rx_bytes);
        self.wire_tx_bytes = self.wire_tx_bytes.saturating_add(other.wire_tx_bytes);
        self.wire_rx_bytes = self.wire_rx_bytes.saturating_add(other.wire_rx_bytes);
        self.wire_unknown += other.wire_unknown;
    }
}

/// Figures of everything, and of the two protocols.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Split {
    /// Everything.
    #[serde(flatten)]
    pub all: Figures,
    /// TCP alone.
    pub tcp: Figures,
    /// UDP alone.
    pub udp: Figures,
}

/// Whether a connection has figures of the wire, or should: what an MPTCP connection puts there, its subflows have.
pub(super) fn has_wire(connection: &Connection) -> bool {
    connection.proto != Proto::MPTCP
}

impl Split {
    /// Counts a connection, and what it put on the wire; of one that is not `whole` that is not known, and of some never.
    pub fn add_connection(&mut self, connection: &Connection, whole: bool) {
        let known = connection.wire.filter(|_| whole);
        let wire = known.unwrap_or_default();
        self.each(connection.proto, |figures| {
            figures.merge(&Figures {
                // A subflow is a part of an MPTCP connection that is counted itself.
                connections: u64::from(!connection.subflow),
                wire_tx_bytes: wire.tx_bytes,
                wire_rx_bytes: wire.rx_bytes,
                wire_unknown: u64::from(known.is_none() && has_wire(connection)),
                ..Figures::default()
            });
        });
    }

    /// Counts bytes on a connection.
    pub fn add_bytes(&mut self, proto: Proto, tx: u64, rx: u64) {
        self.each(proto, |figures| figures.add_bytes(tx, rx));
    }

    /// Adds the figures of another group.
    pub fn merge(&mut self, other: &Self) {
        self.all.merge(&other.all);
        self.tcp.merge(&other.tcp);
        self.udp.merge(&other.udp);
    }

    fn each(&mut self, proto: Proto, mut change: impl FnMut(&mut Figures)) {
        change(&mut self.all);
        match proto {
            Proto::TCP => change(&mut self.tcp),
            Proto::UDP => change(&mut self.udp),
            _ => {}
        }
    }
}
