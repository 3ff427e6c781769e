//! What goes before TLS or leads elsewhere, in pieces of every size.

use super::*;
use connmon_record::Untrusted;

/// What a stream says in pieces of so many bytes; the kernel side knows the first, and a ClientHello again.
fn in_pieces(parts: &[Vec<u8>], size: usize) -> (Vec<Message>, u64) {
    let mut sniffer = Sniffer::default();
    let (mut found, mut seq) = (Vec::new(), 0_u32);
    for piece in parts.iter().flat_map(|part| part.chunks(size)) {
        let class = if seq == 0 { class::OPENING } else { class::MORE };
        found.extend(messages(&mut sniffer, PayloadHead { seq, ..head(class, proto::TCP) }, piece));
        seq += piece.len() as u32;
    }
    sniffer.forget(u64::MAX);
    found.dedup();
    (found, sniffer.unread())
}

fn messages_of(parts: &[Vec<u8>]) -> Vec<Message> {
    let at_once = in_pieces(parts, usize::MAX);
    for size in [1, 2, 3, 7, 100] {
        assert_eq!(in_pieces(parts, size), at_once, "pieces of {size}");
    }
    // One segment for all of it.
    assert_eq!(in_pieces(&[parts.concat()], usize::MAX), at_once);
    assert_eq!(at_once.1, 0);
    at_once.0
}

fn socks(host: Option<&str>) -> Message {
    Message::Socks(host.map(Untrusted::from))
}

#[test]
fn socks_in_any_pieces() {
    let tls = client_hello("inner.example", &[]);
    let named: &[u8] = b"\x05\x01\0\x03\x09d.example\x01\xbb";
    let password: &[u8] = b"\x01\x02me\x06secret";
    for (parts, host) in [
        (vec![&[5, 1, 0][..], named], Some("d.example")),
        (vec![&[5, 2, 0, 2], password, named], Some("d.example")),
        (vec![&[5, 1, 2], password, named], Some("d.example")),
        // The methods are also the beginning of an address.
        (vec![&[5, 2, 0, 1], named], Some("d.example")),
        (vec![&[5, 3, 0, 1, 2], named], Some("d.example")),
        (vec![&[5, 3, 0, 1, 2], password, named], Some("d.example")),
        (vec![&[5, 1, 0], &[5, 1, 0, 1, 192, 0, 2, 7, 1, 187]], Some("192.0.2.7")),
        (vec![&[5, 1, 0], &[5, 1, 0, 3, 9], b"192.0.2.8\x01\xbb"], Some("192.0.2.8")),
        // Where datagrams come from, and whom is waited for, is no host that is asked for.
        (vec![&[5, 1, 0], &[5, 3, 0, 1, 0, 0, 0, 0, 0, 0]], None),
        (vec![&[5, 1, 0], &[5, 2, 0, 1, 192, 0, 2, 9, 0, 21]], None),
        (vec![&[4, 1, 1, 187, 0, 0, 0, 1], b"me\0four.example\0"], Some("four.example")),
        (vec![&[4, 2, 1, 187, 192, 0, 2, 7, 0]], None),
    ] {
        let parts: Vec<Vec<u8>> = parts.into_iter().map(<[u8]>::to_vec).chain([tls.clone()]).collect();
        let expected = [socks(host), Message::Tls(hello("inner.example", &[]))];
        assert_eq!(messages_of(&parts), expected, "{parts:?}");
    }
}

/// A request without its greeting, which went before the recording.
#[test]
fn socks_without_its_greeting() {
    for (request, host) in [
        (&b"\x05\x01\0\x03\x09d.example\x01\xbb"[..], "d.example"),
        (&[5, 1, 0, 1, 192, 0, 2, 7, 1, 187], "192.0.2.7"),
        (&[5, 1, 0, 4, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 187], "2001:db8::9"),
    ] {
        assert_eq!(in_pieces(&[request.to_vec()], usize::MAX).0, [socks(Some(host))]);
    }
}

/// A packet of TDS; each but the last of a message has no end.
fn tds(data: &[u8], is_last: bool) -> Vec<u8> {
    [&[18, is_last.into()][..], &(8 + data.len() as u16).to_be_bytes(), &[0, 0, 1, 0], data].concat()
}

