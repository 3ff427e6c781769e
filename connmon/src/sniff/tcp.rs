//! What a client begins a TCP stream with: a prelude or several, then TLS, HTTP or SSH.

use super::address::target;
use super::stream::Found;
use super::{Message, http, tls};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The signature of the PROXY protocol's second version.
const PROXY2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of the longest header of its first version.
const PROXY1_LEN: usize = 107;

/// What the beginning of a stream says.
pub fn opening(stream: &[u8]) -> Found<Message> {
    let Some(first) = stream.first() else { return Found::Incomplete };
    if *first == 22 {
        return tls::records(stream).map(Message::Tls);
    }
    if stream.starts_with(b"SSH-") {
        return Found::Last(Message::Ssh);
    }
    if let Some(found) = prelude(stream) {
        return found;
    }
    http::request(stream)
}

/// What goes before.
fn prelude(stream: &[u8]) -> Option<Found<Message>> {
    let skip = |len: usize| Some(if stream.len() < len { Found::Incomplete } else { Found::Skip(len) });
    let short =
        |at: usize| stream.get(at..at + 2).map(|bytes| usize::from(u16::from_be_bytes([bytes[0], bytes[1]])));
    if stream.starts_with(PROXY2) {
        return short(14).map_or(Some(Found::Incomplete), |len| skip(16 + len));
    }
    if stream.starts_with(b"PROXY ") {
        let end = stream.iter().take(PROXY1_LEN).position(|byte| *byte == b'\n');
        return Some(match end {
            Some(end) => Found::Skip(end + 1),
            None if stream.len() < PROXY1_LEN => Found::Incomplete,
            None => Found::Nothing,
        });
    }
    match stream {
        // PostgreSQL: SSLRequest, GSSENCRequest.
        [0, 0, 0, 8, 4, 210, 22, 47 | 48, ..] => skip(8),
        // MySQL: a login of this length is a wish for TLS.
        [32, 0, 0, 1, ..] => skip(36),
        // RDP: a connection request in a TPKT.
        [3, 0, ..] => short(2).map_or(Some(Found::Incomplete), |len| skip(len.max(4))),
        // TDS: a PRELOGIN, or a part of TLS in one.
        [18, 0 | 1, _, _, 0, 0, _, _, 22, ..] => Some(Found::Skip(8)),
        [18, 0 | 1, ..] => short(2).map_or(Some(Found::Incomplete), |len| skip(len.max(8))),
        // LDAP: a message, whose length is in one of three forms.
        [48, 0x84, a, b, c, d, ..] => skip(6 + u32::from_be_bytes([*a, *b, *c, *d]).min(1 << 16) as usize),
        [48, 0x81, len, ..] => skip(3 + usize::from(*len)),
        [48, len @ ..=127, ..] => skip(2 + usize::from(*len)),
        [4, 1 | 2, ..] => Some(socks4(stream)),
        [5, ..] => Some(socks5(stream)),
        // SOCKS: a name and a password.
        [1, user, rest @ ..] => {
            let password = rest.get(usize::from(*user)).map(|len| usize::from(*len));
            password.map_or(Some(Found::Incomplete), |len| skip(3 + usize::from(*user) + len))
        }
        _ => None,
    }
}

/// A request of SOCKS 4, or of 4A, which has the name of a host behind an address of zeros.
fn socks4(stream: &[u8]) -> Found<Message> {
    let Some((head, rest)) = stream.split_first_chunk::<8>() else { return Found::Incomplete };
    let mut texts = rest.split(|byte| *byte == 0);
    let user = texts.next().unwrap_or_default().len();
    if rest.len() <= user {
        return Found::Incomplete;
    }
    let [.., a, b, c, d] = *head;
    if [a, b, c] != [0; 3] || d == 0 {
        return Found::Message(Message::Socks(Some(Ipv4Addr::new(a, b, c, d).to_string())), 9 + user);
    }
    let name = texts.next().unwrap_or_default();
    if rest.len() <= user + 1 + name.len() {
        return Found::Incomplete;
    }
    Found::Message(Message::Socks(target(name)), 10 + user + name.len())
}

/// A greeting or a request of SOCKS 5 (RFC 1928).
fn socks5(stream: &[u8]) -> Found<Message> {
    let [_, second, rest @ ..] = stream else { return Found::Incomplete };
    let greeting = 2 + usize::from(*second);
    // A client waits after its greeting, unless it hopes for the best: then the version follows again.
    if stream.len() == greeting || stream.get(greeting) == Some(&5) && !matches!(rest, [0, 1 | 3 | 4, ..]) {
        return Found::Skip(greeting);
    }
    let (host, len) = match rest {
        [0, 1, a, b, c, d, ..] => (Some(Ipv4Addr::new(*a, *b, *c, *d).to_string()), 10),
        [0, 3, len, name @ ..] => {
            let len = usize::from(*len);
            (name.get(..len).and_then(target), 7 + len)
        }
        [0, 4, rest @ ..] => {
            let address = rest.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).to_string());
            (address, 22)
        }
        _ if stream.len() < greeting => return Found::Incomplete,
        _ => return Found::Skip(greeting),
    };
    if stream.len() < len { Found::Incomplete } else { Found::Message(Message::Socks(host), len) }
}
