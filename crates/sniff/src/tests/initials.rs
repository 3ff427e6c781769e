//! ClientHellos in QUIC Initial packets.

use super::*;

fn read(sniffer: &mut Sniffer, datagrams: &[Vec<u8>]) -> Vec<Message> {
    let mut read = |datagram| messages(sniffer, head(class::QUIC, proto::UDP), datagram);
    datagrams.iter().flat_map(|datagram| read(datagram)).collect()
}

#[test]
fn quic_initials_name_their_server() {
    for version in [Version::V1, Version::V2, Version::V1Draft] {
        for parts in [1, 2, 3, 9, 40] {
            let mut datagrams = initials("quic.example", version, parts);
            datagrams.reverse();
            let found = read(&mut Sniffer::default(), &datagrams);
            assert_eq!(found, [Message::Quic(hello("quic.example", &["h3"]))], "{version:?}, {parts} parts");
        }
    }
}

/// Once the server has answered, a client's packets bear the id that the server chose; the keys stay.
#[test]
fn later_initials_bear_another_id() {
    for version in [Version::V1, Version::V2] {
        let client = Client::new("later.example", version, 3);
        let datagrams: Vec<_> =
            (0..3).map(|nth| client.initial(nth, if nth == 0 { &Client::ID } else { b"servers" })).collect();
        let mut sniffer = Sniffer::default();
        let found = read(&mut sniffer, &datagrams);
        assert_eq!(found, [Message::Quic(hello("later.example", &["h3"]))], "{version:?}");
        assert_eq!(sniffer.streams.len(), 0);
    }
}

/// A socket can begin a second connection with the same server before the first one's is complete.
#[test]
fn connections_that_share_a_socket() {
    let first = Client::new("first.example", Version::V1, 2);
    let mut second = Client::new("second.example", Version::V1, 2);
    second.id = *b"2nd-conn";
    let datagrams = [
        first.initial(0, &first.id),
        second.initial(0, &second.id),
        second.initial(1, &second.id),
        first.initial(1, &first.id),
    ];
    let found = read(&mut Sniffer::default(), &datagrams);
    let named = |host| Message::Quic(hello(host, &["h3"]));
    assert_eq!(found, [named("second.example"), named("first.example")]);
}

/// Datagrams that one call sent, as the packet still holds them.
#[test]
fn initials_in_one_packet() {
    let datagrams = initials("batch.example", Version::V1, 3);
    // All but the last have the same length; what fills a datagram need not be in a packet.
    let segment = datagrams.iter().map(Vec::len).max().unwrap() + 40;
    let mut bytes = Vec::new();
    for datagram in &datagrams {
        bytes.extend(datagram);
        bytes.resize(bytes.len().next_multiple_of(segment), 0);
    }
    let head = PayloadHead { segment: segment as u16, ..head(class::QUIC, proto::UDP) };
    let found = messages(&mut Sniffer::default(), head, &bytes);
    assert_eq!(found, [Message::Quic(hello("batch.example", &["h3"]))]);
}

#[test]
fn a_damaged_initial_says_nothing() {
    let mut datagram = initials("quic.example", Version::V1, 1).remove(0);
    let last = datagram.len() - 1;
    datagram[last] ^= 1;
    assert_eq!(read(&mut Sniffer::default(), &[datagram]), []);
}