#[test]
fn tls_within_tds() {
    let options = [&[0, 0, 26, 0, 6, 1, 0, 32, 0, 1, 255][..], &[17; 30]].concat();
    let tls = client_hello("sql.example", &[]);
    let expected = [Message::Tls(hello("sql.example", &[]))];
    assert_eq!(messages_of(&[tds(&options, true), tds(&tls, true)]), expected);
    // In packets that are smaller than it.
    for size in [16, 100] {
        let last = tls.len().div_ceil(size) - 1;
        let packets = tls.chunks(size).enumerate().map(|(nth, part)| tds(part, nth == last));
        assert_eq!(messages_of(&[vec![tds(&options, true)], packets.collect()].concat()), expected, "{size}");
    }
}

#[test]
fn the_proxy_protocol_with_more() {
    let tls = client_hello("behind.example", &[]);
    let http = b"GET / HTTP/1.1\r\nHost: web.example\r\n\r\n".to_vec();
    let proxy2 = |family: u8, body: &[u8]| {
        let len = (body.len() as u16).to_be_bytes();
        [b"\r\n\r\n\0\r\nQUIT\n\x21".as_slice(), &[family], &len, body].concat()
    };
    for prelude in [
        proxy2(
            0x11,
            &[&[192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187][..], b"\x02\0\x0bsni.example", &[4; 300]].concat(),
        ),
        proxy2(0x21, &[7; 36]),
        proxy2(0x31, &[0; 216]),
        proxy2(0, &[]),
        b"PROXY TCP6 2001:db8::1 2001:db8::2 5 443\r\n".to_vec(),
    ] {
        assert_eq!(
            messages_of(&[prelude.clone(), tls.clone()]),
            [Message::Tls(hello("behind.example", &[]))]
        );
        assert_eq!(messages_of(&[prelude, http.clone()]), [Message::Http(Some("web.example".into()))]);
    }
}

