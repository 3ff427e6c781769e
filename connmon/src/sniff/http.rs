//! The Host of an HTTP request.

use super::tls::host_name;

/// Header fields of a request that are looked at.
const MAX_FIELDS: usize = 64;
/// How HTTP/2 without TLS begins (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n";

/// The host that a request is for, as far as its beginning tells; `None` if this is no request.
pub fn host(bytes: &[u8]) -> Option<Option<String>> {
    if bytes.starts_with(HTTP2) {
        return Some(None);
    }
    // Whole lines only, and an end: the rest may be in a later packet.
    let lines = bytes.windows(2).rposition(|pair| pair == b"\r\n")?;
    let mut head = bytes[..lines].to_vec();
    head.extend_from_slice(b"\r\n\r\n");
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(&head).ok()?;
    request.version?;
    let host = request.headers.iter().find(|field| field.name.eq_ignore_ascii_case("host"));
    let name = host.and_then(|field| host_name(without_port(field.value)));
    Some(name.filter(|name| !is_address(name)))
}

/// Whether a host is an address, which is no name: the connection has its own.
fn is_address(host: &str) -> bool {
    host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>().is_ok()
}

/// `example.org` of `example.org:8080`; brackets of an IPv6 address stay.
fn without_port(value: &[u8]) -> &[u8] {
    let value = value.trim_ascii();
    match value.iter().rposition(|byte| *byte == b':') {
        Some(at) if value[at + 1..].iter().all(u8::is_ascii_digit) && !value[..at].ends_with(b":") => {
            &value[..at]
        }
        _ => value,
    }
}
