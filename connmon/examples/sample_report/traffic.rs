//! What happens: connections from reproducible random numbers.

use std::net::IpAddr;
use std::sync::Arc;

use connmon_enrich::geo::Geo;
use connmon_fixtures::Random;
use connmon_record::{
    Connection, Direction, End, Endpoint, Facts, KernelTotals, Name, NameSource, Process, Proto, Share,
    Timestamp, Wire,
};

use crate::world::{HOURS, KINDS, START};

/// One connection of a process that is drawn by how often it appears.
pub fn connection(
    id: i64,
    geo: &Geo,
    processes: &[Arc<Process>],
    remotes: &[(IpAddr, Option<String>)],
    random: &mut Random,
) -> Connection {
    let weights: u32 = KINDS.iter().map(|kind| kind.5).sum();
    let mut ticket = random.below(u64::from(weights)) as u32;
    let index = KINDS.iter().position(|kind| {
        let hit = ticket < kind.5;
        ticket = ticket.saturating_sub(kind.5);
        hit
    });
    let index = index.unwrap_or(0);
    let (name, _, _, _, port, _, typical_tx, typical_rx, direction) = KINDS[index];
    let (remote, country) = match name {
        "systemd-resolve" => (IpAddr::from([127, 0, 0, 53]), None),
        "avahi-daemon" => (IpAddr::from([224, 0, 0, 251]), None),
        "postgres" => (IpAddr::from([10, 20, 0, 12]), None),
        "prometheus" => (IpAddr::from([10, 20, 0, 20 + random.below(9) as u8]), None),
        "kworker/u8:2" => (IpAddr::from([192, 168, 7, 2]), None),
        "bash" => (IpAddr::from([198, 51, 100, 7]), None),
        "tailscaled" if random.below(2) == 0 => (IpAddr::from([100, 70, 3, random.below(40) as u8]), None),
        "restic" => remotes[0].clone(),
        "apt-get" => remotes[5].clone(),
        "x" => remotes[remotes.len() - 2].clone(),
        _ => {
            let spread = if direction == Direction::In { remotes.len() } else { remotes.len() * 2 / 3 };
            // Few remotes get most of the traffic.
            let a = random.below(spread as u64);
            remotes[(a * random.below(spread as u64) / spread as u64) as usize].clone()
        }
    };
    let country = country.or_else(|| geo.country(remote).map(str::to_owned));
    let udp = matches!(port, 53 | 123 | 5353 | 41641);
    let hour = [2, 3, 3, 5, 5, 5, 6, 6, 7, 8, 0, 1, 4][random.below(13) as usize];
    let opened = START + hour * HOURS + random.below(HOURS as u64 - 1) as i64;
    let length = random.around(if udp { 40_000_000 } else { 9_000_000_000 }) as i64;
    let closed = (opened + length < START + 9 * HOURS).then_some(Timestamp(opened + length));
    let failed = !udp && random.below(14) == 0;
    let end = match (closed, failed, udp) {
        (None, ..) => None,
        (_, true, _) => {
            Some([End::Refused, End::Timeout, End::Reset, End::Unreachable][random.below(4) as usize])
        }
        (_, _, true) => Some(End::Closed),
        _ => Some(if random.below(20) == 0 { End::Abort } else { End::Fin }),
    };
    let (tx, rx) = if failed { (0, 0) } else { (random.around(typical_tx), random.around(typical_rx)) };
    let process = processes[index].clone();
    let ephemeral = 32_768 + random.below(28_000) as u16;
    let local = if remote.is_ipv6() {
        "2001:db8:7::5".parse().unwrap_or(remote)
    } else {
        IpAddr::from([192, 168, 7, 5])
    };
    let (local_port, remote_port) =
        if direction == Direction::In { (port, ephemeral) } else { (ephemeral, port) };
    Connection {
        id,
        facts: Facts {
            proto: if udp { Proto::UDP } else { Proto::TCP },
            direction,
            local: Endpoint::new(local, local_port),
            remote: Endpoint::new(remote, remote_port),
            opened: Timestamp(opened),
            closed,
            end,
            kernel: (!udp && closed.is_some()).then_some(KernelTotals {
                tx_bytes: tx,
                rx_bytes: rx,
                rtt_us: 12_000,
                ..KernelTotals::default()
            }),
            wire: Some(Wire {
                tx_bytes: tx + 52 * (3 + tx / 1400),
                rx_bytes: rx + 52 * (3 + rx / 1400),
                tx_packets: 3 + tx / 1400,
                rx_packets: 3 + rx / 1400,
            }),
            ..Facts::default()
        },
        owner: Some(process.clone()),
        traffic: vec![Share {
            process,
            tx_bytes: tx,
            rx_bytes: rx,
            tx_calls: 1 + tx / 65_536,
            rx_calls: 1 + rx / 65_536,
        }],
        country,
        place: Some(Arc::new(geo.lookup(remote).place("sample".into()))),
        names: names(remote, direction, udp, Timestamp(opened)),
        ..Connection::default()
    }
}

/// The name of a called address: made up, under a top-level domain that nobody can have.
fn names(remote: IpAddr, direction: Direction, udp: bool, time: Timestamp) -> Vec<Name> {
    let IpAddr::V4(ip) = remote else { return Vec::new() };
    let [a, b, c, d] = ip.octets();
    if direction != Direction::Out || [10, 100, 127, 192, 224].contains(&a) || d % 5 == 0 {
        return Vec::new();
    }
    let host = ["api", "cdn", "www", "mirror", "img", "auth"][usize::from(c) % 6];
    let owner = ["aurora", "basalt", "cirrus", "delta", "ember", "fjord", "garnet"][usize::from(b) % 7];
    let source = if udp { NameSource::Dns } else { NameSource::Sni };
    vec![Name { name: format!("{host}.{owner}.example").into(), source, process: None, time }]
}
