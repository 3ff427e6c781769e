//! What visitors say, made by a TLS library.

use std::sync::Arc;

use anyhow::Result;
use rustls::pki_types::ServerName;
use rustls::quic::Version;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::Speak;

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

/// The first datagrams to a host over QUIC: the ClientHello in two Initial packets.
pub fn initials(name: &str) -> Vec<Vec<u8>> {
    connmon_fixtures::quic::initials(name, Version::V1, 2)
}
