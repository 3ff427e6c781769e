//! Connections whose both ends are on this host: each end is recorded, so what passes on them is in sums twice.

use std::collections::HashSet;
use std::net::IpAddr;

use serde::Serialize;

use super::groups::{GroupFigures, Groups};
use connmon_record::Connection;

/// Figures of connections whose both ends are on this host: the sums have each of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct HostInternal {
    /// Ends of connections.
    pub connections: u64,
    /// Bytes that these ends sent.
    pub tx_bytes: u64,
    /// Bytes that these ends received.
    pub rx_bytes: u64,
}

impl HostInternal {
    /// Of figures of such connections.
    pub(super) fn of_figures(figures: GroupFigures) -> Self {
        let GroupFigures { connections, tx_bytes, rx_bytes, .. } = figures;
        Self { connections, tx_bytes, rx_bytes }
    }
}

/// Takes connections and tells which of them have both ends here: the other end has an address that is this host's too. Memory
/// grows with the addresses.
#[derive(Default)]
pub struct HostInternalFinder {
    locals: HashSet<IpAddr>,
    remotes: Groups<IpAddr, GroupFigures>,
    pruned: GroupFigures,
}

/// Whether the local address of a connection is one that this host has.
pub(super) fn is_own(local: &IpAddr) -> bool {
    !local.is_unspecified() && !local.is_multicast()
}

impl HostInternalFinder {
    /// Takes a connection, with the bytes that are summed up.
    pub fn add(&mut self, connection: &Connection) {
        self.locals.extend(Some(connection.local.ip).filter(is_own));
        let figures = GroupFigures::from_connection(connection);
        *self.remotes.row(connection.remote.ip, |_| GroupFigures::default()) += figures;
    }

    /// Takes addresses that are this host's.
    pub fn add_locals(&mut self, locals: &HashSet<IpAddr>) {
        self.locals.extend(locals);
    }

    /// Takes connections that were pruned, of which it was known that both ends were here.
    pub fn add_pruned(&mut self, figures: GroupFigures) {
        self.pruned += figures;
    }

    /// The sum of those with both ends here.
    pub fn finish(self) -> HostInternal {
        let Self { locals, remotes, pruned } = self;
        let here = |ip: &IpAddr| ip.is_loopback() || locals.contains(ip);
        let all = remotes.finish().into_iter().filter(|(ip, _)| here(ip));
        HostInternal::of_figures(all.map(|(_, figures)| figures).fold(pruned, std::ops::Add::add))
    }
}
