//! The host of an HTTP request.

use super::Message;
use super::address::{host_name, target, without_port};
use super::stream::Found;

/// How HTTP/2 without TLS begins (RFC 9113, section 3.4).
const HTTP2: &[u8] = b"PRI * HTTP/2.0";
/// Bytes of a longest first line.
const MAX_LINE: usize = 64 * 1024;

/// The host that a request is for.
pub fn request(stream: &[u8]) -> Found<Message> {
    // Servers let lines end in a bare LF, and pass over empty ones before a request (RFC 9112, section 2.2).
    let blank = stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let mut lines = stream[blank..].split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Some(line) = whole(first) else {
        let may_become = first.len() < MAX_LINE && first.iter().all(|byte| *byte >= b' ' || *byte == b'\r');
        return if may_become { Found::Incomplete } else { Found::Nothing };
    };
    if line == HTTP2 {
        return Found::Last(Message::Http(None));
    }
    let Some((method, uri)) = parts(line) else { return Found::Nothing };
    let mut len = blank + first.len();
    let mut host = None;
    let mut is_whole = false;
    for field in lines {
        let Some(line) = whole(field) else { break };
        len += field.len();
        if line.is_empty() {
            is_whole = true;
            break;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(0);
        if line[..colon].eq_ignore_ascii_case(b"host") {
            host = host.or(Some(&line[colon + 1..]));
        }
    }
    if method == b"CONNECT" {
        // What follows is for another host.
        let message = || Message::HttpProxy(target(without_port(uri)));
        return if is_whole { Found::Message(message(), len) } else { Found::Incomplete };
    }
    if let Some(authority) = authority(uri) {
        return Found::Last(Message::HttpProxy(target(without_port(authority))));
    }
    match host {
        Some(host) => Found::Last(Message::Http(host_name(without_port(host)))),
        None if is_whole => Found::Last(Message::Http(None)),
        None => Found::Incomplete,
    }
}

/// Whether a stream begins with the first line of a request.
pub fn is_request(stream: &[u8]) -> bool {
    let first = stream.trim_ascii_start().split_inclusive(|byte| *byte == b'\n').next();
    first.and_then(whole).is_some_and(|line| parts(line).is_some())
}

/// A line that has come to its end, without that.
fn whole(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Method and target of a request's first line.
fn parts(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (method, uri, version) = (parts.next()?, parts.next()?, parts.next()?);
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    let is_http = version.strip_prefix(b"HTTP/1.").is_some_and(|minor| matches!(minor, [b'0'..=b'9']));
    let is_request = !method.is_empty() && method.iter().all(is_token) && !uri.is_empty();
    (is_http && is_request && parts.next().is_none()).then_some((method, uri))
}

/// Host and port of an absolute URI.
fn authority(uri: &[u8]) -> Option<&[u8]> {
    let at = uri.windows(3).position(|window| window == b"://")?;
    let is_scheme = uri[..at].iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if at == 0 || !is_scheme {
        return None;
    }
    let rest = &uri[at + 3..];
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?' | b'#')).unwrap_or(rest.len());
    let user = rest[..end].iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    Some(&rest[user..end])
}
