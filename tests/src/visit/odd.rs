//! What clients say in unusual pieces, or behind something else; each part is a segment of its own.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};

use anyhow::{Context, Result, ensure};

use super::{PATIENCE, words};

/// A connection by what names it.
pub struct Opening {
    /// What is said, in order.
    pub parts: Vec<Vec<u8>>,
    /// The names of the other end, with the source of each.
    pub names: Vec<(&'static str, String)>,
    /// To IPv6.
    pub v6: bool,
}

fn opening(parts: Vec<Vec<u8>>, names: &[(&'static str, &str)]) -> Opening {
    let names = names.iter().map(|(source, name)| (*source, (*name).to_owned())).collect();
    Opening { parts, names, v6: false }
}

/// One of each kind.
pub fn openings() -> Result<Vec<Opening>> {
    let text = |text: &str| text.as_bytes().to_vec();
    let pieces = |bytes: Vec<u8>, size: usize| bytes.chunks(size).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let behind = |prelude: Vec<Vec<u8>>, name: &str| -> Result<Vec<Vec<u8>>> {
        Ok(prelude.into_iter().chain([words::hello(name, 0)?]).collect())
    };
    let record = |part: &[u8]| [&[22, 3, 1][..], &(part.len() as u16).to_be_bytes(), part].concat();
    let records = |name: &str, size: usize| -> Result<Vec<u8>> {
        Ok(words::hello(name, 0)?[5..].chunks(size).flat_map(record).collect())
    };
    let mut first_alone = words::hello("alone.test", 0)?;
    let rest = first_alone.split_off(1);
    let proxy2 = [&b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..], &words::hello("proxy2.test", 0)?].concat();
    let postgres = vec![0, 0, 0, 8, 4, 210, 22, 47];
    let get = |host: &str| text(&format!("GET http://{host}/ HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    let plain = |host: &str, rest: &str| text(&format!("POST /x HTTP/1.1\r\nHost: {host}\r\n{rest}"));
    let post = text("POST http://post.test/ HTTP/1.1\r\nContent-Length: 40000\r\n\r\n");
    let tds =
        |data: &[u8]| [&[18, 1][..], &(8 + data.len() as u16).to_be_bytes(), &[0, 0, 1, 0], data].concat();
    let prelogin = tds(&[&[0, 0, 26, 0, 6, 1, 0, 32, 0, 1, 255][..], &[0; 7]].concat());
    let socks = [&[4, 1, 1, 187, 0, 0, 0, 1][..], b"me\0four.test\0"].concat();
    let h2 = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let headers = [&[0, 0, 12, 1, 4, 0, 0, 0, 1, 0x82, 0x41, 9][..], b"h2.test:1"].concat();
    let mut all = vec![
        opening(pieces(words::hello("pieces.test", 0)?, 5), &[("sni", "pieces.test")]),
        opening(vec![words::hello("large.test", 4_600)?], &[("sni", "large.test")]),
        opening(vec![words::hello("larger.test", 30_000)?], &[("sni", "larger.test")]),
        opening(pieces(words::hello("largest.test", 30_000)?, 1_000), &[("sni", "largest.test")]),
        opening(vec![records("records.test", 50)?], &[("sni", "records.test")]),
        opening(pieces(records("split.test", 50)?, 40), &[("sni", "split.test")]),
        // Each byte in a record of its own, and behind a record that is empty.
        opening(vec![records("bytes.test", 1)?], &[("sni", "bytes.test")]),
        opening(pieces(records("bytes2.test", 2)?, 900), &[("sni", "bytes2.test")]),
        opening(vec![record(&[]), words::hello("empty.test", 0)?], &[("sni", "empty.test")]),
        opening(vec![[record(&[]), words::hello("empty2.test", 0)?].concat()], &[("sni", "empty2.test")]),
        opening(vec![first_alone, rest], &[("sni", "alone.test")]),
        opening(
            behind(vec![text("EHLO a\r\n"), text("STARTTLS\r\n")], "smtp.test")?,
            &[("sni", "smtp.test")],
        ),
        opening(
            behind(vec![text("a1 CAPABILITY\r\n"), text("a2 STARTTLS\r\n")], "imap.test")?,
            &[("sni", "imap.test")],
        ),
        opening(
            behind(vec![text("<?xml version='1.0'?>"), text("<starttls/>")], "xmpp.test")?,
            &[("sni", "xmpp.test")],
        ),
        opening(behind(vec![postgres.clone()], "postgres.test")?, &[("sni", "postgres.test")]),
        opening(
            behind(vec![vec![0, 1], vec![0; 40], vec![2; 400]], "unknown.test")?,
            &[("sni", "unknown.test")],
        ),
        opening(vec![proxy2], &[("sni", "proxy2.test")]),
        opening(
            behind(vec![text("CONNECT target.test:443 HTTP/1.1\r\n"), text("\r\n")], "inner.test")?,
            &[("proxied", "target.test"), ("proxied", "inner.test")],
        ),
        opening(
            behind(vec![vec![5, 1, 0], text("\x05\x01\0\x03\x0asocks.test\x01\u{5b}")], "socks.test")?,
            &[("proxied", "socks.test")],
        ),
        opening(vec![text("GET / HTTP/1.1\nHost: lf.test\n\n")], &[("http", "lf.test")]),
        opening(vec![text("GET / HTTP/1.1\r\n"), text("Host: two.test\r\n\r\n")], &[("http", "two.test")]),
        opening(pieces(text("PROPFIND / HTTP/1.1\r\nHost: dav.test\r\n\r\n"), 3), &[("http", "dav.test")]),
        opening(
            vec![text(&format!("GET / HTTP/1.1\r\n{}Host: many.test\r\n\r\n", "A: b\r\n".repeat(900)))],
            &[("http", "many.test")],
        ),
        opening(
            vec![text("GET http://absolute.test/ HTTP/1.1\r\nHost: absolute.test\r\n\r\n")],
            &[("proxied", "absolute.test")],
        ),
        // Several hosts; what is sent to one of them is no request, and a long one is not looked at.
        opening(
            vec![
                get("a.test"),
                post,
                vec![b'x'; 40_000 - get("no.test").len()],
                get("no.test"),
                get("b.test"),
            ],
            &[("proxied", "a.test"), ("proxied", "post.test"), ("proxied", "b.test")],
        ),
        // A client that asks one server for several hosts, one of them twice, behind bodies that could be requests.
        opening(
            vec![
                plain("k1.test", "\r\n"),
                plain("k2.test", "Transfer-Encoding: chunked\r\n\r\n"),
                text("1a;x=y\r\nGET / HTTP/1.1\r\nHost: no\r\n3\r\nabc\r\n"),
                text("0\r\nTrailer: x\r\n\r\n"),
                plain("k3.test", "Content-Length: 9\r\n\r\nGET / HTT"),
                plain("k1.test", "\r\n"),
                [plain("k4.test", "\r\n"), plain("k5.test", "\r\n")].concat(),
            ],
            &["k1.test", "k2.test", "k3.test", "k4.test", "k5.test"].map(|name| ("http", name)),
        ),
        opening(
            vec![
                text("POST http://c1.test/ HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"),
                text("5\r\nhello\r\n0\r\n\r\n"),
                get("c2.test"),
            ],
            &[("proxied", "c1.test"), ("proxied", "c2.test")],
        ),
        opening(
            vec![text("GET\t/  HTTP/1.1 \r\nHost : \tblanks.test\t\r\n\r\n")],
            &[("http", "blanks.test")],
        ),
        opening(pieces(socks, 2), &[("proxied", "four.test")]),
        opening(vec![prelogin, tds(&words::hello("tds.test", 0)?)], &[("sni", "tds.test")]),
        opening(vec![h2, headers], &[("http", "h2.test")]),
        opening(vec![text("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")], &[]),
    ];
    let mut v6 = opening(behind(vec![postgres], "postgres6.test")?, &[("sni", "postgres6.test")]);
    v6.v6 = true;
    all.push(v6);
    Ok(all)
}

/// A connection whose other end is in this process too, and reads each part before the next is sent.
pub struct Pair {
    client: TcpStream,
    server: TcpStream,
}

impl Pair {
    /// Connects to a listener.
    pub fn new(listener: &TcpListener) -> Result<Self> {
        let client = TcpStream::connect(listener.local_addr()?)?;
        Self::with(client, listener)
    }

    /// With a client that has connected.
    pub fn with(client: TcpStream, listener: &TcpListener) -> Result<Self> {
        client.set_nodelay(true)?;
        let (server, _) = listener.accept()?;
        server.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { client, server })
    }

    /// The client's port.
    pub fn port(&self) -> Result<u16> {
        Ok(self.client.local_addr()?.port())
    }

    /// Says it, and returns the client's port.
    pub fn say(mut self, parts: &[Vec<u8>]) -> Result<u16> {
        for part in parts {
            self.client.write_all(part)?;
            self.server.read_exact(&mut vec![0; part.len()])?;
        }
        self.port()
    }
}

/// A question for the addresses of a name.
pub fn question(id: u16, name: &str) -> Vec<u8> {
    let mut bytes = [&id.to_be_bytes()[..], &[1, 0, 0, 1, 0, 0, 0, 0, 0, 0]].concat();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

/// An answer with an address behind 99 others and an option, five kilobytes of text, and a record that no parser takes.
pub fn answer(question: &[u8], address: Ipv4Addr) -> Vec<u8> {
    let mut bytes = question.to_vec();
    // An answer, with 121 records and one more.
    bytes.splice(2..12, [0x81, 0x80, 0, 1, 0, 121, 0, 0, 0, 1]);
    let mut record = |kind: u8, data: &[u8]| {
        bytes.extend([0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 60]);
        bytes.extend((data.len() as u16).to_be_bytes());
        bytes.extend(data);
    };
    (0..99).for_each(|nth| record(1, &[10, 9, 8, nth]));
    record(41, &[]);
    record(1, &address.octets());
    let text = [&[255_u8][..], &[b'x'; 255]].concat();
    (0..20).for_each(|_| record(16, &text));
    record(65, b"\0\x01\0\0\x01\0\x06\x02h2\x08h3\0");
    bytes
}

/// Asks a server that is in this process too, over UDP.
pub fn ask(server: SocketAddr, question: &[u8], answer: &[u8]) -> Result<()> {
    let at = UdpSocket::bind(server)?;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    for socket in [&at, &client] {
        socket.set_read_timeout(Some(PATIENCE))?;
    }
    client.connect(server)?;
    client.send(question)?;
    let (_, from) = at.recv_from(&mut [0; 4096])?;
    at.send_to(answer, from)?;
    let len = client.recv(&mut vec![0; 65_536]).context("no answer")?;
    ensure!(len == answer.len(), "{len} bytes");
    Ok(())
}

/// Asks everybody for a name (mDNS), and is told the address by one, who does not repeat the question.
pub fn ask_everybody(name: &str, responder: Ipv4Addr, address: Ipv4Addr) -> Result<()> {
    let at = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None)?;
    // A responder of the host's may listen on the port.
    at.set_reuse_address(true)?;
    at.bind(&SocketAddr::from((responder, 5353)).into())?;
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    client.set_read_timeout(Some(PATIENCE))?;
    socket2::SockRef::from(&client).set_multicast_if_v4(&Ipv4Addr::LOCALHOST)?;
    let question = question(0, name);
    client.send_to(&question, (Ipv4Addr::new(224, 0, 0, 251), 5353))?;
    // Head, name, type, class with the bit that this is all, time to live.
    let mut answer = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    answer.extend(&question[12..question.len() - 2]);
    answer.extend([0x80, 1, 0, 0, 0, 120, 0, 4]);
    answer.extend(address.octets());
    at.send_to(&answer, &client.local_addr()?.into())?;
    let len = client.recv(&mut [0; 512]).context("no answer")?;
    ensure!(len == answer.len(), "{len} bytes");
    Ok(())
}
