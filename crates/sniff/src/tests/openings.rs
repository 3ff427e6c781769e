//! What clients begin TCP streams with.

use super::*;
use connmon_record::Untrusted;

/// What a stream says that comes in one piece, and in pieces of one byte.
fn messages_of(stream: &[u8]) -> Vec<Message> {
    let mut sniffer = Sniffer::default();
    let at_once = messages(&mut sniffer, head(class::OPENING, proto::TCP), stream);
    let mut slowly = Vec::new();
    for (nth, byte) in stream.iter().enumerate() {
        let class = if nth == 0 { class::OPENING } else { class::MORE };
        let head = PayloadHead { seq: nth as u32, ..head(class, proto::TCP) };
        slowly.extend(messages(&mut sniffer, head, &[*byte]));
    }
    // What is told early is told again when it is whole.
    slowly.dedup();
    assert_eq!(slowly, at_once);
    assert_eq!(sniffer.unread(), 0);
    at_once
}

fn http(host: Option<&str>) -> Vec<Message> {
    vec![Message::Http(host.map(Untrusted::from))]
}

fn proxy(host: &str) -> Vec<Message> {
    vec![Message::HttpProxy(Some(host.into()))]
}

#[test]
fn hosts_of_requests() {
    let many = format!("GET / HTTP/1.1\r\n{}Host: many.example\r\n\r\n", "X-Field: value\r\n".repeat(300));
    for (request, expected) in [
        ("GET / HTTP/1.1\r\nHost: Example.org:8080\r\n\r\n", http(Some("example.org"))),
        ("POST /x HTTP/1.1\r\nA: b\r\nhOST:  a.example. \r\nCookie: secret", http(Some("a.example"))),
        ("GET / HTTP/1.1\nHost: lf.example\n\n", http(Some("lf.example"))),
        ("\r\n\nGET / HTTP/1.1\r\nHost:blank.example\r\n\r\n", http(Some("blank.example"))),
        (&many, http(Some("many.example"))),
        ("PROPFIND /a HTTP/1.1\r\nHost: dav.example\r\n\r\n", http(Some("dav.example"))),
        ("M-SEARCH * HTTP/1.1\r\nHOST: ssdp.example\r\n\r\n", http(Some("ssdp.example"))),
        ("get / HTTP/1.1\r\nHost: small.example\r\n\r\n", http(Some("small.example"))),
        // Blanks that servers let pass (RFC 9112, section 3).
        ("GET  /\tHTTP/1.1 \r\nHost \t: \tblanks.example\t\r\n\r\n", http(Some("blanks.example"))),
        (" GET / HTTP/1.1\r\nHost: no.example\r\n\r\n", vec![]),
        ("GET HTTPS://Upper.example:8443/ HTTP/1.1\r\n\r\n", proxy("upper.example")),
        // An address is no name: the connection has its own.
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: 127.1\r\n\r\n", http(None)),
        ("GET / HTTP/1.0\r\n\r\n", http(None)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", http(None)),
        // A proxy is not its target.
        ("GET http://Target.example/ HTTP/1.1\r\nHost: target.example\r\n\r\n", proxy("target.example")),
        ("GET http://u:p@a.example:81?x HTTP/1.1\r\nHost: b.example\r\n\r\n", proxy("a.example")),
        ("CONNECT c.example:443 HTTP/1.1\r\nHost: other.example\r\n\r\n", proxy("c.example")),
        ("CONNECT 192.0.2.9:443 HTTP/1.1\r\n\r\n", proxy("192.0.2.9")),
        ("CONNECT [2001:db8::9]:443 HTTP/1.1\r\n\r\n", proxy("2001:db8::9")),
        ("GET /?u=http://a.example/ HTTP/1.1\r\nHost: plain.example\r\n\r\n", http(Some("plain.example"))),
        ("GET lost\r\nHost: lost.example\r\n\r\n", vec![]),
        // A line goes on in the next.
        ("GET / HTTP/1.1\r\nHost:\r\n\tfolded.example\r\n\r\n", http(Some("folded.example"))),
        (
            "GET / HTTP/1.1\r\nA: b\r\n Host: no.example\r\nHost: real.example\r\n\r\n",
            http(Some("real.example")),
        ),
        // What can be no name is none.
        ("GET / HTTP/1.1\r\nHost: a b.example\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: a.example:x\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: u@a.example\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: a..example\r\n\r\n", http(None)),
        ("GET / HTTP/1.1\r\nHost: a\0.example\r\n\r\n", http(None)),
        ("GET http:///x HTTP/1.1\r\nHost: a.example\r\n\r\n", vec![Message::HttpProxy(None)]),
        ("GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nHost: ws.example\r\n\r\n", http(Some("ws.example"))),
        ("EHLO mail.example\r\nGET / HTTP/1.1\r\nHost: body.example\r\n\r\n", vec![]),
    ] {
        assert_eq!(messages_of(request.as_bytes()), expected, "{request:?}");
    }
}

/// A request that stops before its Host is HTTP nevertheless.
#[test]
fn a_request_without_an_end() {
    let mut sniffer = Sniffer::default();
    let opening = head(class::OPENING, proto::TCP);
    assert_eq!(messages(&mut sniffer, opening, b"GET / HTTP/1.1\r\nHost: a.exa"), http(None));
}

/// What goes before TLS, in one segment with it or not.
#[test]
fn tls_behind_preludes() {
    let hello_bytes = client_hello("behind.example", &[]);
    let tls = Message::Tls(hello("behind.example", &[]));
    let socks = |host: &str| vec![Message::Socks(Some(host.into()))];
    let mut proxy2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
    proxy2.extend([192, 0, 2, 1, 192, 0, 2, 2, 0, 80, 1, 187]);
    let mysql = [&[32, 0, 0, 1][..], &[0; 32]].concat();
    let name = |head: &[u8], name: &str, tail: &[u8]| [head, name.as_bytes(), tail].concat();
    let preludes: [(&str, Vec<u8>, Vec<Message>); 16] = [
        ("PROXY 1", b"PROXY TCP4 192.0.2.1 192.0.2.2 5 443\r\n".to_vec(), vec![]),
        ("PROXY 1 unknown", b"PROXY UNKNOWN\r\n".to_vec(), vec![]),
        ("PROXY 2", proxy2, vec![]),
        ("PROXY 2 local", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), vec![]),
        ("PostgreSQL", vec![0, 0, 0, 8, 4, 210, 22, 47], vec![]),
        ("PostgreSQL GSS", vec![0, 0, 0, 8, 4, 210, 22, 48, 0, 0, 0, 8, 4, 210, 22, 47], vec![]),
        ("MySQL", mysql, vec![]),
        ("LDAP", b"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037".to_vec(), vec![]),
        (
            "LDAP of Windows",
            b"\x30\x84\0\0\0\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037".to_vec(),
            vec![],
        ),
        ("RDP", vec![3, 0, 0, 11, 6, 0xe0, 0, 0, 0, 0, 0], vec![]),
        ("SOCKS 4", vec![4, 1, 1, 187, 192, 0, 2, 7, b'm', b'e', 0], socks("192.0.2.7")),
        ("SOCKS 4A", name(&[4, 1, 1, 187, 0, 0, 0, 1, 0], "A.example", &[0]), socks("a.example")),
        ("SOCKS 5 name", name(&[5, 1, 0, 3, 9], "b.example", &[1, 187]), socks("b.example")),
        ("SOCKS 5 IPv4", vec![5, 1, 0, 1, 192, 0, 2, 7, 1, 187], socks("192.0.2.7")),
        (
            "SOCKS 5 IPv6",
            vec![5, 1, 0, 4, 32, 1, 13, 184, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1, 187],
            socks("2001:db8::9"),
        ),
        (
            "CONNECT",
            b"CONNECT c.example:443 HTTP/1.1\r\nHost: c.example:443\r\n\r\n".to_vec(),
            proxy("c.example"),
        ),
    ];
    for (what, prelude, mut expected) in preludes {
        expected.push(tls.clone());
        let stream = [&prelude[..], &hello_bytes].concat();
        let mut sniffer = Sniffer::default();
        let found = messages(&mut sniffer, head(class::OPENING, proto::TCP), &stream);
        assert_eq!(found, expected, "{what} at once");
        // Each in a segment of its own: the kernel side knows a ClientHello again, or copies what follows.
        for class in [class::OPENING, class::MORE] {
            let mut sniffer = Sniffer::default();
            let mut found = messages(&mut sniffer, head(class::OPENING, proto::TCP), &prelude);
            let head = PayloadHead { seq: prelude.len() as u32, ..head(class, proto::TCP) };
            found.extend(messages(&mut sniffer, head, &hello_bytes));
            assert_eq!(found, expected, "{what}, then {class}");
            assert_eq!(sniffer.unread(), 0);
        }
    }
}

