//! Sets of addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Networks in order, none within another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks(Vec<IpNet>);

/// A text that is neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an address or network")]
pub struct ParseNetworkError(String);

impl Networks {
    /// The set of these networks.
    pub fn new(networks: &[IpNet]) -> Self {
        let mut networks = IpNet::aggregate(&networks.to_vec());
        networks.sort_unstable();
        Self(networks)
    }

    /// The set of these addresses.
    pub fn of_addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::new(&addresses.into_iter().map(IpNet::from).collect::<Vec<_>>())
    }

    /// The networks of a list with one address or network a line; `#` begins a comment.
    ///
    /// # Errors
    /// The number of the first wrong line, and what is wrong.
    pub fn of_list(text: &str) -> Result<Self, (usize, ParseNetworkError)> {
        let mut networks = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if !line.is_empty() {
                networks.push(network(line).map_err(|error| (number, error))?);
            }
        }
        Ok(Self::new(&networks))
    }

    /// The addresses, where each network is a single one.
    pub fn addresses(&self) -> Option<Vec<IpAddr>> {
        self.0
            .iter()
            .map(|network| (network.prefix_len() == network.max_prefix_len()).then(|| network.addr()))
            .collect()
    }

    /// Whether an address is in one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        let after = self.0.partition_point(|network| network.network() <= ip);
        after > 0 && self.0[after - 1].contains(&ip)
    }
}

/// An address or a network; bits beyond the prefix do not matter.
///
/// # Errors
/// The text is neither.
pub fn network(text: &str) -> Result<IpNet, ParseNetworkError> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    let network = network.map_err(|_| ParseNetworkError(text.to_owned()))?;
    // As the store does it, IPv4 within IPv6 is IPv4.
    match (network.network().to_canonical(), network.prefix_len().checked_sub(96)) {
        (IpAddr::V4(ip), Some(length)) if network.network().is_ipv6() => {
            Ok(IpNet::new_assert(ip.into(), length))
        }
        (ip, _) if ip == network.network() => Ok(network.trunc()),
        _ => Ok(network),
    }
}

/// The networks, with spaces between them.
impl fmt::Display for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, network) in self.0.iter().enumerate() {
            let space = if nth > 0 { " " } else { "" };
            write!(f, "{space}{network}")?;
        }
        Ok(())
    }
}

/// The inverse of displaying.
impl FromStr for Networks {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Self, ParseNetworkError> {
        let networks: Vec<IpNet> = text.split_whitespace().map(network).collect::<Result<_, _>>()?;
        Ok(Self::new(&networks))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_have_comments() {
        let list = "# known\n10.0.0.0/8\n\n 8.8.8.8 # resolver\n::ffff:192.0.2.0/120\n2001:db8::/32\n";
        let networks = Networks::of_list(list).unwrap();
        for (ip, inside) in [
            ("10.255.0.1", true),
            ("11.0.0.0", false),
            ("9.255.255.255", false),
            ("8.8.8.8", true),
            ("::ffff:8.8.8.8", true),
            ("8.8.8.9", false),
            ("192.0.2.77", true),
            ("2001:db8:1::", true),
            ("2001:db9::", false),
        ] {
            assert_eq!(networks.contains(ip.parse().unwrap()), inside, "{ip}");
        }
        assert_eq!(networks.to_string().parse(), Ok(networks));
        let (line, error) = Networks::of_list("1.1.1.1\nexample.org\n").unwrap_err();
        assert_eq!((line, error.to_string().as_str()), (2, "`example.org` is not an address or network"));
        assert!(!Networks::default().contains("1.1.1.1".parse().unwrap()));
    }
}
