//! Community ID v1: one name for a flow, the same in every tool that saw it on the wire.

use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

use super::{Connection, Endpoint, Facts};

/// The seed that everybody uses who does not want to keep apart what has the same name.
const SEED: u16 = 0;

/// The Community ID v1 of a connection, with seed 0.
///
/// There is none where the wire shows what is not known here: type and code of ICMP messages, the ports below a raw
/// socket, the addresses of a packet socket, or an end that was never bound. The bytes of an MPTCP connection are on
/// several flows; its ID is that of the first, to which its addresses and ports belong.
pub fn community_id(connection: &Connection) -> Option<String> {
    let Facts { proto, local, remote, .. } = connection.facts;
    let number = proto.ip_number()?;
    if local.ip.is_unspecified() || remote.ip.is_unspecified() {
        return None;
    }
    match number {
        1 | 58 => None,
        6 | 17 | 132 => {
            let known = !proto.is_raw() && local.port != 0 && remote.port != 0;
            known.then(|| of_flow(number, local, remote, true))
        }
        _ => Some(of_flow(number, local, remote, false)),
    }
}

/// The ID of a flow, whichever end is named first.
fn of_flow(proto: u8, one: Endpoint, other: Endpoint, has_ports: bool) -> String {
    let key = |end: Endpoint| (octets(end.ip), end.port);
    let (first, second) = if key(one) <= key(other) { (one, other) } else { (other, one) };
    let mut hash = Sha1::new();
    hash.update(SEED.to_be_bytes());
    hash.update(octets(first.ip));
    hash.update(octets(second.ip));
    hash.update([proto, 0]);
    if has_ports {
        hash.update(first.port.to_be_bytes());
        hash.update(second.port.to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(hash.finalize()))
}

/// An address as it is on the wire.
fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(proto: u8, from: (&str, u16), to: (&str, u16), has_ports: bool) -> String {
        let end = |(ip, port): (&str, u16)| Endpoint::new(ip.parse().unwrap(), port);
        let there = of_flow(proto, end(from), end(to), has_ports);
        assert_eq!(there, of_flow(proto, end(to), end(from), has_ports), "both ways");
        there
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let (a, b) = ("128.232.110.120", "66.35.250.204");
        assert_eq!(id(6, (a, 34855), (b, 80), true), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        assert_eq!(id(17, ("192.168.1.52", 54585), ("8.8.8.8", 53), true), "1:d/FP5EW3wiY1vCndhwleRRKHowQ=");
        assert_eq!(
            id(132, ("192.168.170.8", 7), ("192.168.170.56", 7), true),
            "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="
        );
    }

    #[test]
    fn an_address_of_ipv6_that_stands_for_one_of_ipv4_is_one_of_ipv4() {
        assert_eq!(
            id(6, ("::ffff:128.232.110.120", 34855), ("::ffff:66.35.250.204", 80), true),
            "1:LQU9qZlK+B5F3KDmev6m5PMibrg="
        );
    }
}
