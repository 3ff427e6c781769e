//! Attacks on the live page: strangers get nothing, and nobody keeps it from answering.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod site;

use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use connmon_live::web::{ServeError, Server, Settings};
use site::{Answer, Events, PATIENCE, Site, connection, settings};

/// What no page may lack.
const HEADERS: [&str; 8] = [
    "content-security-policy: default-src 'none'",
    "frame-ancestors 'none'",
    "x-content-type-options: nosniff",
    "referrer-policy: no-referrer",
    "cross-origin-opener-policy: same-origin",
    "cross-origin-embedder-policy: require-corp",
    "cross-origin-resource-policy: same-origin",
    "cache-control: no-store",
];

#[test]
fn a_token_becomes_a_cookie_and_nothing_else_lets_in() {
    let site = Site::new();
    let answer = site.ask(&format!("GET /?token={}", site.token), "");
    assert_eq!((answer.status, answer.header("location")), (303, Some("/")));
    let cookie = answer.header("set-cookie").unwrap();
    for part in ["httponly", "samesite=strict", "path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("secure") && !answer.head.contains(&site.token));
    let cookie = site.cookie();
    for path in ["/", "/report.html"] {
        let answer = site.ask(&format!("GET {path}"), &cookie);
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains("id=\"data\"") && !answer.body.contains("<script>alert"), "{path}");
    }
    let top = site.ask("GET /top", &cookie);
    assert!(top.status == 200 && top.body.contains("class=\"verdict") && !top.body.contains("<script"));
    assert_eq!(site.ask("GET /", &format!("Cookie: a=b; {}", &cookie["Cookie: ".len()..])).status, 200);
    let token = &site.token;
    let wrong = [
        "",
        "0",
        &token[1..],
        &format!("{token}0"),
        &token.to_uppercase(),
        &"0".repeat(64),
        "%00",
        token.replace('a', "%61").as_str(),
    ]
    .map(|token| (format!("GET /?token={token}"), String::new()));
    let port = site.address.port();
    let cookies = [
        format!("connmon-{port}="),
        format!("connmon-{port}"),
        cookie["Cookie: ".len()..].replacen("connmon", "xconnmon", 1).trim().to_owned(),
        format!("connmon-{port}={token}"),
    ]
    .map(|cookie| ("GET /".to_owned(), format!("Cookie: {cookie}\r\n")));
    let bare =
        ["GET /", "GET /events", "GET /report.html", "GET /top"].map(|line| (line.to_owned(), String::new()));
    // The token alone lets nobody get the stream or the file.
    let elsewhere =
        ["events", "report.html", "top"].map(|path| (format!("GET /{path}?token={token}"), String::new()));
    for (line, headers) in wrong.into_iter().chain(cookies).chain(bare).chain(elsewhere) {
        if line == format!("GET /?token={token}") {
            continue; // a token without an `a` or a letter is the same again
        }
        let answer = site.ask(&line, &headers);
        assert_eq!(answer.status, 401, "{line} {headers}");
        assert!(answer.body.lines().count() == 1 && answer.header("set-cookie").is_none(), "{line}");
    }
}

#[test]
fn only_this_host_is_answered_for() {
    let site = Site::new();
    let (port, cookie) = (site.address.port(), site.cookie());
    let ask = |line: &str, hosts: &str| {
        site.raw(&format!("{line} HTTP/1.1\r\n{hosts}Connection: close\r\n{cookie}\r\n"))
    };
    for host in ["127.0.0.1", "localhost", "LOCALHOST", "[::1]"] {
        assert_eq!(ask("GET /", &format!("Host: {host}:{port}\r\n")).status, 200, "{host}");
    }
    let other = port ^ 1;
    let foreign = [
        "evil.example".to_owned(),
        format!("evil.example:{port}"),
        format!("127.0.0.1:{other}"),
        "127.0.0.1".into(),
        "localhost".into(),
        format!("localhost.:{port}"),
        format!("localhost:{port}.evil.example"),
        format!("localhost:{port}@evil.example"),
        format!("evil@localhost:{port}"),
        format!("0.0.0.0:{port}"),
        format!("2130706433:{port}"),
        format!("[::ffff:127.0.0.1]:{port}"),
        String::new(),
    ];
    for path in ["/", "/events", "/report.html", "/top", "/nowhere", &format!("/?token={}", site.token)] {
        for host in &foreign {
            let answer = ask(&format!("GET {path}"), &format!("Host: {host}\r\n"));
            assert!([400, 421].contains(&answer.status), "{path} {host}: {}", answer.status);
            assert!(answer.body.len() < 100 && answer.header("set-cookie").is_none());
        }
        let own = format!("Host: 127.0.0.1:{port}\r\n");
        for hosts in
            [String::new(), format!("{own}Host: evil.example\r\n"), format!("Host: evil.example\r\n{own}")]
        {
            assert!([400, 421].contains(&ask(&format!("GET {path}"), &hosts).status), "{path} {hosts:?}");
        }
        let in_line = ask(&format!("GET http://evil.example{path}"), &own);
        assert_eq!(in_line.status, 421, "{path}");
    }
}