/// A client may ask a proxy for several hosts on one connection; what a request carries is none.
#[test]
fn several_hosts_behind_a_proxy() {
    let get = |host: &str| format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n").into_bytes();
    let body = get("body.example");
    let post =
        format!("POST http://post.example/ HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
    let proxied = |host: &str| Message::HttpProxy(Some(host.into()));
    let parts = [get("a.example"), get("b.example"), post, body, get("c.example:81")];
    assert_eq!(messages_of(&parts), ["a.example", "b.example", "post.example", "c.example"].map(proxied));
    // A body in chunks, also one that only looks like another request; behind one that is none, nothing is read.
    let chunks = b"POST http://d.example/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let no = get("no.example");
    let body =
        [format!("{:X};ext\r\n", no.len()).as_bytes(), &no, b"\r\n5\nhello\n0\r\nA: b\r\n\r\n"].concat();
    let parts = [chunks.clone(), body, get("e.example")];
    assert_eq!(messages_of(&parts), ["d.example", "e.example"].map(proxied));
    assert_eq!(messages_of(&[chunks, get("e.example")]), [proxied("d.example")]);
    // The kernel side leaves a long body out.
    let mut sniffer = Sniffer::default();
    let post = b"POST http://long.example/ HTTP/1.1\r\nContent-Length: 900000\r\n\r\n";
    let mut found = messages(&mut sniffer, head(class::OPENING, proto::TCP), post);
    let at = |seq: usize| PayloadHead { seq: seq as u32, ..head(class::MORE, proto::TCP) };
    let cut = PayloadHead { total: 60_000, ..at(post.len()) };
    found.extend(messages(&mut sniffer, cut, &[b'x'; 16_000]));
    let head = at(post.len() + 900_000);
    found.extend(messages(&mut sniffer, head, &get("next.example")));
    assert_eq!(found, ["long.example", "next.example"].map(proxied));
    assert_eq!(sniffer.unread(), 0);
}

/// A client may ask a server for several hosts on one connection too; what is not known to be a request is none, and counted.
#[test]
fn several_hosts_of_one_server() {
    let to = |host: &str, rest: &str| format!("POST / HTTP/1.1\r\nHost: {host}\r\n{rest}").into_bytes();
    let http = |host: &str| Message::Http(Some(host.into()));
    let chunked = "Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n4\r\nGET \r\n0\r\n\r\n";
    let parts = [
        to("a.example", "Content-Length: 5\r\n\r\nGET /"),
        to("b.example:80", chunked),
        to("192.0.2.1", "\r\n"),
        to("a.example", "\r\n"),
        b"OPTIONS * HTTP/1.1\r\nHost: c.example.\r\nUpgrade: TLS/1.2\r\n\r\n".to_vec(),
        client_hello("inner.example", &[]),
    ];
    let expected = [
        http("a.example"),
        http("b.example"),
        Message::Http(None),
        http("a.example"),
        http("c.example"),
        Message::Tls(hello("inner.example", &[])),
    ];
    assert_eq!(messages_of(&parts), expected);
    for rest in [
        "Transfer-Encoding: gzip\r\n\r\n",
        "Content-Length: ten\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\nten\r\n",
    ] {
        let parts = [to("a.example", rest), to("b.example", "\r\n")];
        assert_eq!(in_pieces(&parts, usize::MAX), (vec![http("a.example")], 1), "{rest}");
    }
}

/// A name that is known early, of a request whose head is cut off.
#[test]
fn a_proxy_is_asked_at_length() {
    let mut sniffer = Sniffer::default();
    let request = format!("GET http://early.example/ HTTP/1.1\r\nCookie: {}", "x".repeat(9_000));
    let head = PayloadHead { total: 60_000, ..head(class::OPENING, proto::TCP) };
    let found = messages(&mut sniffer, head, request.as_bytes());
    assert_eq!(found, [Message::HttpProxy(Some("early.example".into()))]);
}

/// Frames of HTTP/2 (RFC 9113), with fields as curl and grpc compress them.
#[test]
fn http2_names_its_authority() {
    let frame = |kind: u8, flags: u8, body: &[u8]| {
        [&(body.len() as u32).to_be_bytes()[1..], &[kind, flags, 0, 0, 0, 1], body].concat()
    };
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let settings = frame(4, 0, &[0, 3, 0, 0, 0, 100]);
    // RFC 7541, appendix C.4.1: with Huffman's code.
    let coded = [
        0x82, 0x86, 0x84, 0x41, 0x8c, 0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
    ];
    let plain = [&[0x83, 0x86, 0x44, 4][..], b"/a/b", &[0x41, 16], b"plain.test:50051"].concat();
    let host = [&[0x82, 0x00, 4][..], b"host", &[9], b"late.test"].concat();
    let padded = [&[3, 0, 0, 0, 0, 7][..], &coded, &[0; 3]].concat();
    let split = [frame(1, 0, &coded[..9]), frame(9, 4, &coded[9..])].concat();
    for (frames, expected) in [
        (frame(1, 5, &coded), Some("www.example.com")),
        (frame(1, 4, &plain), Some("plain.test")),
        (frame(1, 4, &host), Some("late.test")),
        (frame(1, 4 | 8 | 32, &padded), Some("www.example.com")),
        (split, Some("www.example.com")),
        (frame(1, 4, &[0x82]), None),
    ] {
        let stream = [&preface[..], &settings, &frames].concat();
        let (found, unread) = in_pieces(std::slice::from_ref(&stream), usize::MAX);
        assert_eq!((found, unread), (vec![Message::Http(expected.map(Into::into))], 0));
        let (found, unread) = in_pieces(&[preface.clone(), settings.clone(), frames], usize::MAX);
        assert_eq!(found.last(), Some(&Message::Http(expected.map(Into::into))));
        assert_eq!(
            (&found[0], unread),
            (&if expected.is_some() { Message::Http(None) } else { found[0].clone() }, 0)
        );
        for size in [1, 5, 40] {
            assert_eq!(
                in_pieces(std::slice::from_ref(&stream), size).0.last(),
                found.last(),
                "pieces of {size}"
            );
        }
    }
}

/// What may name somebody and does not come whole is counted; what need not become anything is not.
#[test]
fn what_never_becomes_whole_is_counted() {
    let tls = client_hello("half.example", &[]);
    for (part, lost) in [
        (&tls[..1], 1),
        (&tls[..100], 1),
        (b"GET / HTTP/1.1\r\nHost: a.exam", 1),
        (b"GET /a-very-long-path", 1),
        (&[5, 1, 0, 3, 200, b'x'], 1),
        (b"CONNECT c.example:443 HTTP/1.1\r\n", 0),
        (b"hello world", 0),
        (b"x", 0),
        (&[5, 1, 0], 0),
        (&[0, 0, 0, 8, 4, 210, 22, 47], 0),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0),
    ] {
        let mut sniffer = Sniffer::default();
        messages(&mut sniffer, PayloadHead { time_ns: 1_000, ..head(class::OPENING, proto::TCP) }, part);
        sniffer.forget(30_000_000_000);
        assert_eq!(sniffer.unread(), 0);
        sniffer.forget(90_000_000_000);
        assert_eq!(sniffer.unread(), lost, "{}", part.escape_ascii());
    }
}
