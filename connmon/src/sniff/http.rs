//! The host of an HTTP request.

use super::Message;
use super::address::{host_name, target, without_port};
use super::stream::Found;

/// Bytes of a longest first line.
const MAX_LINE: usize = 64 * 1024;
/// Bytes of a longest body behind which another request to a proxy is looked for.
const MAX_BODY: usize = 1 << 30;

/// The host that a request is for.
pub fn request(stream: &[u8]) -> Found<Message> {
    // Servers let lines end in a bare LF, and pass over empty ones before a request (RFC 9112, section 2.2).
    let blank = stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
    let mut lines = stream[blank..].split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Some(line) = whole(first) else {
        let may_become = first.len() < MAX_LINE && first.iter().all(|byte| *byte >= b' ' || *byte == b'\r');
        return match may_become {
            true if is_begun(first) => Found::Incomplete,
            true => Found::Undecided,
            false => Found::Nothing,
        };
    };
    let Some((method, uri)) = parts(line) else { return Found::Nothing };
    let head = Head::of(&stream[blank + first.len()..]);
    let len = blank + first.len() + head.len;
    if method == b"CONNECT" {
        // What follows is for another host.
        let message = Message::HttpProxy(target(without_port(uri)));
        return if head.is_whole { Found::Message(message, len) } else { Found::Early(message) };
    }
    if let Some(authority) = authority(uri) {
        // What follows may be for yet another.
        let message = Message::HttpProxy(target(without_port(authority)));
        return match head.body {
            _ if !head.is_whole => Found::Early(message),
            Some(body) => Found::Message(message, len + body),
            None => Found::Last(message),
        };
    }
    match head.host {
        Some(host) => Found::Last(Message::Http(host_name(without_port(&host)))),
        None if head.is_whole => Found::Last(Message::Http(None)),
        None => Found::Incomplete,
    }
}

/// Fields of a request.
struct Head {
    /// The first Host, if all of it is there.
    host: Option<Vec<u8>>,
    /// Bytes of its body; none if that is not known.
    body: Option<usize>,
    /// All of its bytes that are there.
    len: usize,
    /// There are no more.
    is_whole: bool,
}

impl Head {
    fn of(bytes: &[u8]) -> Self {
        let mut head = Self { host: None, body: Some(0), len: 0, is_whole: false };
        let mut fields: Vec<Vec<u8>> = Vec::new();
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(field) = whole(line) else { break };
            head.len += line.len();
            match (field, fields.last_mut()) {
                ([], _) => {
                    head.is_whole = true;
                    break;
                }
                // It goes on with what was a field's line before (RFC 9112, section 5.2).
                ([b' ' | b'\t', ..], Some(last)) => last.extend_from_slice(field),
                _ => fields.push(field.to_vec()),
            }
        }
        // The last one may go on.
        let may_go_on = !head.is_whole && bytes.get(head.len).is_none_or(|byte| matches!(byte, b' ' | b'\t'));
        let settled = fields.len().saturating_sub(may_go_on.into());
        for field in &fields[..settled] {
            let colon = field.iter().position(|byte| *byte == b':').unwrap_or(0);
            let (name, value) = (&field[..colon], field.get(colon + 1..).unwrap_or_default());
            if name.eq_ignore_ascii_case(b"host") {
                head.host.get_or_insert_with(|| value.to_vec());
            } else if name.eq_ignore_ascii_case(b"content-length") {
                let len = std::str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse().ok());
                head.body = head.body.and(len).filter(|len| *len <= MAX_BODY);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                head.body = None;
            }
        }
        head
    }
}

/// Whether a first line that has not come to its end is that of a request, as far as can be told.
fn is_begun(line: &[u8]) -> bool {
    let Some(at) = line.iter().position(|byte| *byte == b' ') else { return false };
    let uri = &line[at + 1..];
    line[..at].iter().all(is_token) && (uri.starts_with(b"/") || uri.starts_with(b"http"))
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
    let is_http = version.strip_prefix(b"HTTP/1.").is_some_and(|minor| matches!(minor, [b'0'..=b'9']));
    let is_request = !method.is_empty() && method.iter().all(is_token) && !uri.is_empty();
    (is_http && is_request && parts.next().is_none()).then_some((method, uri))
}

fn is_token(byte: &u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte)
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