#[test]
fn other_sites_get_nothing() {
    let site = Site::new();
    let (address, cookie) = (site.address, site.cookie());
    for path in ["/", "/events", "/report.html", "/top", "/nowhere"] {
        for header in [
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Sec-Fetch-Site: whatever",
            "Origin: https://evil.example",
            "Origin: null",
            &format!("Origin: https://{address}"),
            "Origin: http://127.0.0.1:1",
        ] {
            let answer = site.ask(&format!("GET {path}"), &format!("{cookie}{header}\r\n"));
            assert_eq!(answer.status, 403, "{path} {header}");
            assert!(answer.body.len() < 100, "{path} {header}");
        }
    }
    for header in
        ["Sec-Fetch-Site: none", "Sec-Fetch-Site: same-origin", &format!("Origin: http://{address}")]
    {
        assert_eq!(site.ask("GET /", &format!("{cookie}{header}\r\n")).status, 200, "{header}");
    }
}

#[test]
fn there_are_four_paths_and_one_method() {
    let site = Site::new();
    let cookie = site.cookie();
    for path in [
        "/../etc/passwd",
        "//",
        "/%2e%2e/",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/./",
        "/%2f",
        "/report.html/",
        "/report.html%00",
        "/REPORT.HTML",
        "/events/../report.html",
        "//127.0.0.1/",
        "/index.html",
        "/favicon.ico",
        "/\\..\\",
        "/;",
        "/?/../report.html/%",
        "*",
    ] {
        let answer = site.ask(&format!("GET {path}"), &cookie);
        let wanted: &[u16] = if path.starts_with("/?") { &[200] } else { &[404, 400] };
        assert!(wanted.contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.body.contains("root:"), "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND", "get"] {
        for path in ["/", "/events", "/report.html", "/top", "/nowhere"] {
            let answer = site.ask(&format!("{method} {path}"), &format!("{cookie}Content-Length: 0\r\n"));
            assert_eq!(answer.status, 405, "{method} {path}");
        }
    }
    let host = site.address;
    let connect = site.raw(&format!("CONNECT {host} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
    assert_eq!(connect.status, 405);
}

#[test]
fn every_answer_has_the_headers() {
    let site = Site::new();
    let cookie = site.cookie();
    let token = format!("GET /?token={}", site.token);
    let asked = [
        ("GET /", cookie.as_str()),
        ("GET /report.html", &cookie),
        (&token, ""),
        ("GET /", ""),
        ("GET /nowhere", ""),
        ("POST /", ""),
        ("GET /", "Sec-Fetch-Site: cross-site\r\n"),
    ];
    for (line, headers) in asked {
        let answer = site.ask(line, headers);
        for header in HEADERS {
            assert!(
                answer.head.contains(header),
                "{line} ({}) lacks {header}: {}",
                answer.status,
                answer.head
            );
        }
        assert!(!answer.head.contains("access-control"), "{line}");
    }
    let page = site.ask("GET /", &cookie);
    assert!(page.head.contains("connect-src 'self'"));
    let report = site.ask("GET /report.html", &cookie);
    assert!(!report.head.contains("connect-src") && !report.body.contains("EventSource"));
    assert!(report.header("content-disposition").unwrap().starts_with("attachment"));
}

#[test]
fn a_browser_that_was_away_goes_on_where_it_was() {
    let site = Site::new();
    let (address, cookie) = (site.address, site.cookie());
    let listen = |extra: &str| {
        let mut stream = site.connect();
        write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n{cookie}{extra}\r\n").unwrap();
        Events(BufReader::new(stream))
    };
    let mut stream = listen("");
    stream.until("event: snapshot");
    stream.until("event: hello");
    site.tell.send(Ok(connection(2))).unwrap();
    stream.until("event: update");
    let id = stream.until("id: ");
    drop(stream);
    site.tell.send(Ok(connection(3))).unwrap();
    let last = format!("Last-Event-ID: {}\r\n", &id["id: ".len()..]);
    let mut stream = listen(&last);
    // Whether the third is known already or comes in a moment: nothing begins anew.
    let first = stream.until("event: ");
    assert!(first == "event: update" || stream.until("event: ") == "event: update", "{first}");
    assert_ne!(first, "event: snapshot");
    for unknown in [
        "Last-Event-ID: 0000000000000000-1\r\n",
        "Last-Event-ID: x\r\n",
        &format!("{}9\r\n", last.trim_end()),
    ] {
        assert_eq!(listen(unknown).until("event: "), "event: snapshot", "{unknown}");
    }
}

#[test]
fn slow_and_long_headers_are_not_waited_for() {
    let site = Site::new();
    let address = site.address;
    let begun = Instant::now();
    let mut silent = site.connect();
    let mut slow = site.connect();
    slow.write_all(b"GET / HTTP/1.1\r\nHost: ").unwrap();
    // A byte now and then does not help.
    for byte in address.to_string().bytes().cycle() {
        if slow.write_all(&[byte]).is_err() || begun.elapsed() > Duration::from_secs(8) {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    for stream in [&mut silent, &mut slow] {
        assert_ne!(Answer::read(stream).status, 200);
    }
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    let long = format!("GET / HTTP/1.1\r\nHost: {address}\r\nX: {}\r\n\r\n", "x".repeat(40_000));
    let many = format!("GET / HTTP/1.1\r\nHost: {address}\r\n{}\r\n", "X: y\r\n".repeat(500));
    let line = format!("GET /{} HTTP/1.1\r\nHost: {address}\r\n\r\n", "x".repeat(100_000));
    for request in [long, many, line] {
        let mut stream = site.connect();
        let _ = stream.write_all(request.as_bytes());
        let status = Answer::read(&mut stream).status;
        assert!([0, 400, 414, 431].contains(&status), "{status}");
    }
    assert_eq!(site.ask("GET /", "").status, 401);
}

#[test]
fn a_thousand_connections_do_not_keep_others_out() {
    let site = Site::new();
    let cookie = site.cookie();
    let crowd: Vec<TcpStream> = (0..1_000).filter_map(|_| TcpStream::connect(site.address).ok()).collect();
    assert!(crowd.len() > 900);
    let begun = Instant::now();
    while site.try_ask(&cookie) != Some(200) {
        assert!(begun.elapsed() < PATIENCE, "nobody gets in");
        std::thread::sleep(Duration::from_millis(250));
    }
    // Those that came first are still held by us, and gone for the server.
    let mut open = 0;
    for mut stream in crowd {
        stream.set_nonblocking(true).unwrap();
        let mut buffer = [0; 256];
        let left =
            matches!(stream.read(&mut buffer), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        open += usize::from(left);
    }
    assert!(open <= 128, "{open} are still open");
}

#[test]
fn strangers_who_hold_on_give_way_to_a_browser() {
    let site = Site::new();
    let cookie = site.cookie();
    // Each is within a request, which it may be for seconds, and comes again when it is sent away.
    let half = |_| {
        let mut stream = site.connect();
        stream.write_all(b"GET / HTTP/1.1\r\n").unwrap();
        stream
    };
    let mut strangers: Vec<TcpStream> = (0..256).map(half).collect();
    for _ in 0..20 {
        assert_eq!(site.ask("GET /top", &cookie).status, 200);
        strangers.extend((0..16).map(half));
    }
}

/// A certificate for localhost and its key, in a folder.
fn certificate(folder: &Path) -> (PathBuf, PathBuf, rcgen::CertifiedKey<rcgen::KeyPair>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    (cert, key, made)
}

#[test]
fn beyond_this_host_there_is_tls() {
    let everywhere = || Settings { listen: "0.0.0.0:0".parse().unwrap(), ..settings() };
    assert!(matches!(Server::bind(everywhere()), Err(ServeError::NeedsTls(_))));
    let folder = tempfile::tempdir().unwrap();
    let (cert, key, made) = certificate(folder.path());
    let wrong = Settings { tls: Some((key.clone(), cert.clone())), ..everywhere() };
    assert!(matches!(Server::bind(wrong), Err(ServeError::Tls(..))));
    let site =
        Site::with(Settings { tls: Some((cert, key)), hosts: vec!["box.example".into()], ..everywhere() })
            .unwrap();
    let port = site.address.port();
    let site = Site { address: format!("127.0.0.1:{port}").parse().unwrap(), ..site };
    // Without TLS there is no answer.
    assert_eq!(site.ask("GET /", "").status, 0);
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let ask = |host: &str, path: &str| {
        let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
        let client = rustls::ClientConnection::new(config.clone(), name).unwrap();
        let mut stream = rustls::StreamOwned::new(client, site.connect());
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n").unwrap();
        Answer::read(&mut stream)
    };
    for host in ["localhost", "box.example"] {
        let answer = ask(host, &format!("/?token={}", site.token));
        assert_eq!(answer.status, 303, "{host}");
        assert!(answer.header("set-cookie").unwrap().contains("; secure"));
        assert_eq!(ask(host, "/").status, 401);
    }
    assert_eq!(ask("evil.example", "/").status, 421);
}

#[test]
fn the_command_says_what_it_needs() {
    let run = |args: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_connmon")).arg("serve").args(args).output().unwrap()
    };
    for (args, says) in [
        (&["--listen", "0.0.0.0:0"][..], "--tls-cert"),
        (&["--listen", "[::]:0"], "--tls-cert"),
        (&["--socket", "/nonexistent/connmon.sock"], "no recorder answers"),
        (&["--token", "/nonexistent/folder/token"], "token"),
    ] {
        let output = run(args);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {error}");
        assert!(error.contains(says) && error.lines().count() == 1, "{args:?}: {error}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
}
