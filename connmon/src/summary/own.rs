//! Connections whose both ends are on this host: each end is recorded, so what passes on them is in sums twice.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use serde::Serialize;

use crate::model::Connection;

/// Figures of connections whose both ends are on this host: the sums have each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Own {
    /// Ends of connections.
    pub connections: u64,
    /// Bytes that these ends sent.
    pub tx_bytes: u64,
    /// Bytes that these ends received.
    pub rx_bytes: u64,
}

/// Takes connections and tells which of them have both ends here: the other end has an address that is this host's too. Memory
/// grows with the addresses.
#[derive(Default)]
pub struct OwnEnds {
    locals: HashSet<IpAddr>,
    remotes: HashMap<IpAddr, Own>,
}

impl OwnEnds {
    /// Takes a connection, with the bytes that are summed up.
    pub fn add(&mut self, connection: &Connection) {
        let (local, remote) = (connection.local.ip, connection.remote.ip);
        if !local.is_unspecified() && !local.is_multicast() {
            self.locals.insert(local);
        }
        let own = self.remotes.entry(remote).or_default();
        own.connections += 1;
        own.tx_bytes = own.tx_bytes.saturating_add(connection.tx_bytes());
        own.rx_bytes = own.rx_bytes.saturating_add(connection.rx_bytes());
    }

    /// The sum of those with both ends here.
    pub fn finish(&self) -> Own {
        let here = |ip: &IpAddr| ip.is_loopback() || self.locals.contains(ip);
        let all = self.remotes.iter().filter(|(ip, _)| here(ip));
        all.fold(Own::default(), |sum, (_, own)| Own {
            connections: sum.connections + own.connections,
            tx_bytes: sum.tx_bytes.saturating_add(own.tx_bytes),
            rx_bytes: sum.rx_bytes.saturating_add(own.rx_bytes),
        })
    }
}
