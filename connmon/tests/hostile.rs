//! Hostile text in every field that a host, its programs, or the network can write, through every sink.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may end")]

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::Command;

use connmon_ebpf::{Addr, CGROUP_PATH_LEN, COMM_LEN, CgroupRecord, Share, SockEntry, TaskRecord, flag, kind};
use connmon_record::frame::{DnsMessage, FlowId, Hello, Message, Observation};
use connmon_record::frame::{Frame, ProcessFacts, ProgramFacts, Start};
use connmon_record::{LookupAnswer, Untrusted, display_safe};

const SECOND: u64 = 1_000_000_000;

/// What a name can be, and how one recognises that it came out: the table that every sink is held to, and a long one.
fn names() -> Vec<(String, String)> {
    const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/hostile.json"));
    let table: Vec<serde_json::Value> = serde_json::from_str(TABLE).unwrap();
    let text = |case: &serde_json::Value, key: &str| case[key].as_str().unwrap().to_owned();
    let long = (format!("{}x-long", "A".repeat(900)), "AAAA".to_owned());
    table.iter().map(|case| (text(case, "text"), text(case, "mark"))).chain([long]).collect()
}

/// Every command that prints a store, and whether its lines are cells of a spreadsheet.
const SINKS: &[(&[&str], bool)] = &[
    (&["audit"], false),
    (&["audit", "--by", "exe"], false),
    (&["audit", "--by", "user"], false),
    (&["audit", "--by", "unit"], false),
    (&["audit", "--by", "container"], false),
    (&["audit", "--by", "host"], false),
    (&["audit", "--format", "csv"], true),
    (&["audit", "--by", "host", "--format", "csv"], true),
    (&["audit", "--format", "json"], false),
    (&["export", "--format", "jsonl"], false),
    (&["export", "--format", "csv"], true),
    (&["export", "--format", "ecs"], false),
    (&["export", "--format", "ocsf"], false),
    (&["export", "--format", "zeek"], false),
    (&["export", "--format", "zeek-json"], false),
    (&["export", "--format", "timesketch"], false),
    (&["report", "--format", "html", "--out", "-"], false),
    (&["report", "--format", "txt", "--out", "-"], false),
    (&["report", "--format", "json", "--out", "-"], false),
    (&["report", "--format", "csv", "--out", "-"], true),
    (&["report", "--format", "svg-map", "--out", "-"], false),
    (&["report", "--format", "svg-timeline", "--out", "-"], false),
    (&["report", "--format", "svg-bars", "--out", "-"], false),
    (&["report", "--compare", "h.db", "h.db", "--out", "-"], false),
    (&["report", "--compare", "h.db", "2001-01-01..", "--format", "txt", "--out", "-"], false),
    (&["dns"], false),
    (&["dns", "--format", "jsonl"], false),
    (&["findings"], false),
    (&["findings", "--format", "json"], false),
    (&["doctor"], false),
    (&["doctor", "--format", "json"], false),
];

/// A capture in which each name is that of a process with a connection, wherever it can be; the host has them all.
fn capture(path: &Path, names: &[(String, String)]) {
    let mut frames = Vec::new();
    let mut put = |frame: Frame| frames.push(frame);
    let all: String = names.iter().map(|(name, _)| name.as_str()).collect();
    let text = || Untrusted::from(all.clone());
    put(Frame::Start(Box::new(Start {
        host: text(),
        boot_id: text(),
        kernel: text(),
        tool_version: text(),
        object_sha256: text(),
        backend: text(),
        backend_notes: vec![text()],
        wire: true,
        names: true,
        idle_ns: 0,
        clock_offset_ns: 1_750_000_000 * SECOND as i64,
        follows_clock: true,
        started_ns: SECOND,
        users: (1000..).zip(names).map(|(uid, (name, _))| (uid, Untrusted::from(name.clone()))).collect(),
    })));
    for (n, (name, _)) in (0..).zip(names) {
        named(n, name, &mut put);
    }
    put(Frame::SweepEnd(22 * SECOND));
    put(Frame::End(23 * SECOND));
    connmon_fixtures::rows::capture(path, &frames);
}

