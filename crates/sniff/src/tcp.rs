//! The beginning of a client's TCP stream: one or more preludes, then TLS, HTTP or SSH.

use super::outcome::ParseOutcome;
use super::{Message, http, http2, socks, tls};

/// The signature of the PROXY protocol's second version.
const PROXY2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of the longest header of its first version.
const PROXY1_LEN: usize = 107;

/// The result of parsing the beginning of a stream.
pub fn opening(stream: &[u8]) -> ParseOutcome<Message> {
    let Some(first) = stream.first() else { return ParseOutcome::Undecided };
    if *first == 22 {
        return tls::records(stream).map(Message::Tls);
    }
    if stream.starts_with(b"SSH-") {
        return ParseOutcome::Last(Message::Ssh);
    }
    match prelude(stream).or_else(|| http2::request(stream)).unwrap_or_else(|| http::request(stream)) {
        ParseOutcome::Nothing if stream.len() < PROXY2.len() => ParseOutcome::Undecided,
        found => found,
    }
}

/// The preludes.
fn prelude(stream: &[u8]) -> Option<ParseOutcome<Message>> {
    let skip = |len: usize| {
        Some(if stream.len() < len { ParseOutcome::Incomplete } else { ParseOutcome::Skip(len) })
    };
    let short =
        |at: usize| stream.get(at..at + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    if stream.starts_with(PROXY2) {
        return short(14).map_or(Some(ParseOutcome::Incomplete), |len| skip(16 + len));
    }
    if stream.starts_with(b"PROXY ") {
        let end = stream.iter().take(PROXY1_LEN).position(|byte| *byte == b'\n');
        return Some(match end {
            Some(end) => ParseOutcome::Skip(end + 1),
            None if stream.len() < PROXY1_LEN => ParseOutcome::Incomplete,
            None => ParseOutcome::Nothing,
        });
    }
    match stream {
        // PostgreSQL: SSLRequest, GSSENCRequest.
        [0, 0, 0, 8, 4, 210, 22, 47 | 48, ..] => skip(8),
        // MySQL: a login of this length is a wish for TLS.
        [32, 0, 0, 1, ..] => skip(36),
        // RDP: a connection request in a TPKT.
        [3, 0, ..] => short(2).map_or(Some(ParseOutcome::Incomplete), |len| skip(len.max(4))),
        [18, 0 | 1, ..] => Some(tds(stream)),
        // LDAP: a message, whose length is in one of three forms.
        [48, 0x84, a, b, c, d, ..] => skip(6 + u32::from_be_bytes([*a, *b, *c, *d]).min(1 << 16) as usize),
        [48, 0x81, len, ..] => skip(3 + usize::from(*len)),
        [48, len @ ..=127, ..] => skip(2 + usize::from(*len)),
        [4, 1 | 2, ..] => Some(socks::request4(stream)),
        [5, ..] => Some(socks::request5(stream)),
        _ => None,
    }
}

/// TDS: a PRELOGIN, or TLS that comes in packets of that kind (MS-TDS, section 2.2.6.5).
fn tds(stream: &[u8]) -> ParseOutcome<Message> {
    let mut tls = Vec::new();
    let mut rest = stream;
    while let [18, 0 | 1, a, b, _, _, _, _, data @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*a, *b])).saturating_sub(8);
        if tls.is_empty() && data.first().is_some_and(|first| *first != 22) {
            return if data.len() < len { ParseOutcome::Undecided } else { ParseOutcome::Skip(8 + len) };
        }
        tls.extend_from_slice(&data[..len.min(data.len())]);
        rest = data.get(len..).unwrap_or_default();
    }
    if tls.is_empty() { ParseOutcome::Undecided } else { tls::records(&tls).map(Message::Tls) }
}
