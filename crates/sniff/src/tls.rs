//! The ClientHello of TLS.

use tls_parser::{TlsRecordType, parse_tls_handshake_client_hello, parse_tls_record_header};

use super::address::{host_name, is_odd};
use super::outcome::ParseOutcome;
use connmon_record::Untrusted;
use connmon_record::frame::Hello;

/// Protocols of an offer that are kept.
const MAX_PROTOCOLS: usize = 16;
/// `client_hello` (RFC 8446, section 4).
const CLIENT_HELLO: u8 = 1;
/// `server_name`, and its kind of name (RFC 6066, section 3).
const SERVER_NAME: u16 = 0;
const HOST_NAME: u8 = 0;
/// `application_layer_protocol_negotiation` (RFC 7301, section 3.1).
const ALPN: u16 = 16;
/// `encrypted_client_hello` (RFC 9849, section 5).
const ENCRYPTED_HELLO: u16 = 0xfe0d;

/// The ClientHello at the beginning of a stream of TLS records.
pub fn records(stream: &[u8]) -> ParseOutcome<Hello> {
    let mut message = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let Ok((body, header)) = parse_tls_record_header(rest) else { break };
        if header.record_type != TlsRecordType::Handshake {
            return ParseOutcome::Nothing;
        }
        let len = usize::from(header.len).min(body.len());
        message.extend_from_slice(&body[..len]);
        rest = &body[len..];
    }
    handshake(&message)
}

/// The ClientHello at the beginning of a stream of handshake messages.
pub fn handshake(stream: &[u8]) -> ParseOutcome<Hello> {
    let Some((&[kind, a, b, c], body)) = stream.split_first_chunk() else { return ParseOutcome::Incomplete };
    if kind != CLIENT_HELLO {
        return ParseOutcome::Nothing;
    }
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    let Some(body) = body.get(..len) else { return ParseOutcome::Incomplete };
    match parse_tls_handshake_client_hello(body) {
        Ok((_, hello)) => ParseOutcome::Last(extensions(hello.ext.unwrap_or_default())),
        Err(_) => ParseOutcome::Nothing,
    }
}

/// Each by its length, so that one that is odd hides no other.
fn extensions(mut bytes: &[u8]) -> Hello {
    let mut hello = Hello::default();
    while let Some((kind, rest)) = number(bytes) {
        let Some((data, after)) = counted(rest) else { break };
        match kind {
            SERVER_NAME => {
                let name = server_name(data);
                hello.odd_name = name.is_none_or(is_odd);
                hello.server_name = name.and_then(host_name);
            }
            ALPN => hello.alpn = protocols(data),
            // That of an inner one is 1.
            ENCRYPTED_HELLO => hello.outer = data.first() == Some(&0),
            _ => {}
        }
        bytes = after;
    }
    hello
}

fn server_name(data: &[u8]) -> Option<&[u8]> {
    let (mut names, _) = counted(data)?;
    while let Some((kind, rest)) = names.split_first() {
        let (name, after) = counted(rest)?;
        if *kind == HOST_NAME {
            return Some(name);
        }
        names = after;
    }
    None
}

fn protocols(data: &[u8]) -> Vec<Untrusted> {
    let mut protocols = Vec::new();
    let Some((mut rest, _)) = counted(data) else { return protocols };
    while let Some((name, after)) =
        rest.split_first().and_then(|(len, rest)| rest.split_at_checked((*len).into()))
    {
        // The first of GREASE's values is no text (RFC 8701).
        let name = String::from_utf8(name.to_vec()).ok().filter(|_| protocols.len() < MAX_PROTOCOLS);
        protocols.extend(name.map(Untrusted::from));
        rest = after;
    }
    protocols
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    bytes.split_first_chunk().map(|(number, rest)| (u16::from_be_bytes(*number), rest))
}

/// What is behind its length, and what follows.
pub(super) fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    number(bytes).and_then(|(len, rest)| rest.split_at_checked(len.into()))
}
