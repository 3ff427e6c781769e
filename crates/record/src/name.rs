//! Names of the other end, each with where it comes from.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{Process, Timestamp, Untrusted};

/// A name of the other end of a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Name {
    /// In lower case, without the last dot.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// The source of the name.
    pub source: NameSource,
    /// The process that asked for it, where that is known.
    pub process: Option<Arc<Process>>,
    /// When it was seen.
    pub time: Timestamp,
}

impl Name {
    /// Whether it names the other end, and not a host behind it.
    pub fn is_of_remote(&self) -> bool {
        self.source != NameSource::Proxied
    }
}

/// Sources of names, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum NameSource {
    /// The server that a TLS client asked for on this very connection.
    Sni,
    /// The same within QUIC.
    Quic,
    /// The Host of an HTTP request on this very connection.
    Http,
    /// An answer of DNS that named the address before the connection was opened.
    Dns,
    /// The server that a TLS client names outside of an Encrypted ClientHello: it may ask for another host within. Many clients
    /// add one that is empty (GREASE), which looks the same; then this is the host that they want.
    SniOuter,
    /// The same within QUIC.
    QuicOuter,
    /// The host's list, /etc/hosts.
    Hosts,
    /// Reverse DNS, when it was asked for.
    Rdns,
    /// A host that the other end, a proxy, is asked to lead to, or that is spoken to through it: no name of the other end.
    Proxied,
}

impl NameSource {
    /// Every source.
    pub const ALL: [Self; 9] = [
        Self::Sni,
        Self::Quic,
        Self::Http,
        Self::Dns,
        Self::SniOuter,
        Self::QuicOuter,
        Self::Hosts,
        Self::Rdns,
        Self::Proxied,
    ];

    /// The name in machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sni => "sni",
            Self::Quic => "quic",
            Self::Http => "http",
            Self::Dns => "dns",
            Self::SniOuter => "sni_outer",
            Self::QuicOuter => "quic_outer",
            Self::Hosts => "hosts",
            Self::Rdns => "rdns",
            Self::Proxied => "proxied",
        }
    }

    /// The source in words, for people.
    pub fn words(self) -> &'static str {
        match self {
            Self::Sni => "TLS handshake (SNI)",
            Self::Quic => "QUIC handshake (SNI)",
            Self::Http => "HTTP Host header",
            Self::Dns => "DNS answer",
            Self::SniOuter => "TLS handshake, outside ECH",
            Self::QuicOuter => "QUIC handshake, outside ECH",
            Self::Hosts => "hosts file",
            Self::Rdns => "reverse DNS by the recorder",
            Self::Proxied => "target behind this proxy",
        }
    }

    /// The inverse of [`NameSource::name`].
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.name() == name)
    }
}

/// The protocol that the first bytes of a connection showed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedService {
    /// `tls`, `quic`, `http`, `dns`, `ssh` or `socks`.
    #[serde(serialize_with = "exact")]
    pub service: Untrusted,
    /// The protocols that a TLS client offered within (ALPN).
    #[serde(serialize_with = "exact")]
    pub alpn: Vec<Untrusted>,
}

impl ObservedService {
    /// Takes over what was seen later; an earlier offer of protocols stays where the later one has none.
    pub fn renew(&mut self, later: &Self) {
        self.service.clone_from(&later.service);
        if !later.alpn.is_empty() {
            self.alpn.clone_from(&later.alpn);
        }
    }
}

/// A question to DNS that this host asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Lookup {
    /// When it was asked; when it was answered, if the question was not seen.
    pub time: Timestamp,
    /// When it was answered.
    pub answered: Option<Timestamp>,
    /// The process that asked, where that is known.
    pub process: Option<Arc<Process>>,
    /// The server.
    pub server: super::Endpoint,
    /// The transport: UDP or TCP.
    pub proto: super::Proto,
    /// The name that was asked for.
    pub name: Untrusted,
    /// The type of record.
    pub kind: Untrusted,
    /// `NoError`, `NXDomain` and so on; `None` without an answer.
    pub code: Option<Untrusted>,
    /// The answer, aliases first.
    pub answers: Vec<LookupAnswer>,
}

/// A record of an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LookupAnswer {
    /// The name that it is of.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// Its type.
    #[serde(serialize_with = "exact")]
    pub kind: Untrusted,
    /// The time to live in seconds.
    pub ttl: u32,
    /// An address, a name, or other data as text.
    #[serde(serialize_with = "exact")]
    pub data: Untrusted,
}

/// Names of addresses that hold whatever the connection.
pub type AddressNames = Vec<(IpAddr, Vec<Untrusted>)>;
