//! Kinds of addresses, after the IANA special-purpose registries for IPv4 and IPv6.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The kind of an address. Only public ones have a place on a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressKind {
    /// Global unicast.
    Public,
    /// Private networks: RFC 1918, and unique local and site-local IPv6.
    Private,
    /// This host.
    Loopback,
    /// The link only.
    LinkLocal,
    /// Shared by a provider's customers (RFC 6598).
    Cgnat,
    /// A group of hosts.
    Multicast,
    /// All hosts of the link.
    Broadcast,
    /// For examples in documents.
    Documentation,
    /// For benchmarks of network devices.
    Benchmarking,
    /// No address: `0.0.0.0` or `::`.
    Unspecified,
    /// Everything else that is not global unicast.
    Reserved,
}

impl AddressKind {
    /// Every kind, in the order in which they are shown.
    pub const ALL: [Self; 11] = [
        Self::Public,
        Self::Private,
        Self::Loopback,
        Self::LinkLocal,
        Self::Cgnat,
        Self::Multicast,
        Self::Broadcast,
        Self::Documentation,
        Self::Benchmarking,
        Self::Unspecified,
        Self::Reserved,
    ];

    /// The kind of an address. IPv4-mapped, NAT64 and 6to4 addresses are of the kind of the IPv4 address in them.
    pub fn of_address(ip: IpAddr) -> Self {
        match effective_address(ip) {
            IpAddr::V4(ip) => of_v4(ip),
            IpAddr::V6(ip) => of_v6(ip),
        }
    }

    /// The name in machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Private => "private",
            Self::Loopback => "loopback",
            Self::LinkLocal => "link-local",
            Self::Cgnat => "cgnat",
            Self::Multicast => "multicast",
            Self::Broadcast => "broadcast",
            Self::Documentation => "documentation",
            Self::Benchmarking => "benchmarking",
            Self::Unspecified => "unspecified",
            Self::Reserved => "reserved",
        }
    }

    /// The name for people.
    pub fn label(self) -> &'static str {
        match self {
            Self::Public => "Public",
            Self::Private => "Private network",
            Self::Loopback => "This host (loopback)",
            Self::LinkLocal => "Link-local",
            Self::Cgnat => "Carrier-grade NAT",
            Self::Multicast => "Multicast",
            Self::Broadcast => "Broadcast",
            Self::Documentation => "Documentation range",
            Self::Benchmarking => "Benchmarking range",
            Self::Unspecified => "Unspecified",
            Self::Reserved => "Reserved range",
        }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The address that decides: the IPv4 address inside a mapped (`::ffff:0:0/96`), NAT64 (`64:ff9b::/96`, RFC 6052)
/// or 6to4 (`2002::/16`, RFC 3056) one.
pub fn effective_address(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip.to_canonical() else { return ip.to_canonical() };
    let embedded = |high: u16, low: u16| IpAddr::V4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
    match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => embedded(high, low),
        _ => v6.into(),
    }
}

fn of_v4(ip: Ipv4Addr) -> AddressKind {
    match ip.octets() {
        [0, 0, 0, 0] => AddressKind::Unspecified,
        [255, 255, 255, 255] => AddressKind::Broadcast,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => AddressKind::Private,
        [100, 64..=127, ..] => AddressKind::Cgnat,
        [127, ..] => AddressKind::Loopback,
        [169, 254, ..] => AddressKind::LinkLocal,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => AddressKind::Documentation,
        [198, 18..=19, ..] => AddressKind::Benchmarking,
        [224..=239, ..] => AddressKind::Multicast,
        // Anycast of the Port Control Protocol and of TURN: reachable from everywhere, unlike their neighbours.
        [192, 0, 0, 9..=10] => AddressKind::Public,
        [0, ..] | [192, 0, 0, _] | [192, 88, 99, _] | [240..=255, ..] => AddressKind::Reserved,
        _ => AddressKind::Public,
    }
}