/// A greeting, a password, and a request, each after the server's answer.
#[test]
fn socks_with_a_password() {
    let mut sniffer = Sniffer::default();
    let mut found = Vec::new();
    let mut seq = 0;
    let hello_bytes = client_hello("inner.example", &[]);
    let parts: [&[u8]; 4] =
        [&[5, 3, 0, 1, 2], b"\x01\x02me\x06secret", b"\x05\x01\0\x03\x09d.example\0\x50", &hello_bytes];
    for (nth, part) in parts.into_iter().enumerate() {
        let class = if nth == 0 { class::OPENING } else { class::MORE };
        found.extend(messages(&mut sniffer, PayloadHead { seq, ..head(class, proto::TCP) }, part));
        seq += part.len() as u32;
    }
    let socks = Message::Socks(Some("d.example".into()));
    assert_eq!(found, [socks, Message::Tls(hello("inner.example", &[]))]);
}

/// The ClientHello out of its one record, in records of other sizes.
#[test]
fn a_client_hello_in_records() {
    let bytes = client_hello("records.example", &[]);
    for size in [1, 3, 60, 300] {
        let mut stream = Vec::new();
        for part in bytes[5..].chunks(size) {
            stream.extend([22, 3, 1]);
            stream.extend((part.len() as u16).to_be_bytes());
            stream.extend(part);
        }
        assert_eq!(messages_of(&stream), [Message::Tls(hello("records.example", &[]))], "records of {size}");
    }
}

