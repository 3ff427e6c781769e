//! The generator checked against itself: what one end sent, the other end received.

use std::collections::BTreeMap;

use super::{Connection, Direction, Endpoint, Proto, Truth};

type Flow = (Proto, Endpoint, Endpoint);

/// Every contradiction inside a truth, in words; none is expected.
pub fn disagreements(truth: &Truth) -> Vec<String> {
    let mut sums: BTreeMap<Flow, (u64, u64)> = BTreeMap::new();
    let mut problems = Vec::new();
    for process in &truth.processes {
        for connection in &process.connections {
            if connection.family != if connection.remote.ip.is_ipv4() { 4 } else { 6 } {
                problems.push(format!("family {} for {}", connection.family, connection.remote));
            }
            if let Some(flow) = flow(connection) {
                let sum = sums.entry(flow).or_default();
                sum.0 += connection.tx_bytes;
                sum.1 += connection.rx_bytes;
            }
        }
    }
    for (&(proto, local, remote), &(tx, rx)) in &sums {
        let failed = tx == 0 && rx == 0;
        let Some(&(peer_tx, peer_rx)) = sums.get(&(proto, remote, local)) else {
            // what nobody wanted has no other end, and brings no answer
            let unwanted = truth.lossy && rx == 0;
            let by_ports = matches!(proto, Proto::Tcp | Proto::Udp | Proto::Mptcp);
            if by_ports && !failed && !unwanted {
                problems.push(format!("{proto:?} {local} -> {remote}: the other end is missing"));
            }
            continue;
        };
        let agree = if truth.lossy { peer_rx <= tx && rx <= peer_tx } else { peer_rx == tx && rx == peer_tx };
        if !agree {
            problems.push(format!(
                "{proto:?} {local} -> {remote}: sent {tx}, received {rx}, but the peer sent {peer_tx}, received {peer_rx}"
            ));
        }
    }
    problems.extend(owners(truth));
    problems
}

/// The flow's ends. A socket bound to no address sends to a loopback address from that same address.
fn flow(connection: &Connection) -> Option<Flow> {
    let mut local = connection.local?;
    if local.ip.is_unspecified() {
        local.ip = connection.remote.ip;
    }
    Some((connection.proto, local, connection.remote))
}

/// Each TCP flow has exactly one owner a side; a flow whose ports came back has as many as its other side.
fn owners(truth: &Truth) -> Vec<String> {
    if truth.processes.iter().any(|process| process.totals.is_some()) {
        return Vec::new(); // a storm lists only sums
    }
    let mut owners: BTreeMap<(Flow, Direction), u32> = BTreeMap::new();
    for connection in truth.processes.iter().flat_map(|process| &process.connections) {
        if let (Proto::Tcp, Some(flow)) = (connection.proto, flow(connection)) {
            *owners.entry((flow, connection.direction)).or_default() += u32::from(connection.owner);
        }
    }
    let other_side = |&((proto, local, remote), direction): &(Flow, Direction)| {
        let direction = match direction {
            Direction::Out => Direction::In,
            Direction::In => Direction::Out,
            Direction::Unknown => Direction::Unknown,
        };
        owners.get(&((proto, remote, local), direction)).copied()
    };
    let wrong = owners.iter().filter(|&(side, &count)| count != 1 && other_side(side) != Some(count.max(1)));
    wrong.map(|(((_, local, remote), _), n)| format!("{local} -> {remote} has {n} owners")).collect()
}
