//! HTTP/2 without TLS: the host of its first request.

use super::Message;
use super::address::{host_name, without_port};
use super::hpack;
use super::outcome::ParseOutcome;

/// The bytes with which a client begins (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes of a frame's head (RFC 9113, section 4.1).
const HEAD: usize = 9;
// Types of frames, and flags of one with fields (RFC 9113, sections 6.2 and 6.10).
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 32;

/// The host that the first request is for; `None` if it is not HTTP/2.
pub fn request(stream: &[u8]) -> Option<ParseOutcome<Message>> {
    if !PREFACE.starts_with(&stream[..stream.len().min(PREFACE.len())]) {
        return None;
    }
    let Some(mut rest) = stream.get(PREFACE.len()..) else { return Some(ParseOutcome::Undecided) };
    // That a client sends nothing more at first is usual.
    let begun = ParseOutcome::Early(Message::Http(None));
    let mut fields = Vec::new();
    while let [a, b, c, kind, flags, _, _, _, _, frame @ ..] = rest {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let Some(body) = frame.get(..len) else {
            let is_part = matches!(*kind, HEADERS | CONTINUATION);
            return Some(if is_part { ParseOutcome::Incomplete } else { begun });
        };
        rest = &rest[HEAD + len..];
        match *kind {
            HEADERS => fields.extend_from_slice(of_headers(body, *flags).unwrap_or_default()),
            CONTINUATION => fields.extend_from_slice(body),
            _ => continue,
        }
        if flags & END_HEADERS != 0 {
            let host = hpack::first_of(&fields, &[b":authority", b"host"]);
            return Some(ParseOutcome::Last(Message::Http(
                host.and_then(|host| host_name(without_port(&host))),
            )));
        }
    }
    Some(if fields.is_empty() { begun } else { ParseOutcome::Incomplete })
}

/// The fields in a frame, without what fills it and the priority.
fn of_headers(body: &[u8], flags: u8) -> Option<&[u8]> {
    let (padding, body) = match flags & PADDED {
        0 => (0, body),
        _ => body.split_first().map(|(len, rest)| (usize::from(*len), rest))?,
    };
    let from = if flags & PRIORITY == 0 { 0 } else { 5 };
    body.get(from..body.len().checked_sub(padding)?)
}