/// A ClientHello with these extensions.
fn with_extensions(extensions: &[(u16, &[u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (kind, data) in extensions {
        all.extend(kind.to_be_bytes());
        all.extend((data.len() as u16).to_be_bytes());
        all.extend(*data);
    }
    let mut body = [&[3, 3][..], &[17; 32], &[0, 0, 2, 19, 1, 1, 0]].concat();
    body.extend((all.len() as u16).to_be_bytes());
    body.extend(all);
    let mut message = vec![1, 0];
    message.extend((body.len() as u16).to_be_bytes());
    message.extend(body);
    let mut record = vec![22, 3, 1];
    record.extend((message.len() as u16).to_be_bytes());
    record.extend(message);
    record
}

fn server_name(name: &str) -> Vec<u8> {
    let len = name.len() as u16;
    let mut data = (len + 3).to_be_bytes().to_vec();
    data.push(0);
    data.extend(len.to_be_bytes());
    data.extend(name.as_bytes());
    data
}

/// What can be no name of a host is not told, and counted.
#[test]
fn server_names_that_can_be_none() {
    let long = "x".repeat(300);
    for (name, found, unread) in [
        ("Trailing.Example.", Some("trailing.example"), 0),
        ("xn--bcher-kva.example", Some("xn--bcher-kva.example"), 0),
        ("_dns.a-b.example", Some("_dns.a-b.example"), 0),
        ("good.example\0.bad.example", None, 1),
        ("a b.example", None, 1),
        ("a.example:443", None, 1),
        ("a.example\n", None, 1),
        (&long, None, 1),
        ("192.0.2.1", None, 0),
        ("", None, 0),
    ] {
        let mut sniffer = Sniffer::default();
        let bytes = with_extensions(&[(0, &server_name(name))]);
        let [Message::Tls(hello)] = &messages(&mut sniffer, head(class::OPENING, proto::TCP), &bytes)[..]
        else {
            panic!("{name:?}")
        };
        assert_eq!(
            (hello.server_name.as_ref().map(Untrusted::raw), sniffer.unread()),
            (found, unread),
            "{name:?}"
        );
    }
}

#[test]
fn extensions_that_are_odd_and_names_that_are_none() {
    let name = server_name("odd.example");
    let outer = [0, 0, 1, 0, 1, 5, 0, 1, 0, 0, 1, 0];
    for (extensions, expected) in [
        // Groups, versions and a pre-shared key that no parser takes.
        (vec![(10, &[9_u8][..]), (43, &[7]), (41, &[]), (0, &name)], (Some("odd.example"), false)),
        (vec![(0, &name[..]), (0xfe0d, &outer)], (Some("odd.example"), true)),
        // What the inner one would have.
        (vec![(0xfe0d, &[1][..]), (0, &name)], (Some("odd.example"), false)),
        (vec![(0, &server_name("192.0.2.1")[..])], (None, false)),
        (vec![(0, &server_name("2001:db8::1")[..])], (None, false)),
        (vec![(0, &name[..4])], (None, false)),
        (vec![], (None, false)),
    ] {
        let bytes = with_extensions(&extensions);
        let mut sniffer = Sniffer::default();
        let [Message::Tls(found)] = &messages(&mut sniffer, head(class::OPENING, proto::TCP), &bytes)[..]
        else {
            panic!("{extensions:?}")
        };
        assert_eq!((found.server_name.as_ref().map(Untrusted::raw), found.outer), expected, "{extensions:?}");
    }
}

/// The larger part of what is copied of a stream that leads nowhere is not kept.
#[test]
fn what_nothing_follows_from_is_forgotten() {
    let mut sniffer = Sniffer::default();
    for (nth, part) in ["EHLO a.example\r\n", "MAIL FROM:<x@a.example>\r\n", "DATA\r\n"].iter().enumerate() {
        let class = if nth == 0 { class::OPENING } else { class::MORE };
        let head = PayloadHead { seq: 20 * nth as u32, ..head(class, proto::TCP) };
        assert_eq!(messages(&mut sniffer, head, part.as_bytes()), []);
        assert_eq!(sniffer.streams.len(), 0);
    }
    // TLS begins nevertheless, and its first byte comes alone.
    let bytes = client_hello("mail.example", &[]);
    let head = |seq, class| PayloadHead { seq, ..head(class, proto::TCP) };
    assert_eq!(messages(&mut sniffer, head(100, class::OPENING), &bytes[..1]), []);
    let found = messages(&mut sniffer, head(101, class::MORE), &bytes[1..]);
    assert_eq!(found, [Message::Tls(hello("mail.example", &[]))]);
}
