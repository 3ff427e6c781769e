//! The report in a real browser: it opens from disk, shows what was recorded, and asks nobody for anything, whatever the
//! names in it say. `BROWSER_BIN` is Chromium; without it these tests fail.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use connmon_analysis::{Builder, Selection};
use connmon_enrich::geo::Geo;
use connmon_record::{
    Connection, Direction, End, Endpoint, Facts, KernelTotals, Name, NameSource, ObservedService, Process,
    ProcessId, Proto, Run, Share, Timestamp,
};
use connmon_render::report::payload::Payload;
use connmon_render::report::{PictureOptions, html};

const START: Timestamp = Timestamp(connmon_fixtures::rows::START);

fn run() -> Run {
    Run {
        id: 1,
        geo: Geo::embedded().about(),
        ended: Some(Timestamp(START.0 + 60_000_000_000)),
        going_on: false,
        ..connmon_fixtures::rows::run()
    }
}

/// A connection of a process all of whose strings are `name`.
fn connection(name: &str) -> Connection {
    let process = Arc::new(Process {
        id: ProcessId { pid: 42, start_ns: 1 },
        started: START,
        ppid: 1,
        comm: name.into(),
        exe: name.into(),
        cmdline: name.into(),
        uid: 0,
        user: Some(name.into()),
        kernel_thread: false,
        ..Process::default()
    });
    let at = |ip: [u8; 4], port| Endpoint::new(IpAddr::V4(Ipv4Addr::from(ip)), port);
    Connection {
        id: 1,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: at([10, 0, 0, 1], 40_000),
            remote: at([8, 8, 8, 8], 443),
            opened: START,
            closed: Some(START),
            end: Some(End::Fin),
            inexact: Some(name.to_owned().into()),
            kernel: Some(KernelTotals { tx_bytes: 123_456, rx_bytes: 7, ..KernelTotals::default() }),
            ..Facts::default()
        },
        cut_off: None,
        owner: Some(process.clone()),
        traffic: vec![Share { process, tx_bytes: 123_456, rx_bytes: 7, tx_calls: 1, rx_calls: 1 }],
        steps: Vec::new(),
        within: None,
        beyond: 0,
        country: Some("US".into()),
        place: None,
        names: vec![Name { name: name.into(), source: NameSource::Sni, process: None, time: START }],
        observed: Some(ObservedService { service: name.into(), alpn: vec![name.into()] }),
        label: Some(name.into()),
        hits: Vec::new(),
        findings: Vec::new(),
    }
}

/// Opens a page, and returns the document as the browser has it after loading.
fn open(page: &Path) -> String {
    let browser = std::env::var_os("BROWSER_BIN")
        .expect("BROWSER_BIN names Chromium: run `cargo xtask test --only browser`");
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--dump-dom",
        ])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A server that counts who calls, and hangs up.
struct Server {
    url: String,
    calls: Arc<AtomicUsize>,
}

impl Server {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let calls = Arc::new(AtomicUsize::new(0));
        let counter = calls.clone();
        std::thread::spawn(move || {
            for _ in listener.incoming() {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        });
        Self { url, calls }
    }

    /// Calls since the last question.
    fn calls(&self) -> usize {
        self.calls.swap(0, Ordering::SeqCst)
    }
}

#[test]
fn a_page_with_hostile_names_makes_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start();
    let url = &server.url;

    // That this server would notice: a page that does ask it.
    let page = folder.path().join("asks.html");
    std::fs::write(&page, format!("<!doctype html><img src='{url}/x.png'>")).unwrap();
    open(&page);
    assert_ne!(server.calls(), 0, "a request of the browser does not reach the test's server");

    let hostile = [
        format!("<img src={url}/a>"),
        format!("\"><script src='{url}/b'></script>"),
        format!("</style><link rel=stylesheet href={url}/c><style>@import '{url}/d';"),
        format!("</title><iframe src=\"{url}/e\"></iframe><svg><image href='{url}/f'/></svg>"),
        format!("' style='background:url({url}/g)' onload='fetch(\"{url}/h\")"),
        format!("<meta http-equiv=refresh content='0;url={url}/i'>\u{202e}\u{1b}[31m\0"),
    ];
    for (number, name) in hostile.iter().enumerate() {
        let mut payload = Payload::new(&[run()], 100);
        payload.add(1, &connection(name));
        let mut builder = Builder::new(vec![run()], Selection::default(), 100);
        builder.add(1, connection(name));
        let page = folder.path().join(format!("{number}.html"));
        let mut bytes = Vec::new();
        let summary = builder.finish();
        html::write(&summary, payload, &PictureOptions::for_summary(&summary), &mut bytes).unwrap();
        std::fs::write(&page, bytes).unwrap();
        let document = open(&page);
        assert_eq!(server.calls(), 0, "{name} made the browser ask");
        assert!(document.contains("123\u{202f}456"), "the page does not show the bytes sent");
        assert_eq!(document.matches("<script").count(), 4, "{name} became a script");
        for element in ["<img", "<iframe", "<link", "<image", "http-equiv=\"refresh\""] {
            assert!(!document.contains(element), "{name} became {element}");
        }
    }
}