fn of_v6(ip: Ipv6Addr) -> AddressKind {
    if ip.is_unspecified() {
        return AddressKind::Unspecified;
    }
    if ip.is_loopback() {
        return AddressKind::Loopback;
    }
    match ip.segments() {
        [0xff00..=0xffff, ..] => AddressKind::Multicast,
        [0xfe80..=0xfebf, ..] => AddressKind::LinkLocal,
        // Unique local, site-local, and the NAT64 prefix for local use (RFC 8215).
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] | [0x64, 0xff9b, 1, ..] => AddressKind::Private,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => AddressKind::Documentation,
        [0x2001, 2, 0, ..] => AddressKind::Benchmarking,
        // What the registry calls globally reachable within 2001::/23: anycast services, AMT, AS112, ORCHIDv2 and DRIP.
        [0x2001, 1, 0, 0, 0, 0, 0, 1..=3] | [0x2001, 3, ..] | [0x2001, 4, 0x112, ..] => AddressKind::Public,
        [0x2001, 0x20..=0x3f, ..] => AddressKind::Public,
        [0x2001, 0..=0x1ff, ..] => AddressKind::Reserved,
        [0x2000..=0x3fff, ..] => AddressKind::Public,
        _ => AddressKind::Reserved,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (kind, addresses) in [
            (
                AddressKind::Public,
                "1.1.1.1 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 2606:4700::1 2a00::1",
            ),
            (AddressKind::Public, "::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1 11.0.0.1 223.255.255.255"),
            (AddressKind::Private, "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fc00::1 fd12::1 fec0::1"),
            (AddressKind::Private, "::ffff:10.0.0.1 64:ff9b:1::1 64:ff9b::a00:1 2002:a00:1::1"),
            (AddressKind::Loopback, "127.0.0.1 127.255.0.1 ::1 ::ffff:127.0.0.1"),
            (AddressKind::LinkLocal, "169.254.169.254 fe80::1 febf::1"),
            (AddressKind::Cgnat, "100.64.0.1 100.127.255.255"),
            (AddressKind::Multicast, "224.0.0.251 239.255.255.250 ff02::fb"),
            (AddressKind::Broadcast, "255.255.255.255"),
            (AddressKind::Documentation, "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff:fff::1"),
            (AddressKind::Benchmarking, "198.18.0.1 198.19.255.255 2001:2::1"),
            (AddressKind::Unspecified, "0.0.0.0 ::"),
            (AddressKind::Reserved, "0.1.2.3 192.0.0.8 192.88.99.1 240.0.0.1 100::1 2001::1 4000::1 5f00::1"),
        ] {
            for ip in addresses.split(' ') {
                assert_eq!(AddressKind::of_address(ip.parse().unwrap()), kind, "{ip}");
            }
        }
    }

    /// Every row of the IANA special-purpose registries for IPv4 and IPv6, by its first and last address.
    #[test]
    fn the_registries_row_by_row() {
        use AddressKind::*;
        for (kind, first, last) in [
            (Reserved, "0.0.0.1", "0.255.255.255"),
            (Unspecified, "0.0.0.0", "0.0.0.0"),
            (Private, "10.0.0.0", "10.255.255.255"),
            (Cgnat, "100.64.0.0", "100.127.255.255"),
            (Loopback, "127.0.0.0", "127.255.255.255"),
            (LinkLocal, "169.254.0.0", "169.254.255.255"),
            (Private, "172.16.0.0", "172.31.255.255"),
            (Reserved, "192.0.0.0", "192.0.0.8"),
            (Public, "192.0.0.9", "192.0.0.10"),
            (Reserved, "192.0.0.11", "192.0.0.255"),
            (Documentation, "192.0.2.0", "192.0.2.255"),
            (Public, "192.31.196.0", "192.31.196.255"),
            (Public, "192.52.193.0", "192.52.193.255"),
            (Reserved, "192.88.99.0", "192.88.99.255"),
            (Private, "192.168.0.0", "192.168.255.255"),
            (Public, "192.175.48.0", "192.175.48.255"),
            (Benchmarking, "198.18.0.0", "198.19.255.255"),
            (Documentation, "198.51.100.0", "198.51.100.255"),
            (Documentation, "203.0.113.0", "203.0.113.255"),
            (Multicast, "224.0.0.0", "239.255.255.255"),
            (Reserved, "240.0.0.0", "255.255.255.254"),
            (Broadcast, "255.255.255.255", "255.255.255.255"),
            (Loopback, "::1", "::1"),
            (Unspecified, "::", "::"),
            (Public, "64:ff9b::808:808", "64:ff9b::808:808"),
            (Private, "64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
            (Reserved, "100::", "100::ffff:ffff:ffff:ffff"),
            (Reserved, "100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"),
            (Reserved, "2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Public, "2001:1::1", "2001:1::3"),
            (Benchmarking, "2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
            (Public, "2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Public, "2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
            (Reserved, "2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Public, "2001:20::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Reserved, "2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Documentation, "2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Private, "2002:a00::", "2002:aff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Public, "2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
            (Documentation, "3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Reserved, "5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Private, "fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (LinkLocal, "fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
            (Multicast, "ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ] {
            for ip in [first, last] {
                assert_eq!(AddressKind::of_address(ip.parse().unwrap()), kind, "{ip}");
            }
        }
    }

    #[test]
    fn every_kind_is_listed_once() {
        let names: std::collections::BTreeSet<&str> =
            AddressKind::ALL.iter().map(|kind| kind.name()).collect();
        assert_eq!(names.len(), AddressKind::ALL.len());
    }
}
