//! The ClientHello of TLS.

use serde::{Deserialize, Serialize};
use tls_parser::{
    SNIType, TlsExtension, TlsRecordType, parse_tls_client_hello_extensions,
    parse_tls_handshake_client_hello, parse_tls_record_header,
};

use super::stream::Found;

/// Longest name of a host (RFC 1035, section 2.3.4).
pub const MAX_NAME: usize = 255;
/// Protocols of an offer that are kept.
const MAX_PROTOCOLS: usize = 16;
/// `client_hello` (RFC 8446, section 4).
const CLIENT_HELLO: u8 = 1;

/// What a client's first message tells of whom it calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The host that it wants (SNI).
    pub server_name: Option<String>,
    /// The protocols that it offers (ALPN).
    pub alpn: Vec<String>,
}

/// The ClientHello at the beginning of a stream of TLS records.
pub fn records(stream: &[u8]) -> Found<Hello> {
    let mut message = Vec::new();
    let mut rest = stream;
    while !rest.is_empty() {
        let Ok((body, header)) = parse_tls_record_header(rest) else { break };
        if header.record_type != TlsRecordType::Handshake {
            return Found::Nothing;
        }
        let len = usize::from(header.len).min(body.len());
        message.extend_from_slice(&body[..len]);
        rest = &body[len..];
    }
    handshake(&message)
}

/// The ClientHello at the beginning of a stream of handshake messages.
pub fn handshake(stream: &[u8]) -> Found<Hello> {
    let Some((&[kind, a, b, c], body)) = stream.split_first_chunk() else { return Found::Incomplete };
    if kind != CLIENT_HELLO {
        return Found::Nothing;
    }
    let len = u32::from_be_bytes([0, a, b, c]) as usize;
    let Some(body) = body.get(..len) else { return Found::Incomplete };
    match parse_tls_handshake_client_hello(body) {
        Ok((_, hello)) => Found::Message(extensions(hello.ext.unwrap_or_default())),
        Err(_) => Found::Nothing,
    }
}

fn extensions(bytes: &[u8]) -> Hello {
    let mut hello = Hello::default();
    let (_, extensions) = parse_tls_client_hello_extensions(bytes).unwrap_or((&[], Vec::new()));
    for extension in extensions {
        match extension {
            TlsExtension::SNI(names) => {
                let host = names.into_iter().find(|(kind, _)| *kind == SNIType::HostName);
                hello.server_name = host.and_then(|(_, name)| host_name(name));
            }
            TlsExtension::ALPN(protocols) => {
                let protocols = protocols.into_iter().take(MAX_PROTOCOLS);
                // The first of GREASE's values is no text (RFC 8701).
                hello.alpn = protocols.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect();
            }
            _ => {}
        }
    }
    hello
}

/// A name in lower case, without the last dot; none if it cannot be one.
pub fn host_name(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim().trim_end_matches('.');
    (!text.is_empty() && text.len() <= MAX_NAME).then(|| text.to_ascii_lowercase())
}