/// What names one process, its connection and its questions to DNS.
fn named(n: u32, name: &str, put: &mut impl FnMut(Frame)) {
    let text = || name.to_owned();
    let said = || Untrusted::from(text());
    let ip = IpAddr::from([8, 8, 8, 1 + n as u8]);
    let mut cgroup =
        CgroupRecord { kind: kind::CGROUP, path_len: 0, id: 5 + u64::from(n), path: [0; CGROUP_PATH_LEN] };
    let id = "c0ffee00".repeat(8);
    let path = format!("/{name}.slice/docker-{id}.scope");
    cgroup.path[..path.len()].copy_from_slice(path.as_bytes());
    cgroup.path_len = path.len() as u32;
    put(Frame::Cgroup(Box::new(cgroup)));
    let mut comm = [0; COMM_LEN];
    let used = name.len().min(COMM_LEN - 1);
    comm[..used].copy_from_slice(&name.as_bytes()[..used]);
    // What no text is: a name can be any bytes but NUL.
    comm[COMM_LEN - 3..COMM_LEN - 1].copy_from_slice(b"\xff\xc3");
    let (tgid, start_ns) = (7 + n, 7 * SECOND + u64::from(n));
    let task = TaskRecord {
        kind: kind::EXISTS,
        tgid,
        start_ns,
        uid: 1000 + n,
        euid: 1000 + n,
        cgroup: 5 + u64::from(n),
        comm,
        ..TaskRecord::default()
    };
    put(Frame::Task(task));
    put(Frame::Process(ProcessFacts {
        tgid,
        start_ns,
        exe: said(),
        args: vec![text(), text()],
        command_line: None,
        cwd: said(),
        file: None,
    }));
    let remote = Addr { ip: [u32::from_ne_bytes([8, 8, 8, 1 + n as u8]), 0, 0, 0], port: 443, family: 2 };
    let flow = FlowId {
        proto: 6,
        local: None,
        local_port: 4000 + n as u16,
        remote: SocketAddr::new(ip, 443),
        netns: 0,
    };
    let server = FlowId {
        proto: 17,
        local: None,
        local_port: 900 + n as u16,
        remote: "8.8.4.4:53".parse().unwrap(),
        netns: 0,
    };
    let mut say = |time_ns, flow, outbound, message| {
        put(Frame::Observation(Box::new(Observation {
            time_ns,
            connection: 0,
            flow,
            outbound,
            process: Some((tgid, start_ns)),
            message,
        })));
    };
    let answers = vec![
        LookupAnswer { name: said(), kind: "CNAME".into(), ttl: 1, data: said() },
        LookupAnswer { name: said(), kind: "A".into(), ttl: 900, data: ip.to_string().into() },
    ];
    let dns = |response, answers| {
        Message::Dns(DnsMessage { id: 1, response, name: said(), kind: said(), code: said(), answers })
    };
    say(8 * SECOND, server, true, dns(false, Vec::new()));
    say(9 * SECOND, server, false, dns(true, answers));
    let hello = Hello { server_name: Some(said()), alpn: vec![said()], ..Hello::default() };
    say(11 * SECOND, flow, true, Message::Tls(hello));
    say(11 * SECOND, flow, true, Message::Http(Some(format!("http-{name}").into())));
    put(Frame::Hosts(SECOND, vec![(ip, vec![format!("hosts-{name}").into()])]));
    let entry = SockEntry {
        kind: kind::SOCK,
        flags: flag::OUTBOUND | flag::RELEASED,
        id: 1 + u64::from(n),
        opened_ns: 10 * SECOND,
        closed_ns: 20 * SECOND,
        proto: 6,
        local: Addr { ip: [u32::from_ne_bytes([192, 0, 2, 1]), 0, 0, 0], port: 4000 + n as u16, family: 2 },
        remote,
        comm,
        shares: [Share { tgid, start_ns, uid: 1000 + n, tx_bytes: 1, ..Share::default() }, Share::default()],
        ..SockEntry::default()
    };
    put(Frame::Closed(Box::new(entry)));
    put(Frame::Program(ProgramFacts {
        tgid,
        start_ns,
        since_ns: start_ns,
        deleted: false,
        sha256: Err(text()),
        container_name: Some(said()),
        container_image: Some(said()),
    }));
    put(Frame::Reverse(21 * SECOND, vec![(ip, vec![format!("rdns-{name}").into()])]));
}

fn connmon(args: &[&str], folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_connmon"));
    let output = command.args(args).current_dir(folder).env("CONNMON_GEO_DIR", folder).output().unwrap();
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    for text in [&output.stdout, &output.stderr] {
        harmless(args, std::str::from_utf8(text).unwrap());
    }
    String::from_utf8(output.stdout).unwrap()
}

/// Nothing that a terminal, a page or a text tool would obey.
fn harmless(args: &[&str], text: &str) {
    for line in text.split('\n') {
        let line = line.replace('\t', " ");
        assert_eq!(display_safe(&line), line, "{args:?}");
    }
    // In plain text, markup is text.
    if args[0] == "report" && !args.iter().any(|arg| ["txt", "csv"].contains(arg)) {
        for markup in ["<script>alert", "<img src=x", "</script><script>"] {
            assert!(!text.contains(markup), "{args:?}: {markup}");
        }
    }
    assert!(!text.contains("\nInjected"), "{args:?}: a line was injected");
}

