//! What names the other end of a connection, out of the payload that the kernel side copied: DNS messages, the ClientHello of
//! TLS and QUIC, the Host of HTTP, the banner of SSH. Payload is looked at here and goes nowhere else.

mod dns;
mod http;
mod quic;
mod stream;
#[cfg(test)]
mod tests;
mod tls;

use std::net::SocketAddr;

use bytemuck::try_pod_read_unaligned;
use connmon_ebpf::{PAYLOAD_LARGE, PayloadHead, class, proto};
use serde::{Deserialize, Serialize};

pub use dns::DnsMessage;
use stream::{Streams, Way};
pub use tls::Hello;

use crate::model::{Endpoint, ProcessId};

/// What two ends of a connection are known by; the local address is not needed to tell connections apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FlowId {
    /// IPPROTO_*.
    pub proto: u16,
    /// This host's port.
    pub local_port: u16,
    /// The other end.
    pub remote: SocketAddr,
    /// Inode number of the network namespace.
    pub netns: u32,
}

/// Something that was said on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// When, nanoseconds of CLOCK_BOOTTIME.
    pub time_ns: u64,
    /// Where.
    pub flow: FlowId,
    /// Whether this host said it.
    pub outbound: bool,
    /// The process that said it, where the kernel side knew: PID and start.
    pub process: Option<(u32, u64)>,
    /// What.
    pub message: Message,
}

impl Sighting {
    /// The process that said it.
    pub fn process(&self) -> Option<ProcessId> {
        self.process.map(|(pid, start_ns)| ProcessId { pid, start_ns })
    }
}

/// What was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// A question of DNS, or the answer.
    Dns(DnsMessage),
    /// The client's first message of TLS.
    Tls(Hello),
    /// The same within QUIC.
    Quic(Hello),
    /// An HTTP request and its host, as the client names it; none in HTTP/2 without TLS, whose beginning has no names.
    Http(Option<String>),
    /// The banner of SSH.
    Ssh,
}

/// Bytes that are no record of payload.
#[derive(Debug, thiserror::Error)]
#[error("a record of payload with {0} bytes cannot be decoded")]
pub struct SniffError(usize);

/// Puts together what comes in pieces.
#[derive(Default)]
pub struct Sniffer {
    streams: Streams,
}

impl Sniffer {
    /// Takes in a record of the kernel side: [`PayloadHead`] and payload. Payload that says nothing gives nothing.
    ///
    /// # Errors
    /// The record is none.
    pub fn take(&mut self, record: &[u8]) -> Result<Vec<Sighting>, SniffError> {
        let error = || SniffError(record.len());
        let (head, rest) = record.split_at_checked(size_of::<PayloadHead>()).ok_or_else(error)?;
        let head: PayloadHead = try_pod_read_unaligned(head).map_err(|_| error())?;
        let len = head.len as usize;
        let data = rest.get(..len).filter(|_| len <= PAYLOAD_LARGE).ok_or_else(error)?;
        Ok(self.messages(&head, data).into_iter().map(|message| sighting(&head, message)).collect())
    }

    fn messages(&mut self, head: &PayloadHead, data: &[u8]) -> Vec<Message> {
        let way = Way { flow: flow(head), outbound: head.outbound != 0 };
        let whole = head.len == head.total;
        match head.class {
            class::DNS if head.proto == proto::UDP => {
                dns::parse(data).map(Message::Dns).into_iter().collect()
            }
            class::DNS => self.dns_stream(way, head.seq, data, whole),
            class::TLS => {
                // A part that is cut off ends what can be put together.
                let hello = self.streams.add(way, head.seq, data, whole, tls::records);
                hello.map(Message::Tls).into_iter().collect()
            }
            class::QUIC => {
                let mut hello = None;
                for (offset, part) in quic::crypto(data) {
                    let found = self.streams.add_at(way, offset, &part, tls::handshake);
                    hello = hello.or(found);
                }
                hello.map(Message::Quic).into_iter().collect()
            }
            class::HTTP => http::host(data).map(Message::Http).into_iter().collect(),
            class::SSH => data.starts_with(b"SSH-").then_some(Message::Ssh).into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// DNS over TCP: each message behind its length in two bytes (RFC 1035, section 4.2.2).
    fn dns_stream(&mut self, way: Way, seq: u32, data: &[u8], whole: bool) -> Vec<Message> {
        let messages = self.streams.take(way, seq, data, whole, |bytes| {
            let (len, rest) = bytes.split_first_chunk()?;
            let len = usize::from(u16::from_be_bytes(*len));
            rest.get(..len).map(|message| (message.to_vec(), 2 + len))
        });
        messages.iter().filter_map(|message| dns::parse(message)).map(Message::Dns).collect()
    }
}

fn flow(head: &PayloadHead) -> FlowId {
    FlowId {
        proto: head.proto,
        local_port: head.local_port,
        remote: Endpoint::from(&head.remote).into(),
        netns: head.netns,
    }
}

fn sighting(head: &PayloadHead, message: Message) -> Sighting {
    Sighting {
        time_ns: head.time_ns,
        flow: flow(head),
        outbound: head.outbound != 0,
        process: (head.tgid != 0).then_some((head.tgid, head.start_ns)),
        message,
    }
}
