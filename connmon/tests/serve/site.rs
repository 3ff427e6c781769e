//! A server over a live state that the test feeds, and one request at a time.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use connmon_fixtures::rows::{self, START};
use connmon_live::Update;
use connmon_live::attach::AttachError;
use connmon_live::update::{FORMAT, Snapshot};
use connmon_live::web::{ServeError, Server, Settings, Token};
use connmon_record::rows::{ConnectionRow, ProcessRow, TrafficRow};
use connmon_record::{Direction, Endpoint, Facts, Process, ProcessId, Proto, Run, Timestamp};

/// Longer than any answer takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub type Tell = SyncSender<Result<Update, AttachError>>;

/// A server, and what its owner knows.
pub struct Site {
    pub address: SocketAddr,
    pub token: String,
    pub tell: Tell,
}

/// What came back.
pub struct Answer {
    pub status: u16,
    /// In lower case.
    pub head: String,
    pub body: String,
}

impl Site {
    pub fn new() -> Self {
        Self::with(settings()).unwrap()
    }

    pub fn with(settings: Settings) -> Result<Self, ServeError> {
        let server = Server::bind(settings)?;
        let (tell, updates) = sync_channel(64);
        let token = server.url().split_once("token=").unwrap().1.to_owned();
        let address = server.address();
        tell.send(Ok(snapshot())).unwrap();
        std::thread::spawn(move || server.run(updates, || None, std::future::pending()));
        Ok(Self { address, token, tell })
    }

    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends these bytes, and reads until the server closes.
    pub fn raw(&self, request: &str) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    /// A request of this line with these headers, besides those that every one has.
    pub fn ask(&self, line: &str, headers: &str) -> Answer {
        let host = self.address;
        self.raw(&format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{headers}\r\n"))
    }

    /// The header that lets a browser in.
    pub fn cookie(&self) -> String {
        let answer = self.ask(&format!("GET /?token={}", self.token), "");
        assert_eq!(answer.status, 303, "{}", answer.head);
        let cookie = answer.header("set-cookie").unwrap();
        format!("Cookie: {}\r\n", cookie.split(';').next().unwrap())
    }
}

impl Answer {
    pub fn read(stream: &mut impl Read) -> Self {
        let mut bytes = Vec::new();
        // What is closed with requests still to be read ends in a reset, after the answer.
        let _ = stream.read_to_end(&mut bytes);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

pub fn settings() -> Settings {
    let listen = "127.0.0.1:0".parse().unwrap();
    Settings { listen, hosts: vec![], token: Token::random().unwrap(), tls: None, home: None }
}

pub fn snapshot() -> Update {
    let run = Run { host: "<script>alert(1)</script>".into(), ..rows::run() };
    Update {
        run: Some(Box::new(run)),
        snapshot: Some(Snapshot { first: true, last: true, missed: 0, forgotten: 0 }),
        ..connection(1)
    }
}

/// A connection of a program.
pub fn connection(row: i64) -> Update {
    let process = Process {
        id: ProcessId { pid: 100, start_ns: 1 },
        started: Timestamp(START),
        comm: "curl".into(),
        exe: "/usr/bin/curl".into(),
        ..Process::default()
    };
    let row_of = ConnectionRow {
        row,
        facts: Facts {
            proto: Proto::TCP,
            direction: Direction::Out,
            local: Endpoint::new("10.0.0.1".parse().unwrap(), 40_000),
            remote: Endpoint::new("8.8.8.8".parse().unwrap(), 443),
            opened: Timestamp(START + row),
            ..Facts::default()
        },
        established: None,
        owner: Some(1),
        country: Some("US".into()),
        place: None,
    };
    let traffic = TrafficRow {
        connection: row,
        process: 1,
        bucket: 0,
        tx_bytes: 7,
        rx_bytes: 8,
        tx_calls: 1,
        rx_calls: 1,
    };
    Update {
        format: FORMAT,
        seq: row as u64,
        time: Timestamp(START + row),
        processes: vec![ProcessRow { row: 1, parent: None, process }],
        connections: vec![row_of],
        traffic: vec![traffic],
        ..Update::default()
    }
}

/// A stream of events, line by line.
pub struct Events(pub BufReader<TcpStream>);

impl Events {
    /// The next line that begins with this.
    pub fn until(&mut self, beginning: &str) -> String {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ends before {beginning}");
            if line.starts_with(beginning) {
                return line.trim_end().to_owned();
            }
        }
        panic!("no {beginning}");
    }
}

impl Site {
    /// The status of the page, if there is an answer.
    pub fn try_ask(&self, cookie: &str) -> Option<u16> {
        let mut stream = self.connect();
        let host = self.address;
        write!(stream, "GET /report.html HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{cookie}\r\n")
            .ok()?;
        Some(Answer::read(&mut stream).status)
    }
}
