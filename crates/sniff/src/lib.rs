//! What names the other end of a connection, out of the payload that the kernel side copied: DNS messages, the ClientHello of
//! TLS and QUIC, the Host of HTTP, what a proxy is asked for, the banner of SSH. Payload is looked at here and goes nowhere else.

mod address;
mod dns;
mod hpack;
mod http;
mod http2;
mod outcome;
mod quic;
mod socks;
mod stream;
mod tcp;
#[cfg(test)]
mod tests;
mod tls;

use bytemuck::try_pod_read_unaligned;
use connmon_ebpf::{DNS_PORTS, PAYLOAD_SIZES, PayloadHead, class, proto};

pub use dns::addresses;
use outcome::ParseOutcome;
use quic::Quic;
use stream::{StreamDirection, Streams};

use connmon_record::Endpoint;
use connmon_record::frame::{FlowId, Message, Observation};

/// Bytes that are no record of payload.
#[derive(Debug, thiserror::Error)]
#[error("a record of payload with {0} bytes cannot be decoded")]
pub struct SniffError(usize);

/// Puts together what comes in pieces.
#[derive(Default)]
pub struct Sniffer {
    streams: Streams,
    quic: Quic,
    unread: u64,
}

impl Sniffer {
    /// Takes in a record of the kernel side: [`PayloadHead`] and payload. Payload that says nothing gives nothing.
    ///
    /// # Errors
    /// The record is none.
    pub fn take(&mut self, record: &[u8]) -> Result<Vec<Observation>, SniffError> {
        let error = || SniffError(record.len());
        let (head, rest) = record.split_at_checked(size_of::<PayloadHead>()).ok_or_else(error)?;
        let head: PayloadHead = try_pod_read_unaligned(head).map_err(|_| error())?;
        let len = head.len as usize;
        let data = rest.get(..len).filter(|_| len <= PAYLOAD_SIZES[3]).ok_or_else(error)?;
        self.streams.set_time(head.time_ns);
        let messages = if head.proto == proto::UDP && head.segment != 0 {
            data.chunks(head.segment.into()).flat_map(|data| self.messages(&head, data)).collect()
        } else {
            self.messages(&head, data)
        };
        Ok(messages.into_iter().map(|message| observation(&head, message)).collect())
    }

    /// Gives up what should have come whole long before `now_ns`; at the end, everything.
    pub fn forget(&mut self, now_ns: u64) {
        self.streams.forget(now_ns);
    }

    /// Messages that could not be read though they might have named something.
    pub fn unread(&self) -> u64 {
        self.unread.saturating_add(self.streams.lost())
    }

    fn messages(&mut self, head: &PayloadHead, data: &[u8]) -> Vec<Message> {
        let is_stream = head.proto == proto::TCP;
        // The first datagrams pass before there is an entry.
        let connection = if is_stream { head.connection } else { 0 };
        let way = StreamDirection { connection, flow: flow(head), outbound: head.outbound != 0 };
        let messages = match head.class {
            class::DNS if head.proto == proto::UDP => self.dns(head, dns::parse(data)),
            class::DNS_OPENING => {
                self.streams.begin(way, head.seq);
                self.dns_stream(head, way, data)
            }
            class::DNS => self.dns_stream(head, way, data),
            class::OPENING => {
                self.streams.begin(way, head.seq);
                let messages = self.streams.follow(way, head.seq, data, tcp::opening);
                // Its host may be in a later part.
                let is_http = messages.is_empty() && http::is_request(data);
                if is_http { vec![Message::Http(None)] } else { messages }
            }
            // Of a stream that was given up, or whose last body has no end that is known.
            class::MORE if !self.streams.has(way) => {
                self.unread += u64::from(http::is_request(data));
                Vec::new()
            }
            class::MORE => self.streams.follow(way, head.seq, data, tcp::opening),
            class::QUIC => self.quic(way, data),
            _ => Vec::new(),
        };
        let is_odd = |message: &&Message| matches!(message, Message::Tls(hello) | Message::Quic(hello) if hello.odd_name);
        self.unread += messages.iter().filter(is_odd).count() as u64;
        if is_stream && head.len < head.total {
            self.streams.cut(way, head.seq.wrapping_add(head.total));
        }
        messages
    }

    /// A part of a TCP stream of messages. Where its beginning was missed, or something on the way, it goes on with a part that is
    /// a whole message and nothing else: what begins anywhere could be read as anything.
    fn dns_stream(&mut self, head: &PayloadHead, way: StreamDirection, data: &[u8]) -> Vec<Message> {
        if !self.streams.has(way) {
            let is_sound = matches!(dns::framed(data), ParseOutcome::Message(parsed, len) if len == data.len() && parsed.unread == 0);
            if !is_sound {
                self.unread += 1;
                return Vec::new();
            }
            self.streams.begin(way, head.seq);
        }
        let parsed = self.streams.follow(way, head.seq, data, dns::framed);
        parsed.into_iter().flat_map(|parsed| self.dns(head, parsed)).collect()
    }

    /// The messages of this host's questions and of answers to them.
    fn dns(&mut self, head: &PayloadHead, parsed: dns::Parsed) -> Vec<Message> {
        self.unread += parsed.unread;
        let (wanted, others): (Vec<_>, Vec<_>) =
            parsed.messages.into_iter().partition(|message| message.response != (head.outbound != 0));
        // A server of DNS may be asked from the port that it asks itself, and multicasts are for everybody.
        if !DNS_PORTS.contains(&head.local.port) {
            self.unread += others.len() as u64;
        }
        wanted.into_iter().map(Message::Dns).collect()
    }

    fn quic(&mut self, way: StreamDirection, datagram: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        for part in self.quic.crypto(way, datagram) {
            let hello = self.streams.add((way, part.connection), part.offset, &part.data, tls::handshake);
            if !hello.is_empty() {
                self.quic.finish(way, part.connection);
            }
            messages.extend(hello.into_iter().map(Message::Quic));
        }
        messages
    }
}

fn flow(head: &PayloadHead) -> FlowId {
    FlowId {
        proto: head.proto,
        local: Some(Endpoint::from(&head.local).ip),
        local_port: head.local.port,
        remote: Endpoint::from(&head.remote).into(),
        netns: head.netns,
    }
}

fn observation(head: &PayloadHead, message: Message) -> Observation {
    Observation {
        time_ns: head.time_ns,
        connection: head.connection,
        flow: flow(head),
        outbound: head.outbound != 0,
        process: (head.tgid != 0).then_some((head.tgid, head.start_ns)),
        message,
    }
}