#[test]
fn hostile_names_do_nothing_in_any_sink() {
    let names = names();
    let outside = tempfile::tempdir().unwrap();
    let folder = outside.path().join("a").join("b");
    fs::create_dir_all(&folder).unwrap();
    capture(&folder.join("h.cap"), &names);
    connmon(&["replay", "h.cap", "--db", "h.db"], &folder);
    let mut seen = vec![0; names.len()];
    for (args, is_csv) in SINKS {
        let text = connmon(&[*args, &["--db", "h.db"]].concat(), &folder);
        for (seen, (_, mark)) in seen.iter_mut().zip(&names) {
            *seen += usize::from(text.contains(mark.as_str()));
        }
        if *is_csv {
            cells_are_text(args, &text);
        }
        for line in text.lines().filter(|_| args.last().is_some_and(|last| last.contains("jsonl"))) {
            serde_json::from_str::<serde_json::Value>(line).unwrap();
        }
    }
    // Many sinks show every name, some only the largest; that all are empty of one would mean that it was not tested.
    for (seen, (name, _)) in seen.iter().zip(&names) {
        assert!(*seen >= SINKS.len() / 3, "{name:?} came out in {seen} sinks");
    }
    let mut shown = String::new();
    for n in 1..=names.len() as i64 {
        let id = (1_i64 << 40 | n).to_string();
        shown += &connmon(&["show", &id, "--db", "h.db"], &folder);
        connmon(&["show", &id, "--db", "h.db", "--format", "json"], &folder);
    }
    for (name, mark) in &names {
        assert!(shown.contains(mark.as_str()), "{name:?}");
    }
    connmon(&["export", "--format", "parquet", "--out", "h.parquet", "--db", "h.db"], &folder);
    connmon(&["report", "--db", "h.db", "--out", "h.html"], &folder);
    let files = |folder: &Path| fs::read_dir(folder).unwrap().count();
    assert_eq!(
        (files(outside.path()), files(&outside.path().join("a"))),
        (1, 1),
        "a file was made elsewhere"
    );
}

/// A store that somebody else made: what a recorder would never have written there.
#[test]
fn a_strangers_store_does_nothing_in_any_sink() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // No names of processes are needed here, and one is enough of each text.
    let all: String = names().into_iter().map(|(name, _)| name).collect();
    let plain: Vec<(String, String)> = vec![("plain".into(), "plain".into())];
    capture(&folder.join("h.cap"), &plain);
    connmon(&["replay", "h.cap", "--db", "h.db"], folder);
    let place = serde_json::json!({"label": all, "latitude": 1.0, "longitude": 1.0, "source": all});
    let database = serde_json::json!([{"name": all, "kind": all, "date": all, "source": all, "licence": all, "attribution": all}]);
    let db = rusqlite::Connection::open(folder.join("h.db")).unwrap();
    let put = |sql: &str| assert!(db.execute(sql, [&all]).unwrap() > 0, "{sql}");
    put("UPDATE connection SET label = ?1, inexact = ?1");
    put("UPDATE endpoint SET country = ?1, region = ?1, city = ?1, asn = 1, org = ?1, geo_source = ?1");
    put("INSERT INTO rule VALUES (1, 1, ?1, NULL, ?1, 1)");
    put("INSERT INTO left_out VALUES (1, ?1, 1, 1, 1)");
    put(
        "INSERT INTO gap (run_id, started, ended, reason) VALUES (1, 1750000011000000000, 1750000012000000000, ?1)",
    );
    put("INSERT INTO indicator_list (name, sha256, date, indicators) VALUES (?1, ?1, 0, 1)");
    put("INSERT INTO hit SELECT c.id, l.id, 'address', ?1, 0 FROM connection c, indicator_list l");
    db.execute("UPDATE run SET geo_databases = ?1, location = ?2", [database.to_string(), place.to_string()])
        .unwrap();
    drop(db);
    for (args, is_csv) in SINKS {
        let text = connmon(&[*args, &["--db", "h.db"]].concat(), folder);
        if *is_csv {
            cells_are_text(args, &text);
        }
    }
    let shown = connmon(&["show", &(1_i64 << 40 | 1).to_string(), "--db", "h.db"], folder);
    for (name, mark) in names() {
        assert!(shown.contains(&mark), "{name:?}: {shown}");
    }
}

/// No cell begins with what a spreadsheet takes for a formula.
fn cells_are_text(args: &[&str], text: &str) {
    let mut cell = String::new();
    let mut is_quoted = false;
    for c in text.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            ',' | '\n' if !is_quoted => {
                let first = cell.chars().next();
                let is_number = cell.parse::<f64>().is_ok();
                assert!(
                    is_number || !matches!(first, Some('=' | '+' | '-' | '@' | '\t' | '\r')),
                    "{args:?}: {cell}"
                );
                cell.clear();
            }
            c => cell.push(c),
        }
    }
}
