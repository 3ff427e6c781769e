//! Ranges of addresses as lists write them: `a - b`, a network and its mask, a last part left open.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, IpSubnets, Ipv4Subnets, Ipv6Subnets};

/// The networks that a range of addresses consists of; `None` if the text is no range, or one that runs backwards.
pub(super) fn range(text: &str) -> Option<Vec<IpNet>> {
    let (first, last) = text.split_once(['-', '–'])?;
    let (first, last) = (first.trim(), last.trim());
    let first = address(first)?;
    let last = match (first, last.parse::<u8>()) {
        // `192.0.2.10-20`
        (IpAddr::V4(ip), Ok(last)) => {
            let [a, b, c, _] = ip.octets();
            Ipv4Addr::new(a, b, c, last).into()
        }
        _ => address(last)?,
    };
    between(first, last)
}

/// The networks from one address to another.
pub(super) fn between(first: IpAddr, last: IpAddr) -> Option<Vec<IpNet>> {
    match (first.to_canonical(), last.to_canonical()) {
        (IpAddr::V4(first), IpAddr::V4(last)) if first <= last => {
            Some(IpSubnets::V4(Ipv4Subnets::new(first, last, 0)).collect())
        }
        (IpAddr::V6(first), IpAddr::V6(last)) if first <= last => {
            Some(IpSubnets::V6(Ipv6Subnets::new(first, last, 0)).collect())
        }
        _ => None,
    }
}

/// A network written as `192.0.2.0/255.255.255.0` or `192.0.2.*`.
pub(super) fn masked(text: &str) -> Option<IpNet> {
    if let Some((ip, mask)) = text.split_once('/') {
        return IpNet::with_netmask(address(ip)?, mask.parse().ok()?).ok().map(|network| network.trunc());
    }
    let stem = text.trim_end_matches(".*");
    let open = (text.len() - stem.len()) / 2;
    if !(1..4).contains(&open) {
        return None;
    }
    let ip: Ipv4Addr = format!("{stem}{}", ".0".repeat(open)).parse().ok()?;
    IpNet::new(ip.into(), 32 - 8 * open as u8).ok()
}

/// An address, also one with zeros in front of every number, as sorted lists have it (`192.000.002.001`), or with the zone that it has
/// on some host (`fe80::1%eth0`), which says nothing elsewhere.
pub(super) fn address(text: &str) -> Option<IpAddr> {
    let is_zone = |zone: &str| zone.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_.".contains(&c));
    let zoned = || text.split_once('%').filter(|(_, zone)| is_zone(zone))?.0.parse::<Ipv6Addr>().ok();
    text.parse().ok().or_else(|| zoned().map(IpAddr::V6)).or_else(|| {
        let parts: Vec<&str> = text.split('.').collect();
        let padded = |part: &&str| part.len() == 3 && part.bytes().all(|digit| digit.is_ascii_digit());
        let [a, b, c, d] = *parts.as_slice() else { return None };
        if ![a, b, c, d].iter().all(padded) {
            return None;
        }
        let number = |part: &str| part.parse::<u8>().ok();
        Some(Ipv4Addr::new(number(a)?, number(b)?, number(c)?, number(d)?).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_networks() {
        let shown = |networks: Option<Vec<IpNet>>| {
            networks.map(|all| all.iter().map(IpNet::to_string).collect::<Vec<_>>().join(" "))
        };
        for (text, expected) in [
            ("192.0.2.0 - 192.0.2.255", Some("192.0.2.0/24")),
            ("192.0.2.1-192.0.2.4", Some("192.0.2.1/32 192.0.2.2/31 192.0.2.4/32")),
            ("192.0.2.10-11", Some("192.0.2.10/31")),
            ("192.000.002.000 – 192.000.002.127", Some("192.0.2.0/25")),
            ("2001:db8:: - 2001:db8::ffff", Some("2001:db8::/112")),
            ("0.0.0.0-255.255.255.255", Some("0.0.0.0/0")),
            ("192.0.2.9-192.0.2.1", None),
            ("192.0.2.9-2001:db8::", None),
            ("a-b.example", None),
        ] {
            assert_eq!(shown(range(text)).as_deref(), expected, "{text}");
        }
        for (text, expected) in [
            ("192.0.2.9/255.255.255.0", Some("192.0.2.0/24")),
            ("192.0.2.*", Some("192.0.2.0/24")),
            ("192.0.*.*", Some("192.0.0.0/16")),
            ("192.0.2.9/255.0.255.0", None),
            ("*.*.*.*", None),
            ("192.0.2.1", None),
        ] {
            assert_eq!(masked(text).map(|network| network.to_string()).as_deref(), expected, "{text}");
        }
        assert_eq!(address("192.000.002.001"), "192.0.2.1".parse().ok());
        assert_eq!(address("192.000.2.001"), None);
        assert_eq!(address("fe80::1%eth0"), "fe80::1".parse().ok());
    }
}
