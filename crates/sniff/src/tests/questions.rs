//! DNS messages that are odd, large, or none.

use super::*;
use connmon_record::frame::DnsMessage;

const QUESTION: &[u8] = b"\x03odd\x07example\0\0\x01\0\x01";

/// A message with so many records in each section.
fn message(flags: u16, counts: [u16; 3], records: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34];
    for number in [flags, 1, counts[0], counts[1], counts[2]] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(QUESTION);
    records.iter().for_each(|record| bytes.extend(record));
    bytes
}

/// A record of the name that is asked for.
fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 0x0c];
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 0, 60]);
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn options(data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 41, 4, 208, 0, 0, 0, 0];
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

fn read(sniffer: &mut Sniffer, outbound: u8, bytes: &[u8]) -> Vec<DnsMessage> {
    let head = PayloadHead { outbound, ..head(class::DNS, proto::UDP) };
    let found = messages(sniffer, head, bytes).into_iter().map(|message| match message {
        Message::Dns(message) => message,
        other => panic!("{other:?}"),
    });
    found.collect()
}

/// The data of the addresses in an answer, and how many records it has.
fn addresses(bytes: &[u8]) -> (Vec<String>, usize) {
    let mut sniffer = Sniffer::default();
    let all = read(&mut sniffer, 0, bytes);
    assert_eq!((all.len(), sniffer.unread()), (1, 0), "{all:?}");
    assert_eq!((all[0].name.raw(), all[0].id, all[0].code.raw()), ("odd.example", 0x1234, "NoError"));
    let addresses = all[0].answers.iter().filter(|answer| answer.kind == "A");
    (addresses.map(|answer| answer.data.raw().to_owned()).collect(), all[0].answers.len())
}

#[test]
fn a_record_that_is_odd_hides_no_other() {
    let a = record(1, &[192, 0, 2, 1]);
    let bad_https = record(65, b"\0\x01\0\0\x01\0\x06\x02h2\x08h3\0");
    let one = || (vec!["192.0.2.1".to_owned()], 1);
    assert_eq!(addresses(&message(0x8180, [1, 0, 1], &[a.clone(), bad_https.clone()])), one());
    assert_eq!(addresses(&message(0x8180, [1, 1, 0], &[a.clone(), bad_https.clone()])), one());
    let (found, records) = addresses(&message(0x8180, [3, 0, 0], &[bad_https, options(&[]), a.clone()]));
    assert_eq!((found, records), (vec!["192.0.2.1".into()], 3));
    // An address of five bytes, or of another class, is shown as what it is.
    let mut chaos = a.clone();
    chaos[5] = 3;
    let (found, _) = addresses(&message(0x8180, [3, 0, 0], &[record(1, &[1, 2, 3, 4, 5]), chaos, a]));
    assert_eq!(found, ["\\# 5 0102030405", "\\# 4 c0000201", "192.0.2.1"]);
}

#[test]
fn answers_of_any_size() {
    let many: Vec<Vec<u8>> = (0..4_000_u16).map(|n| record(1, &[10, 0, (n >> 8) as u8, n as u8])).collect();
    let (found, records) = addresses(&message(0x8180, [4_000, 0, 0], &many));
    assert_eq!((found.last().map(String::as_str), records), (Some("10.0.15.159"), 4_000));
    let large =
        [vec![record(1, &[192, 0, 2, 1])], vec![record(16, &[[255].as_slice(), &[b'x'; 255]].concat()); 200]];
    let large = large.concat();
    assert_eq!(addresses(&message(0x8180, [201, 0, 0], &large)).1, 201);
}

/// Names that are pointers can make a message much larger than it is.
#[test]
fn what_is_left_out_is_counted() {
    let label = [&[63][..], &[b'a'; 63]].concat();
    let long = [&label[..], &label, &label, &[0]].concat();
    let mut bytes = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0x0f, 0xa0, 0, 0, 0, 0];
    bytes.extend(long);
    bytes.extend([0, 1, 0, 1]);
    bytes.extend(record(1, &[192, 0, 2, 1]).repeat(4_000));
    let mut sniffer = Sniffer::default();
    let answers = read(&mut sniffer, 0, &bytes).remove(0).answers.len();
    assert!(answers < 2_000 && sniffer.unread() == 4_000 - answers as u64, "{answers}");
}

#[test]
fn a_question_is_shown_whatever_follows_it() {
    // An option with three bytes of an address of 32 bits.
    let subnet = options(b"\0\x08\0\x07\0\x01\x20\0\xd5\x3d\x1d");
    let mut cut = message(0x0100, [0, 0, 1], std::slice::from_ref(&subnet));
    cut.truncate(cut.len() - 9);
    for bytes in [message(0x0100, [0, 0, 1], &[subnet]), cut, message(0x0100, [0, 0, 9], &[])] {
        let mut sniffer = Sniffer::default();
        let all = read(&mut sniffer, 1, &bytes);
        assert_eq!(all.iter().map(|message| message.name.raw()).collect::<Vec<_>>(), ["odd.example"]);
    }
    // An answer that is cut off has what came before.
    let mut sniffer = Sniffer::default();
    let all = read(&mut sniffer, 0, &message(0x8180, [2, 0, 0], &[record(1, &[192, 0, 2, 1])]));
    assert_eq!((all[0].answers.len(), sniffer.unread()), (1, 1));
}

