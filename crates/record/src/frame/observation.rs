//! Names of the other end that were seen on a connection, without the payload in which they were found.

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use crate::untrusted::exact;
use crate::{LookupAnswer, ProcessId, Untrusted};

/// The addresses and ports by which a connection is identified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowId {
    /// IPPROTO_*.
    pub proto: u16,
    /// This host's address; captures of earlier versions lack it.
    #[serde(default)]
    pub local: Option<IpAddr>,
    /// This host's port.
    pub local_port: u16,
    /// The other end.
    pub remote: SocketAddr,
    /// Inode number of the network namespace.
    pub netns: u32,
}

/// Something that was said on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// When, nanoseconds of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// The id of the connection's entry; 0 where there was none yet.
    #[serde(default)]
    pub connection: u64,
    /// The connection or flow on which it was seen.
    pub flow: FlowId,
    /// Whether this host said it.
    pub outbound: bool,
    /// The process that said it, where the kernel side knew: PID and start.
    pub process: Option<(u32, u64)>,
    /// The content of the observation.
    pub message: Message,
}

impl Observation {
    /// The process that said it.
    pub fn process(&self) -> Option<ProcessId> {
        self.process.map(|(pid, start_ns)| ProcessId { pid, start_ns })
    }
}

/// The content of an observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A question of DNS, or the answer.
    Dns(DnsMessage),
    /// The client's first message of TLS.
    Tls(Hello),
    /// The same within QUIC.
    Quic(Hello),
    /// An HTTP request and its host, as the client names it.
    Http(#[serde(serialize_with = "exact")] Option<Untrusted>),
    /// An HTTP request to a proxy, and the host that it is to lead to. What follows is said to that host.
    HttpProxy(#[serde(serialize_with = "exact")] Option<Untrusted>),
    /// The same of SOCKS.
    Socks(#[serde(serialize_with = "exact")] Option<Untrusted>),
    /// The banner of SSH.
    Ssh,
}

/// A question, or the answer to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsMessage {
    /// The id of the message, which matches an answer to its question.
    pub id: u16,
    /// It is an answer.
    pub response: bool,
    /// The name that is asked for, in lower case and without the last dot. Of an answer without its question it is empty.
    #[serde(serialize_with = "exact")]
    pub name: Untrusted,
    /// The type of record that is asked for, such as `AAAA`.
    #[serde(serialize_with = "exact")]
    pub kind: Untrusted,
    /// Of an answer: `NoError`, `NXDomain` and so on.
    #[serde(serialize_with = "exact")]
    pub code: Untrusted,
    /// The records that answer the question, aliases first.
    pub answers: Vec<LookupAnswer>,
}

/// The names in a client's first message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The host that it wants (SNI).
    #[serde(serialize_with = "exact")]
    pub server_name: Option<Untrusted>,
    /// The protocols that it offers (ALPN).
    #[serde(serialize_with = "exact")]
    pub alpn: Vec<Untrusted>,
    /// It is the outer one of an Encrypted ClientHello, or pretends to be (GREASE; nobody but the server can tell): the client
    /// may want another host, which the inner one names.
    #[serde(default)]
    pub outer: bool,
    /// It has something as a name that can be none.
    #[serde(skip)]
    pub odd_name: bool,
}
