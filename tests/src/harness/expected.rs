//! The records that a truth demands: one for each connection, whoever used it.

use std::collections::BTreeMap;

use crate::truth::{Connection, Process, Truth};

/// Sent and received bytes.
pub type Bytes = (u64, u64);

/// One record that must be there.
#[derive(Clone, Debug)]
pub struct Expected<'a> {
    /// Which case demands it.
    pub case: &'a str,
    /// Who opened or accepted the connection.
    pub owner: &'a Process,
    /// The owner's view.
    pub connection: &'a Connection,
    /// Bytes of each process, those without any left out.
    pub traffic: BTreeMap<u32, Bytes>,
    /// What was sent need not have been received.
    pub lossy: bool,
}

impl Expected<'_> {
    /// Bytes of all processes.
    pub fn sum(&self) -> Bytes {
        self.traffic.values().fold((0, 0), |sum, bytes| (sum.0 + bytes.0, sum.1 + bytes.1))
    }
}

impl std::fmt::Display for Expected<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Connection { proto, direction, local, remote, .. } = self.connection;
        let local = local.map_or_else(|| "?".to_owned(), |local| local.to_string());
        write!(
            f,
            "{proto:?} {direction:?} {local} -> {remote} of PID {} ({})",
            self.owner.pid, self.owner.role
        )
    }
}

/// The records that one truth demands, or why it makes no sense.
pub fn expected(truth: &Truth) -> Result<Vec<Expected<'_>>, String> {
    let mut records: Vec<Expected<'_>> = Vec::new();
    for (process, connection) in connections(truth).filter(|(_, connection)| connection.owner) {
        let mut traffic = BTreeMap::new();
        add(&mut traffic, process.pid, connection);
        let (case, lossy) = (truth.case.as_str(), truth.lossy);
        records.push(Expected { case, owner: process, connection, traffic, lossy });
    }
    for (process, connection) in connections(truth).filter(|(_, connection)| !connection.owner) {
        let record = records.iter_mut().find(|record| record.connection.same_flow(connection));
        let record = record.ok_or_else(|| format!("nobody owns the connection to {}", connection.remote))?;
        add(&mut record.traffic, process.pid, connection);
    }
    Ok(records)
}

fn connections(truth: &Truth) -> impl Iterator<Item = (&Process, &Connection)> {
    truth.processes.iter().flat_map(|process| process.connections.iter().map(move |c| (process, c)))
}

fn add(traffic: &mut BTreeMap<u32, Bytes>, pid: u32, connection: &Connection) {
    if (connection.tx_bytes, connection.rx_bytes) != (0, 0) {
        let bytes = traffic.entry(pid).or_default();
        bytes.0 += connection.tx_bytes;
        bytes.1 += connection.rx_bytes;
    }
}
