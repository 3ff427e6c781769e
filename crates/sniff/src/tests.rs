//! Messages that other programs' code made, whole and in pieces.

mod initials;
mod openings;
mod preludes;
mod questions;

use std::net::{Ipv4Addr, SocketAddr};

use connmon_ebpf::{Addr, PayloadHead, class, kind, proto};
use hickory_proto::op::{Message as DnsPacket, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use proptest::prelude::*;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use rustls::quic::Version;

use connmon_fixtures::quic::{Client, client_config, initials};

use super::*;
use connmon_record::frame::Hello;

fn name(host: &str) -> ServerName<'static> {
    ServerName::try_from(host.to_owned()).unwrap()
}

fn client_hello(host: &str, alpn: &[&str]) -> Vec<u8> {
    let mut client = ClientConnection::new(client_config(alpn), name(host)).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

fn head(class: u8, proto: u16) -> PayloadHead {
    PayloadHead {
        kind: kind::PAYLOAD,
        remote: Addr { ip: [u32::from_ne_bytes([192, 0, 2, 7]), 0, 0, 0], port: 443, family: 2 },
        proto,
        local: Addr { port: 40_000, family: 2, ..Addr::default() },
        connection: 1,
        netns: 1,
        class,
        outbound: 1,
        ..PayloadHead::default()
    }
}

fn record(head: PayloadHead, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u32;
    let head = PayloadHead { len, total: head.total.max(len), ..head };
    [bytemuck::bytes_of(&head), data].concat()
}

fn messages(sniffer: &mut Sniffer, head: PayloadHead, data: &[u8]) -> Vec<Message> {
    let all = sniffer.take(&record(head, data)).unwrap();
    all.into_iter().map(|observation| observation.message).collect()
}

fn hello(host: &str, alpn: &[&str]) -> Hello {
    let alpn = alpn.iter().map(|name| (*name).into()).collect();
    Hello { server_name: Some(host.into()), alpn, ..Hello::default() }
}

#[test]
fn a_client_hello_names_its_server() {
    let bytes = client_hello("Example.ORG", &["h2", "http/1.1"]);
    let expected = vec![Message::Tls(hello("example.org", &["h2", "http/1.1"]))];
    let mut sniffer = Sniffer::default();
    assert_eq!(messages(&mut sniffer, head(class::OPENING, proto::TCP), &bytes), expected);
    assert_eq!(sniffer.streams.len(), 0);
    let observation = sniffer.take(&record(head(class::OPENING, proto::TCP), &bytes)).unwrap().remove(0);
    assert_eq!(observation.flow.remote, SocketAddr::from((Ipv4Addr::new(192, 0, 2, 7), 443)));
    assert_eq!(
        (observation.flow.local_port, observation.outbound, observation.process()),
        (40_000, true, None)
    );
}

/// In pieces of every size, in order, in reverse, and each sent twice; also across the end of the sequence numbers.
#[test]
fn a_client_hello_in_pieces() {
    let bytes = client_hello("pieces.example", &[]);
    let expected = Message::Tls(hello("pieces.example", &[]));
    for size in [1, 7, 100, bytes.len() - 1] {
        for start in [0_u32, 1_000, u32::MAX - 50] {
            let place = |nth: usize| start.wrapping_add((nth * size) as u32);
            let mut pieces: Vec<(u32, &[u8])> =
                bytes.chunks(size).enumerate().map(|(nth, piece)| (place(nth), piece)).collect();
            // The first comes first: with it the kernel side knows that this is TLS.
            pieces[1..].reverse();
            let mut sniffer = Sniffer::default();
            let mut found = Vec::new();
            for (nth, (seq, piece)) in pieces.into_iter().enumerate() {
                for again in [false, true] {
                    let class = if nth == 0 && !again { class::OPENING } else { class::MORE };
                    let head = PayloadHead { seq, ..head(class, proto::TCP) };
                    found.extend(messages(&mut sniffer, head, piece));
                }
            }
            assert_eq!(found, std::slice::from_ref(&expected), "size {size}, from {start}");
        }
    }
}

fn dns(id: u16, host: &str, answers: Vec<Record>) -> Vec<u8> {
    let kind = if answers.is_empty() { MessageType::Query } else { MessageType::Response };
    let mut message = DnsPacket::new(id, kind, OpCode::Query);
    message.metadata.response_code = ResponseCode::NoError;
    message.add_query(Query::query(Name::from_ascii(host).unwrap(), RecordType::A));
    message.add_answers(answers);
    message.to_vec().unwrap()
}

fn answers() -> Vec<Record> {
    let name = |text: &str| Name::from_ascii(text).unwrap();
    vec![
        Record::from_rdata(name("www.Example.org."), 300, RData::CNAME(CNAME(name("edge.example.net.")))),
        Record::from_rdata(name("edge.example.net."), 60, RData::A(A(Ipv4Addr::new(192, 0, 2, 1)))),
    ]
}

#[test]
fn answers_of_dns() {
    let [Message::Dns(message)] = &messages(
        &mut Sniffer::default(),
        PayloadHead { outbound: 0, ..head(class::DNS, proto::UDP) },
        &dns(9, "www.Example.org.", answers()),
    )[..] else {
        panic!("no message")
    };
    assert_eq!((message.id, message.response), (9, true));
    assert_eq!(
        (message.name.raw(), message.kind.raw(), message.code.raw()),
        ("www.example.org", "A", "NoError")
    );
    let answers: Vec<_> =
        message.answers.iter().map(|a| (a.name.raw(), a.kind.raw(), a.ttl, a.data.raw())).collect();
    assert_eq!(
        answers,
        [("www.example.org", "CNAME", 300, "edge.example.net"), ("edge.example.net", "A", 60, "192.0.2.1")]
    );
}

#[test]
fn dns_over_tcp_several_messages_in_any_pieces() {
    let mut stream = Vec::new();
    for id in 1..=3 {
        let message = dns(id, "a.example.", answers());
        stream.extend((message.len() as u16).to_be_bytes());
        stream.extend(message);
    }
    for size in [1, 5, 64, stream.len()] {
        let mut sniffer = Sniffer::default();
        let mut ids = Vec::new();
        for (nth, piece) in stream.chunks(size).enumerate() {
            let seq = 5_u32.wrapping_add((nth * size) as u32);
            let class = if nth == 0 { class::DNS_OPENING } else { class::DNS };
            let head = PayloadHead { seq, outbound: 0, ..head(class, proto::TCP) };
            for message in messages(&mut sniffer, head, piece) {
                let Message::Dns(message) = message else { panic!("another message") };
                ids.push(message.id);
            }
        }
        assert_eq!(ids, [1, 2, 3], "pieces of {size}");
    }
}

/// Behind a hole, nothing is read but what is a message for sure.
#[test]
fn dns_over_tcp_of_which_a_part_is_missing() {
    let framed = |id: u16| {
        let message = dns(id, "a.example.", answers());
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    };
    let mut sniffer = Sniffer::default();
    let mut ids = |seq: u32, data: &[u8]| {
        let head = PayloadHead { seq, outbound: 0, ..head(class::DNS, proto::TCP) };
        let found = messages(&mut sniffer, head, data).into_iter().map(|message| match message {
            Message::Dns(message) => message.id,
            other => panic!("{other:?}"),
        });
        (found.collect::<Vec<_>>(), sniffer.unread())
    };
    let part = framed(1);
    assert_eq!(ids(100, &part[9..]), (vec![], 1));
    assert_eq!(ids(200, &[framed(2), framed(3)].concat()[..80]), (vec![], 2));
    assert_eq!(ids(1_000, &part), (vec![1], 2));
    let next = 1_000 + part.len() as u32;
    assert_eq!(ids(next, &framed(4)[..20]), (vec![], 2));
    assert_eq!(ids(next + 20, &framed(4)[20..]), (vec![4], 2));
}

#[test]
fn what_is_cut_off_is_not_waited_for() {
    let mut sniffer = Sniffer::default();
    let bytes = client_hello("cut.example", &[]);
    let head = PayloadHead { total: 9_000, ..head(class::OPENING, proto::TCP) };
    assert_eq!(messages(&mut sniffer, head, &bytes[..40]), []);
    assert_eq!(sniffer.streams.len(), 0);
    assert_eq!(sniffer.unread(), 1);
}

#[test]
fn streams_are_bounded() {
    let mut sniffer = Sniffer::default();
    let bytes = client_hello("many.example", &[]);
    for port in 0..5_000 {
        let head = PayloadHead { connection: port, ..head(class::OPENING, proto::TCP) };
        messages(&mut sniffer, head, &bytes[..20]);
    }
    assert_eq!(sniffer.streams.len(), 1024);
    assert_eq!(sniffer.unread(), 5_000 - 1024);
}

proptest! {
    /// Whatever comes, nothing panics.
    #[test]
    fn any_record(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Sniffer::default().take(&bytes);
    }

    #[test]
    fn any_payload(
        class in 0_u8..7,
        tcp in any::<bool>(),
        parts in prop::collection::vec((any::<u16>(), prop::collection::vec(any::<u8>(), 0..200)), 1..8),
    ) {
        let mut sniffer = Sniffer::default();
        for (seq, data) in parts {
            let proto = if tcp { proto::TCP } else { proto::UDP };
            let head = PayloadHead { seq: seq.into(), ..head(class, proto) };
            sniffer.take(&record(head, &data)).unwrap();
        }
    }

    /// A message with a few wrong bytes.
    #[test]
    fn any_damage(which in 0..4, damage in prop::collection::vec((any::<u16>(), any::<u8>()), 0..6)) {
        let (class, proto, mut bytes) = match which {
            0 => (class::DNS, proto::UDP, dns(1, "a.example.", answers())),
            1 => (class::OPENING, proto::TCP, client_hello("a.example", &["h2"])),
            2 => (class::QUIC, proto::UDP, initials("a.example", Version::V1, 1).remove(0)),
            _ => (class::OPENING, proto::TCP, b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n".to_vec()),
        };
        for (at, byte) in damage {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        Sniffer::default().take(&record(head(class, proto), &bytes)).unwrap();
    }
}
