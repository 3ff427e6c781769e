//! The host of an HTTP request.

use super::Message;
use super::address::{host_name, target, without_port};
use super::outcome::ParseOutcome;

/// Bytes of a longest first line.
const MAX_LINE: usize = 64 * 1024;
/// Bytes of the longest line with a chunk's size.
const MAX_CHUNK_LINE: usize = 4096;
/// Bytes of a longest body or chunk, behind which another request is looked for.
const MAX_BODY: usize = 1 << 30;

/// The host that a request is for.
pub fn request(stream: &[u8]) -> ParseOutcome<Message> {
    // Servers let lines end in a bare LF, and pass over empty ones before a request (RFC 9112, section 2.2).
    let blank = empty_lines(stream);
    let mut lines = stream[blank..].split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Some(line) = whole(first) else {
        let may_become =
            first.len() < MAX_LINE && first.iter().all(|byte| *byte >= b' ' || matches!(byte, b'\t' | b'\r'));
        return match may_become {
            true if is_begun(first) => ParseOutcome::Incomplete,
            true => ParseOutcome::Undecided,
            false => ParseOutcome::Nothing,
        };
    };
    let Some((method, uri)) = parts(line) else { return ParseOutcome::Nothing };
    let head = Head::parse(&stream[blank + first.len()..]);
    let len = blank + first.len() + head.len;
    let message = if method == b"CONNECT" {
        // What follows is for another host.
        Message::HttpProxy(target(without_port(uri)))
    } else if let Some(authority) = authority(uri) {
        Message::HttpProxy(target(without_port(authority)))
    } else {
        match head.host {
            Some(host) => Message::Http(host_name(without_port(&host))),
            None if head.is_whole => Message::Http(None),
            None => return ParseOutcome::Incomplete,
        }
    };
    if !head.is_whole {
        return ParseOutcome::Early(message);
    }
    // Another request may follow, for another host.
    match head.body {
        _ if method == b"CONNECT" => ParseOutcome::Message(message, len),
        Body::Of(body) => ParseOutcome::Message(message, len + body),
        Body::Chunks => ParseOutcome::Chunked(message, len),
        Body::Unknown => ParseOutcome::Last(message),
    }
}

/// A body in chunks (RFC 9112, section 7.1), of which the beginning is there.
pub enum Chunk {
    /// So many bytes, of which the last may be still to come; more chunks follow.
    Skip(usize),
    /// So many bytes, and with them the body ends.
    Last(usize),
    /// More is to come before that can be told.
    Undecided,
    /// It is none.
    Broken,
}

/// The next chunk of a body.
pub fn chunk(bytes: &[u8]) -> Chunk {
    // The end of the line that the chunk before has behind it.
    let blank = bytes.len() - bytes.strip_prefix(b"\r").unwrap_or(bytes).len();
    let blank = blank + usize::from(bytes.get(blank) == Some(&b'\n'));
    let mut lines = bytes[blank..].split_inclusive(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let Some(line) = whole(first) else {
        return if first.len() < MAX_CHUNK_LINE { Chunk::Undecided } else { Chunk::Broken };
    };
    // Behind the size there may be extensions.
    let digits = line.split(|byte| matches!(byte, b';' | b' ' | b'\t')).next().unwrap_or_default();
    let size = std::str::from_utf8(digits).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
    let mut len = blank + first.len();
    match size {
        Some(size @ 1..=MAX_BODY) => Chunk::Skip(len + size),
        // Fields can follow, up to an empty line.
        Some(0) => {
            for line in lines {
                len += line.len();
                match whole(line) {
                    Some([]) => return Chunk::Last(len),
                    Some(_) => {}
                    None => break,
                }
            }
            Chunk::Undecided
        }
        _ => Chunk::Broken,
    }
}

/// The data after the fields of a request.
#[derive(Clone, Copy)]
enum Body {
    /// So many bytes.
    Of(usize),
    /// As many as its chunks say.
    Chunks,
    /// Nobody can say.
    Unknown,
}

/// Fields of a request.
struct Head {
    /// The first Host, if all of it is there.
    host: Option<Vec<u8>>,
    /// The data that follows.
    body: Body,
    /// All of its bytes that are there.
    len: usize,
    /// There are no more.
    is_whole: bool,
}

impl Head {
    fn parse(bytes: &[u8]) -> Self {
        let mut head = Self { host: None, body: Body::Of(0), len: 0, is_whole: false };
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
            let (name, value) = (field[..colon].trim_ascii_end(), field.get(colon + 1..).unwrap_or_default());
            if name.eq_ignore_ascii_case(b"host") {
                head.host.get_or_insert_with(|| value.to_vec());
            } else if name.eq_ignore_ascii_case(b"content-length") {
                let len = std::str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse().ok());
                head.body = match (head.body, len) {
                    (Body::Of(_), Some(len @ ..=MAX_BODY)) => Body::Of(len),
                    // Chunks go before a length (RFC 9112, section 6.3).
                    (Body::Chunks, _) => Body::Chunks,
                    _ => Body::Unknown,
                };
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                let last = value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
                head.body = if last.eq_ignore_ascii_case(b"chunked") { Body::Chunks } else { Body::Unknown };
            }
        }
        head
    }
}

/// Whether a first line that has not come to its end is that of a request, as far as can be told.
fn is_begun(line: &[u8]) -> bool {
    let Some(at) = line.iter().position(|byte| matches!(byte, b' ' | b'\t')) else { return false };
    let uri = line[at..].trim_ascii_start();
    line[..at].iter().all(is_token) && (uri.starts_with(b"/") || uri.starts_with(b"http"))
}

/// Bytes of the empty lines at the beginning.
fn empty_lines(stream: &[u8]) -> usize {
    stream.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
}

/// Whether a stream begins with the first line of a request.
pub fn is_request(stream: &[u8]) -> bool {
    let first = stream[empty_lines(stream)..].split_inclusive(|byte| *byte == b'\n').next();
    first.and_then(whole).is_some_and(|line| parts(line).is_some())
}

/// A line that has come to its end, without that.
fn whole(line: &[u8]) -> Option<&[u8]> {
    let line = line.strip_suffix(b"\n")?;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// Method and target of a request's first line. Servers may let other blanks, and several, stand between its words, and after them
/// (RFC 9112, section 3).
fn parts(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c | b'\r');
    let mut parts = line.split(is_blank).filter(|part| !part.is_empty());
    let (method, uri, version) = (parts.next()?, parts.next()?, parts.next()?);
    let is_http = version.strip_prefix(b"HTTP/1.").is_some_and(|minor| matches!(minor, [b'0'..=b'9']));
    let is_request = method.iter().all(is_token) && !line.starts_with(b" ") && !line.starts_with(b"\t");
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
