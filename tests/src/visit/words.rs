//! What visitors say, made by a TLS library.

use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::ServerName;
use rustls::quic::{self, Version};
use rustls::{ClientConfig, ClientConnection, RootCertStore, Side};

use super::Speak;

/// Bytes of payload of a client's first datagram, so that it has at least 1200.
const INITIAL_PAYLOAD: usize = 1164;

fn config(alpn: Vec<Vec<u8>>) -> Result<Arc<ClientConfig>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    config.alpn_protocols = alpn;
    Ok(Arc::new(config))
}

/// A ClientHello that has at least so many bytes.
pub fn hello(name: &str, size: usize) -> Result<Vec<u8>> {
    let alpn = (0..size / 200).map(|nth| format!("{nth:0200}").into_bytes());
    let host = ServerName::try_from(name.to_owned())?;
    let mut hello = Vec::new();
    let alpn = alpn.chain([b"h2".to_vec()]).collect();
    ClientConnection::new(config(alpn)?, host)?.write_tls(&mut hello)?;
    Ok(hello)
}

/// The first words to a host over TCP, in the parts in which they are sent.
pub fn first_words(speak: Speak, name: &str) -> Result<Vec<Vec<u8>>> {
    Ok(match speak {
        Speak::Tls => {
            let mut hello = hello(name, 0)?;
            // As one that is too long for a packet.
            let rest = hello.split_off(hello.len() / 2);
            vec![hello, rest]
        }
        Speak::Http => {
            vec![format!("GET /secret HTTP/1.1\r\nHost: {name}:80\r\nCookie: secret=1\r\n\r\n").into()]
        }
        Speak::Ssh => vec![b"SSH-2.0-visitor\r\n".to_vec()],
        Speak::Quic | Speak::Other => vec![b"nothing that has a name, and longer than a header".to_vec()],
    })
}

/// The first datagrams to a host over QUIC: the ClientHello in two Initial packets (RFC 9000, RFC 9001).
pub fn initials(name: &str) -> Result<Vec<Vec<u8>>> {
    let host = ServerName::try_from(name.to_owned())?;
    let mut client = quic::ClientConnection::new(
        config(vec![b"h3".to_vec()])?,
        Version::V1,
        host,
        b"parameters".to_vec(),
    )?;
    let mut hello = Vec::new();
    client.write_hs(&mut hello);
    let suite = rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256.tls13();
    let suite = suite.and_then(rustls::Tls13CipherSuite::quic_suite).context("a suite without QUIC")?;
    let id = *b"visitor!";
    let keys = suite.keys(&id, Side::Client, Version::V1).local;
    let step = hello.len().div_ceil(2);
    let mut datagrams = Vec::new();
    for (nth, part) in hello.chunks(step).enumerate() {
        let number = |number: usize| ((number as u16) | 0x4000).to_be_bytes();
        let mut payload = vec![6];
        payload.extend(number(nth * step));
        payload.extend(number(part.len()));
        payload.extend_from_slice(part);
        payload.resize(INITIAL_PAYLOAD, 0);
        let mut packet = vec![0xc1, 0, 0, 0, 1, id.len() as u8];
        packet.extend(id);
        packet.extend([0, 0]);
        packet.extend(number(2 + payload.len() + keys.packet.tag_len()));
        let at = packet.len();
        packet.extend((nth as u16).to_be_bytes());
        let tag = keys.packet.encrypt_in_place(nth as u64, &packet, &mut payload)?;
        packet.extend_from_slice(&payload);
        packet.extend_from_slice(tag.as_ref());
        let sample = packet[at + 4..at + 4 + keys.header.sample_len()].to_vec();
        let (head, tail) = packet.split_at_mut(at);
        keys.header.encrypt_in_place(&sample, &mut head[0], &mut tail[..2])?;
        datagrams.push(packet);
    }
    Ok(datagrams)
}
