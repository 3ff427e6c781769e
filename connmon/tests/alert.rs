//! `connmon alert` over a made store: each finding is told once, and what cannot be delivered waits.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

mod made;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::thread;

use connmon::follow::Follow;
use connmon_detect::{Owner, Policy};
use connmon_record::Timestamp;
use connmon_record::frame::{Frame, Start};
use connmon_store::Writer;
use made::{SECOND, connection, process};
use serde_json::Value;

/// 2026-11-28T00:00:00Z, when the host began.
const BOOT: i64 = 1_795_824_000 * SECOND as i64;

struct Made {
    folder: tempfile::TempDir,
}

impl Made {
    /// A store with what a recorder has found: a beacon of an executable in shared memory, and more connections than a rule allows.
    fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        let start = Start { clock_offset_ns: BOOT, ..connmon_fixtures::rows::start(10) };
        let mut frames = vec![Frame::Start(Box::new(start))];
        process(7, "/dev/shm/agent\u{1b}[2J", &mut frames);
        for n in 0..30 {
            connection(1 + n, 7, 20 + 60 * n, (9, 443), "c2.example", &mut frames);
        }
        frames.push(Frame::SweepEnd(2_000 * SECOND));
        frames.push(Frame::End(2_001 * SECOND));
        made.replay(&frames);
        made.find();
        made
    }

    /// Adds a recording to the store.
    fn replay(&self, frames: &[Frame]) {
        let capture = self.path(&format!("{}.cap", frames.len()));
        connmon_fixtures::rows::capture(&capture, frames);
        let done = connmon(&["replay", capture.to_str().unwrap(), "--db", self.db().to_str().unwrap()]);
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Adds a recording with one short connection, and one that is not over.
    fn go_on(&self) {
        let start = Start { clock_offset_ns: BOOT, ..connmon_fixtures::rows::start(3_000) };
        let mut frames = vec![Frame::Start(Box::new(start))];
        process(7, "/dev/shm/agent\u{1b}[2J", &mut frames);
        connection(1, 7, 3_020, (9, 443), "c2.example", &mut frames);
        frames.push(made::entry(2, 7, 3_030, None, 5_000));
        frames.push(Frame::SweepEnd(3_100 * SECOND));
        frames.push(Frame::End(3_101 * SECOND));
        self.replay(&frames);
    }

    /// Writes findings as the recorder does.
    fn find(&self) {
        let mut writer = Writer::open(&self.db()).unwrap();
        let store = writer.reader().unwrap();
        let policy = Policy::parse("count>20/1h host:c2.example", Timestamp(0)).unwrap();
        let mut follow = Follow::open(&store, Box::new(|_| Owner::Unknown), vec![policy]).unwrap().unwrap();
        while follow.step(&store, usize::MAX).unwrap() {}
        follow.write(&mut writer, true).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn db(&self) -> PathBuf {
        self.path("a.db")
    }

    fn alert(&self, args: &[&str], config: &str) -> Output {
        let path = self.path("c.toml");
        std::fs::write(&path, config).unwrap();
        let files =
            ["--config", path.to_str().unwrap(), "--db", self.db().to_str().unwrap()].map(str::to_owned);
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        connmon(&[&["alert"], args, &files].concat())
    }
}

fn connmon(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_connmon")).args(args).env_remove("CONNMON_CONFIG").output().unwrap()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn each_finding_is_told_once_to_those_whom_it_concerns() {
    let made = Made::new();
    let config = "[[alert]]\nname = 'now'\nseverity = 'high'\nto = ['file:now.jsonl']\n\
        [[alert]]\nname = 'rule'\npolicy = 'count>20/1h host:c2.example'\nto = ['file:rule.jsonl', 'stdout']\n\
        [[alert]]\nname = 'tunnels'\nfinding = ['dns-tunnel']\nseverity = 'info'\nto = ['file:none.jsonl']\n";
    let run = |args: &[&str]| {
        let output = made.alert(&[&["run", "--once"], args].concat(), config);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let said = run(&["--all"]);
    let now = lines(&made.path("now.jsonl"));
    let detectors: Vec<&str> = now.iter().map(|one| one["finding"]["detector"].as_str().unwrap()).collect();
    assert_eq!(detectors, ["D1", "D4"], "{now:?}");
    assert_eq!(now[0]["alert"], "now");
    assert_eq!(now[0]["host"], "host");
    assert!(
        now[0]["text"]
            .as_str()
            .unwrap()
            .starts_with("HIGH Connections at regular times: /dev/shm/agent\\u{1b}[2J")
    );
    let rule = lines(&made.path("rule.jsonl"));
    assert_eq!((rule.len(), &rule[0]["finding"]["detector"]), (1, &"D14".into()));
    assert_eq!(said.lines().count(), 1);
    assert!(!said.contains('\u{1b}') && !made.path("none.jsonl").exists());
    // Nothing has changed since.
    assert_eq!(run(&[]), "");
    made.find();
    assert_eq!(run(&[]), "");
    assert_eq!(lines(&made.path("now.jsonl")).len(), 2);
}

#[test]
fn each_connection_that_a_query_selects_is_told_once() {
    let made = Made::new();
    let config = "[[alert]]\nname = 'c2'\nmatch = 'host:c2.example tx>100'\nto = ['file:c2.jsonl']\n\
        [[alert]]\nname = 'large'\nmatch = 'bytes>1k dir:out'\nto = ['file:large.jsonl', 'stdout']\n\
        [[alert]]\nname = 'none'\nmatch = 'dir:in'\nto = ['file:none.jsonl']\n";
    let run = |args: &[&str]| {
        let output = made.alert(&[&["run", "--once"], args].concat(), config);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    // What was there before is not told, nor is anything twice.
    assert_eq!([run(&[]), run(&[])], ["", ""]);
    made.go_on();
    let said = run(&[]);
    let [c2, large] = ["c2.jsonl", "large.jsonl"].map(|name| lines(&made.path(name)));
    assert_eq!((c2.len(), large.len(), said.lines().count()), (1, 1, 1), "{c2:?} {large:?}");
    assert_eq!(
        (&c2[0]["alert"], &c2[0]["connection"]["names"][0]["name"]),
        (&"c2".into(), &"c2.example".into())
    );
    assert_eq!(large[0]["connection"]["tx_bytes"], 5_000);
    let text = large[0]["text"].as_str().unwrap();
    assert!(
        text.starts_with("/dev/shm/agent\\u{1b}[2J (7): tcp 10.0.0.1:4001 → 203.0.114.9:443, sent 4.88"),
        "{text}"
    );
    assert!(c2[0].get("finding").is_none() && !made.path("none.jsonl").exists());
    assert_eq!(run(&[]), "");
    assert_eq!(lines(&made.path("c2.jsonl")).len(), 1);
}

#[test]
fn a_query_that_selects_many_connections_is_limited() {
    let made = Made::new();
    let config =
        "[[alert]]\nname = 'c2'\nmatch = 'host:c2.example'\nat-most = '5/1h'\nto = ['file:c2.jsonl']\n";
    assert!(made.alert(&["run", "--once", "--all"], config).status.success());
    assert_eq!(lines(&made.path("c2.jsonl")).len(), 5);
    let said = String::from_utf8(made.alert(&["status"], config).stdout).unwrap();
    assert!(
        said.starts_with("5 messages delivered, 0 waiting") && said.contains("25 messages held back"),
        "{said}"
    );
}

#[test]
fn what_was_found_before_is_only_told_if_that_is_wanted() {
    let made = Made::new();
    let config = "[[alert]]\nname = 'all'\nseverity = 'info'\nto = ['file:all.jsonl']\n";
    assert!(made.alert(&["run", "--once"], config).status.success());
    assert!(!made.path("all.jsonl").exists());
}

#[test]
fn what_cannot_be_delivered_waits_and_is_shown() {
    let made = Made::new();
    let config = |command: &str| {
        format!(
            "[[alert]]\nname = 'now'\nseverity = 'high'\nat-most = '1/1h'\ncommand = ['{command}', 'x']\n"
        )
    };
    let output = made.alert(&["run", "--once", "--all"], &config("/bin/false"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cannot be delivered to command:/bin/false x") && said.contains("they wait"),
        "{said}"
    );
    let status = |config: &str| String::from_utf8(made.alert(&["status"], config).stdout).unwrap();
    let said = status(&config("/bin/false"));
    assert!(said.starts_with("0 messages delivered, 1 waiting, 0 given up"), "{said}");
    assert!(
        said.contains("1 message held back") && said.contains("the program ended with exit status: 1"),
        "{said}"
    );
    assert!(said.contains("(1 try, next at ") && !said.contains('\u{1b}'), "{said}");
    // What it was to go to is no longer there.
    let done = made.alert(&["run", "--once"], &config("/bin/true"));
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(status(&config("/bin/true")).starts_with("0 messages delivered, 0 waiting, 1 given up"));
}

#[test]
fn every_target_can_be_tried() {
    let made = Made::new();
    let config = "[[alert]]\nname = 'a'\nto = ['file:a.jsonl', 'stdout']\ncommand = '/bin/false'\n";
    let output = made.alert(&["test"], config);
    let (said, told) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(said.contains("This is a test: nothing was found"), "{said}");
    assert_eq!(lines(&made.path("a.jsonl")).len(), 1);
    assert_eq!(told.matches(": delivered").count(), 2, "{told}");
    assert!(
        told.contains("a to command:/bin/false: failed: the program ended with exit status: 1"),
        "{told}"
    );
}

#[test]
fn a_wrong_alert_is_told_where_it_stands() {
    let made = Made::new();
    for (config, told) in [
        ("", "there is no [[alert]]"),
        ("[[alert]]\nname = 'a'\n", "line 2, column 8: an alert needs `to`"),
        ("[[alert]]\nname = 'a'\nto = ['mail']\n", "line 3, column 7: it is one of \"journal\""),
        ("[[alert]]\nname = 'a'\nfinding = ['beacn']\nto = ['journal']", "did you mean `beacon`?"),
        ("[[alert]]\nname = 'a'\nseverity = 'red'\nto = ['journal']", "one of info, low, medium, high"),
        ("[[alert]]\nname = 'a'\nat-most = 'few'\nto = ['journal']", "as in \"20/1h\""),
        ("[[alert]]\nname = 'a'\npolicy = 'count>x/1h'\nto = ['journal']", "is no limit"),
        ("[[alert]]\nname = 'a'\nfilter = 'x'\nto = ['journal']", "an alert has no `filter`"),
        ("[[alert]]\nname = 'a'\nmatch = 'prot:tcp'\nto = ['journal']", "did you mean `proto:`?"),
        ("[[alert]]\nname = 'a'\nmatch = 'finding:beacon'\nto = ['journal']", "only known of a store"),
        (
            "[[alert]]\nname = 'a'\nmatch = 'tcp'\nseverity = 'low'\nto = ['journal']",
            "write an alert for each",
        ),
        (
            "[[alert]]\nname = 'a'\npolicy = 'count>1/1h'\nfinding = ['d1']\nto = ['journal']",
            "write an alert for each",
        ),
        (
            "[[alert]]\nname = 'a'\nto = ['journal']\n[[alert]]\nname = 'a'\nto = ['journal']",
            "another alert is called",
        ),
    ] {
        let output = made.alert(&["run", "--once"], config);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && said.contains(told), "{config}: {said}");
    }
}

/// A server that answers one request with this line and these headers, and returns the request.
fn answers(line: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/hook/s3cret", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut header = String::new();
            reader.read_line(&mut header).unwrap();
            if let Some(value) = header.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if header.trim().is_empty() {
                break;
            }
            request.push_str(&header);
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        request.push_str(&String::from_utf8(body).unwrap());
        write!(stream, "HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
        request
    });
    (address, server)
}

#[test]
fn a_webhook_gets_json_and_is_not_followed_elsewhere() {
    let made = Made::new();
    let config =
        |address: &str| format!("[[alert]]\nname = 'now'\nfinding = ['beacon']\nto = ['{address}']\n");
    let (address, server) = answers("204 No Content");
    assert!(made.alert(&["run", "--once", "--all"], &config(&address)).status.success());
    let request = server.join().unwrap();
    let (head, json) = request.split_once('{').unwrap();
    assert!(head.starts_with("POST /hook/s3cret HTTP/1.1"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json"), "{head}");
    let alert: Value = serde_json::from_str(&format!("{{{json}")).unwrap();
    assert_eq!((&alert["alert"], &alert["finding"]["detector"]), (&"now".into(), &"D1".into()));

    for line in ["500 Internal Server Error", "302 Found\r\nlocation: http://127.0.0.1:1/"] {
        let (address, server) = answers(line);
        let output = made.alert(&["test"], &config(&address));
        server.join().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_ne!(output.status.code(), Some(0), "{said}");
        assert!(said.contains(&line[..3]) && !said.contains("s3cret"), "{said}");
    }
}
