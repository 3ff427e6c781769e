//! The port that names a connection's service, and the customary name of the common ones.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::{Connection, Direction, ObservedService, Proto};

/// The port of the side that was called, and the name that is usual for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// The port; 0 where there is none.
    pub port: u16,
    /// The observed protocol, else the customary name of the port, which is only a convention.
    pub name: Option<&'static str>,
}

/// Customary names of services that speak TLS from the first byte.
const OVER_TLS: [&str; 11] = [
    "https",
    "imaps",
    "pop3s",
    "ldaps",
    "submission",
    "ftps",
    "dns over tls",
    "ipp",
    "https-alt",
    "mqtts",
    "amqp",
];
/// The ports of each name.
static PORTS: LazyLock<BTreeMap<&'static str, Vec<u16>>> = LazyLock::new(|| {
    let mut ports: BTreeMap<&'static str, Vec<u16>> = BTreeMap::new();
    for port in 1..=u16::MAX {
        let names = [Proto::TCP, Proto::UDP].map(|proto| Service::name_of(proto, port).map(Service::word));
        for name in names.into_iter().flatten() {
            let of = ports.entry(name).or_default();
            if of.last() != Some(&port) {
                of.push(port);
            }
        }
    }
    ports
});
/// Protocols by which TLS tells HTTP (RFC 7301, section 6).
const HTTP_WITHIN: [&str; 3] = ["h2", "http/1.1", "http/1.0"];

/// The service of a connection.
pub fn service_of(connection: &Connection) -> Service {
    let port = service_port(connection.direction, connection.local.port, connection.remote.port);
    let usual = Service::name_of(connection.proto, port);
    let name = connection.observed.as_ref().and_then(|observed| Service::name_seen(observed, usual));
    Service { port, name: name.or(usual) }
}

/// The port of the service: the remote one if this host called, the local one if it was called, and the lower one
/// where that is not known.
pub fn service_port(direction: Direction, local: u16, remote: u16) -> u16 {
    match direction {
        Direction::Out => remote,
        Direction::In => local,
        Direction::Unknown => [local, remote].into_iter().filter(|port| *port > 0).min().unwrap_or(0),
    }
}

impl Service {
    /// The name of what was seen. What a port is usual for tells more, if it goes with that.
    pub fn name_seen(observed: &ObservedService, usual: Option<&'static str>) -> Option<&'static str> {
        let http_within = observed.alpn.iter().any(|name| HTTP_WITHIN.contains(&name.raw()));
        match observed.service.raw() {
            "tls" if http_within => Some("https"),
            "tls" => Some(usual.filter(|name| OVER_TLS.contains(name)).unwrap_or("tls")),
            "quic" if observed.alpn.iter().any(|name| name.raw().starts_with("h3")) => Some("https (quic)"),
            "quic" => Some("quic"),
            "http" => Some(usual.filter(|name| *name == "http-alt").unwrap_or("http")),
            "dns" => Some("dns"),
            "ssh" => Some("ssh"),
            "socks" => Some("socks"),
            _ => None,
        }
    }

    /// The ports of a name by convention; of `https (quic)` the word `https` is enough.
    pub fn ports_of(name: &str) -> &'static [u16] {
        PORTS.get(name.to_ascii_lowercase().as_str()).map_or(&[], Vec::as_slice)
    }

    /// Every name by convention, a word each.
    pub fn names() -> impl Iterator<Item = &'static str> {
        PORTS.keys().copied()
    }

    /// The name as it is asked for: `https (quic)` is https.
    pub fn word(name: &str) -> &str {
        name.split(" (").next().unwrap_or(name)
    }

    /// The name by convention, after the IANA registry and common use.
    pub fn name_of(proto: Proto, port: u16) -> Option<&'static str> {
        if ![Proto::TCP, Proto::UDP].contains(&proto) {
            return None;
        }
        let name = match port {
            20 | 21 => "ftp",
            22 => "ssh",
            23 => "telnet",
            25 => "smtp",
            53 => "dns",
            67 | 68 => "dhcp",
            69 => "tftp",
            80 => "http",
            88 => "kerberos",
            110 => "pop3",
            111 => "rpcbind",
            123 => "ntp",
            137..=139 => "netbios",
            143 => "imap",
            161 | 162 => "snmp",
            179 => "bgp",
            389 => "ldap",
            443 if proto == Proto::UDP => "https (quic)",
            443 => "https",
            445 => "smb",
            465 | 587 => "submission",
            500 | 4500 => "ipsec",
            514 => "syslog",
            546 | 547 => "dhcpv6",
            554 => "rtsp",
            631 => "ipp",
            636 => "ldaps",
            853 => "dns over tls",
            873 => "rsync",
            989 | 990 => "ftps",
            993 => "imaps",
            995 => "pop3s",
            1194 => "openvpn",
            1433 => "mssql",
            1883 => "mqtt",
            1900 => "ssdp",
            2049 => "nfs",
            2181 => "zookeeper",
            2375 | 2376 => "docker",
            2379 | 2380 => "etcd",
            3128 => "proxy",
            3306 => "mysql",
            3389 => "rdp",
            3478 | 3479 => "stun",
            4317 | 4318 => "otlp",
            5060 | 5061 => "sip",
            5222 => "xmpp",
            5353 => "mdns",
            5355 => "llmnr",
            5432 => "postgresql",
            5671 | 5672 => "amqp",
            5900 => "vnc",
            6379 => "redis",
            6443 => "kubernetes",
            6667 | 6697 => "irc",
            8080 => "http-alt",
            8443 => "https-alt",
            8883 => "mqtts",
            9050 => "tor socks",
            9090 => "prometheus",
            9092 => "kafka",
            9200 => "elasticsearch",
            9418 => "git",
            11211 => "memcached",
            19302 => "stun",
            27017 => "mongodb",
            51820 => "wireguard",
            _ => return None,
        };
        Some(name)
    }
}
