//! Names of hosts as clients write them.

use std::net::IpAddr;

use connmon_record::Untrusted;

/// Longest name of a host (RFC 1035, section 2.3.4).
const MAX_NAME: usize = 255;

/// A name in lower case, without the last dot; none if it cannot be one. An address is none: the connection has its own.
pub fn host_name(bytes: &[u8]) -> Option<Untrusted> {
    text(bytes).filter(|name| !is_address(name) && !name.contains([':', '%', '[', ']'])).map(Into::into)
}

/// Whether that is neither a name nor an address, nor nothing.
pub fn is_odd(bytes: &[u8]) -> bool {
    !bytes.trim_ascii().is_empty()
        && host_name(bytes).is_none()
        && !text(bytes).is_some_and(|name| is_address(&name))
}

/// A host that a proxy is asked for, by its name or its address.
pub fn target(bytes: &[u8]) -> Option<Untrusted> {
    let text = text(bytes)?;
    let host = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(&text);
    (is_address(host) || host_name(host.as_bytes()).is_some()).then(|| host.into())
}

fn text(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?;
    let text = text.strip_suffix('.').unwrap_or(text);
    let is_name =
        !text.is_empty() && text.len() <= MAX_NAME && !text.starts_with('.') && !text.contains("..");
    (is_name && !text.contains(is_forbidden)).then(|| text.to_ascii_lowercase())
}

/// What no name of a host has (URL Standard, section 3.1), but for what addresses have.
fn is_forbidden(c: char) -> bool {
    c.is_control() || c.is_whitespace() || "#/<>?@\\^|".contains(c)
}

/// Whether a host is an address, also in the forms that old resolvers take (`127.1`, `0x7f000001`): no name ends in a number.
fn is_address(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex =
        last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    host.starts_with('[')
        || hex
        || last.bytes().all(|byte| byte.is_ascii_digit())
        || host.parse::<IpAddr>().is_ok()
        // With the zone of a link-local address.
        || host.split_once('%').is_some_and(|(address, _)| address.parse::<IpAddr>().is_ok())
}

/// `example.org` of `example.org:8080`; brackets of an IPv6 address stay.
pub fn without_port(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value.iter().rposition(|byte| *byte == b':') {
        Some(at) if value[at + 1..].iter().all(u8::is_ascii_digit) && !value[..at].contains(&b':') => {
            &value[..at]
        }
        Some(at) if value.starts_with(b"[") && value[..at].ends_with(b"]") => &value[..at],
        _ => value,
    }
}