#[test]
fn every_question_of_a_message() {
    let mut bytes = message(0x0100, [0, 0, 0], &[]);
    bytes[5] = 2;
    bytes.extend(b"\x06second\x07example\0\0\x1c\0\x01");
    let all = read(&mut Sniffer::default(), 1, &bytes);
    let all: Vec<_> = all.iter().map(|message| (message.name.raw(), message.kind.raw())).collect();
    assert_eq!(all, [("odd.example", "A"), ("second.example", "AAAA")]);
}

/// What hides on the port of DNS is counted at least.
#[test]
fn what_is_no_question_is_counted() {
    let question = message(0x0100, [0, 0, 0], &[]);
    let mut loops = question.clone();
    loops.splice(12.., [0xc0, 12, 0, 1, 0, 1]);
    let answer = message(0x8180, [0, 0, 0], &[]);
    let mut none = question.clone();
    none[5] = 0;
    let cases: [(u8, &[u8]); 7] = [
        (1, b"GET / HTTP/1.1\r\n\r\n"),
        (1, b""),
        (1, &question[..20]),
        (1, &loops),
        (1, &none),
        // This host answers a server, or is asked by it.
        (1, &answer),
        (0, &question),
    ];
    for (outbound, bytes) in cases {
        let mut sniffer = Sniffer::default();
        assert_eq!(read(&mut sniffer, outbound, bytes), [], "{bytes:?}");
        assert_eq!(sniffer.unread(), 1, "{bytes:?}");
    }
    // A server asks and is asked from the same port.
    let mut sniffer = Sniffer::default();
    let mut head = PayloadHead { outbound: 0, ..head(class::DNS, proto::UDP) };
    head.local.port = 53;
    assert_eq!((messages(&mut sniffer, head, &question).len(), sniffer.unread()), (0, 0));
}

/// An error without its question, and an extended code.
#[test]
fn codes_of_answers() {
    let mut sniffer = Sniffer::default();
    let all = read(&mut sniffer, 0, &[0x12, 0x34, 0x81, 0x81, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!((all[0].name.raw(), all[0].code.raw()), ("", "FormErr"));
    let mut options = options(&[]);
    options[5] = 1;
    let all = read(&mut sniffer, 0, &message(0x8187, [0, 0, 1], &[options]));
    assert_eq!((all[0].code.raw(), sniffer.unread()), ("BADCOOKIE", 0));
}

/// Several datagrams that one call sent, as the packet still holds them.
#[test]
fn questions_in_one_packet() {
    let question = message(0x0100, [0, 0, 0], &[]);
    let mut sniffer = Sniffer::default();
    let head = PayloadHead { segment: question.len() as u16, ..head(class::DNS, proto::UDP) };
    assert_eq!(messages(&mut sniffer, head, &question.repeat(3)).len(), 3);
}

/// Addresses that a service's record has are text that is read again.
#[test]
fn hints_of_services() {
    let hints = b"\0\x01\0\0\x01\0\x03\x02h2\0\x04\0\x08\xc0\0\x02\x01\xc0\0\x02\x02\0\x06\0\x10 \x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07";
    let mut bytes = message(0x8180, [1, 0, 0], &[record(65, hints)]);
    bytes[12 + QUESTION.len() - 3] = 65;
    let all = read(&mut Sniffer::default(), 0, &bytes);
    assert_eq!((all[0].kind.raw(), all[0].answers[0].kind.raw()), ("HTTPS", "HTTPS"));
    let found = super::addresses(&all[0].answers[0]);
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, ["192.0.2.1", "192.0.2.2", "2001:db8::7"], "{all:?}");
}

/// What everybody hears: an answer without a question, with the bit that it is all there is; others' questions are not counted.
#[test]
fn multicasts() {
    let mut sniffer = Sniffer::default();
    let mut head = PayloadHead { outbound: 0, ..head(class::DNS, proto::UDP) };
    (head.local.port, head.remote.port) = (5353, 5353);
    let mut answer = message(0x8400, [0, 0, 0], &[]);
    answer.truncate(12);
    (answer[5], answer[7]) = (0, 1);
    answer.extend(b"\x07printer\x05local\0\0\x01\x80\x01\0\0\0\x78\0\x04\xc0\0\x02\x09");
    let [Message::Dns(found)] = &messages(&mut sniffer, head, &answer)[..] else { panic!("no answer") };
    let record = &found.answers[0];
    assert_eq!((found.name.raw(), record.name.raw(), record.data.raw()), ("", "printer.local", "192.0.2.9"));
    assert_eq!(messages(&mut sniffer, head, &message(0, [0, 0, 0], &[])), []);
    assert_eq!(sniffer.unread(), 0);
}
