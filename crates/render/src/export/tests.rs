//! Every format, with the same connections.

use std::net::IpAddr;
use std::sync::Arc;

use super::connections::Jsonl;
use super::csv::Csv;
use super::ecs::Ecs;
use super::ocsf::Ocsf;
use super::parquet::Parquet;
use super::timesketch::Timesketch;
use super::{Closing, Sink, zeek};
use connmon_analysis::{Completeness, GeoNotes, Selection};
use connmon_fixtures::{SECOND, START, connection, process, run};
use connmon_record::{
    Connection, Container, Direction, End, Endpoint, ExeHash, Facts, FindingName, Hit, IndicatorKind,
    IndicatorList, Location, Name, NameSource, ObservedService, Process, Proto, Run, Timestamp, Wire,
    Workload, community_id,
};

/// What a format makes of connections.
fn export<'a>(
    make: impl FnOnce(&'a mut Vec<u8>, &[Run]) -> Box<dyn Sink + 'a>,
    out: &'a mut Vec<u8>,
    connections: &[Connection],
) {
    let runs = [run(1, 0)];
    let selection = Selection::default();
    let completeness = Completeness::from_runs(&runs, &selection);
    let geo = GeoNotes::from_runs(&runs);
    let mut sink = make(out, &runs);
    for connection in connections {
        sink.connection(Some(&runs[0]), connection).unwrap();
    }
    let connections = connections.len() as u64;
    sink.finish(&Closing { completeness: &completeness, geo: &geo, runs: &runs, connections, moved: [0, 0] })
        .unwrap();
}

/// Every format by its name. Parquet stands apart: it is no text.
fn texts(connections: &[Connection]) -> Vec<(&'static str, String)> {
    macro_rules! text {
        ($make:expr) => {{
            let mut out = Vec::new();
            export($make, &mut out, connections);
            String::from_utf8(out).unwrap()
        }};
    }
    vec![
        ("jsonl", text!(|out, _| Box::new(Jsonl(out)))),
        ("csv", text!(|out, _| Box::new(Csv::new(out).unwrap()))),
        ("ecs", text!(|out, _| Box::new(Ecs(out)))),
        ("ocsf", text!(|out, _| Box::new(Ocsf(out)))),
        ("zeek", text!(|out, runs| Box::new(zeek::Tsv::new(out, runs).unwrap()))),
        ("zeek-json", text!(|out, _| Box::new(zeek::Json(out)))),
        ("timesketch", text!(|out, _| Box::new(Timesketch(out)))),
    ]
}

fn text_of(format: &str, connection: Connection) -> String {
    let found = texts(&[connection]).into_iter().find(|(name, _)| *name == format);
    found.unwrap().1
}

fn parquet(connections: &[Connection]) -> Vec<u8> {
    let mut out = Vec::new();
    export(|out, _| Box::new(Parquet::new(out).unwrap()), &mut out, connections);
    out
}

fn name(name: &str, source: NameSource) -> Name {
    Name { name: name.into(), source, process: None, time: Timestamp(START) }
}

/// A connection all of whose strings are `text`.
fn all_named(text: &str) -> Connection {
    let parent = process(1, 1, text);
    let container = Container {
        runtime: text.into(),
        id: text.into(),
        name: Some(text.into()),
        image: Some(text.into()),
    };
    let owner = Arc::new(Process {
        comm: text.into(),
        exe: text.into(),
        cmdline: text.into(),
        user: Some(text.into()),
        cwd: text.into(),
        cgroup: text.into(),
        exe_hash: ExeHash::Sha256(text.into()),
        place: Workload {
            unit: Some(text.into()),
            slice: Some(text.into()),
            container: Some(container),
            pod: Some(text.into()),
        },
        parent: Some(parent),
        ..(*process(7, 7, "x")).clone()
    });
    let list = IndicatorList { name: text.into(), sha256: text.into(), date: None, indicators: 1 };
    let hit = Hit {
        indicator: text.into(),
        kind: IndicatorKind::Url,
        list: Arc::new(list),
        time: Timestamp(START),
    };
    let finding = FindingName { id: text.into(), detector: text.into(), name: "beacon", severity: "high" };
    Connection {
        label: Some(text.into()),
        findings: vec![Arc::new(finding)],
        facts: Facts {
            inexact: Some(text.to_owned().into()),
            ..connection(1, 0, &owner, "8.8.8.8:443", 1, 2).facts
        },
        hits: vec![hit],
        names: vec![name(text, NameSource::Sni)],
        observed: Some(ObservedService { service: text.into(), alpn: vec![text.into()] }),
        country: Some(text.into()),
        place: Some(Arc::new(Location {
            region: Some(text.into()),
            city: Some(text.into()),
            org: Some(text.into()),
            source: text.into(),
            ..Location::default()
        })),
        ..connection(1, 0, &owner, "8.8.8.8:443", 1, 2)
    }
}

#[test]
fn hostile_names_come_through_every_format_harmless() {
    let long = "é".repeat(4096);
    let hostile = [
        "../../etc/passwd",
        "a\0b",
        "\x1b]0;x\x07",
        "a\u{202e}b\u{2066}",
        "</script>",
        "=cmd|' /C calc'!A0",
        "\t=1",
        "\r\n#close",
        "-",
        "(empty)",
        "a\tb",
        "\\x09",
        "\u{2028}\u{feff}",
        "\"\\",
        &long,
    ];
    for text in hostile {
        let connection = all_named(text);
        for (format, out) in texts(std::slice::from_ref(&connection)) {
            let bad = |c: char| {
                (c.is_control() && c != '\n' && c != '\t') || "\u{202e}\u{2066}\u{2028}\u{feff}".contains(c)
            };
            assert!(!out.contains(bad), "{format} of {text:?}: {out}");
            let (lines, rows) = match format {
                "zeek" => (out.lines().filter(|line| !line.starts_with('#')).count(), 1),
                "zeek-json" => (out.lines().count(), 1),
                "timesketch" => (out.lines().count(), 3),
                _ => (out.lines().count(), 2),
            };
            assert_eq!(lines, rows, "{format} of {text:?}: {out}");
            if ["jsonl", "ecs", "ocsf", "zeek-json", "timesketch"].contains(&format) {
                for line in out.lines() {
                    serde_json::from_str::<serde_json::Value>(line).unwrap();
                }
            }
            if format == "csv" {
                let formula =
                    |cell: &str| cell.trim_start_matches('"').starts_with(['=', '+', '-', '@', '\t']);
                assert!(!out.lines().nth(1).unwrap().split(',').any(formula), "{out}");
            }
        }
        parquet(&[connection]);
    }
}

#[test]
fn every_format_takes_no_connection_at_all() {
    for (format, out) in texts(&[]) {
        let rows = out.lines().filter(|line| !line.starts_with('#')).count();
        let expected = usize::from(format != "zeek" && format != "zeek-json");
        assert_eq!(rows, expected, "{format}: {out}");
    }
    let file = parquet(&[]);
    assert!(file.starts_with(b"PAR1") && file.ends_with(b"PAR1"));
}

#[test]
fn the_community_id_needs_what_the_wire_shows() {
    let base = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2);
    let with = |change: fn(&mut Connection)| {
        let mut connection = base.clone();
        change(&mut connection);
        community_id(&connection)
    };
    let tcp = community_id(&base);
    assert!(tcp.is_some());
    assert_eq!(with(|c| (c.local, c.remote) = (c.remote, c.local)), tcp);
    // On the wire, MPTCP is TCP.
    assert_eq!(with(|c| c.proto = Proto::MPTCP), tcp);
    let udp = with(|c| c.proto = Proto::UDP);
    assert!(udp.is_some() && udp != tcp);
    assert!(with(|c| c.proto = Proto(0x200 | 253)).is_some(), "a protocol without ports");
    for (what, none) in [
        ("icmp", with(|c| c.proto = Proto(1))),
        ("icmp6", with(|c| c.proto = Proto::ICMP6)),
        ("packet", with(|c| c.proto = Proto::PACKET)),
        ("raw", with(|c| c.proto = Proto(0x200 | 255))),
        ("raw tcp", with(|c| c.proto = Proto(0x200 | 6))),
        ("never bound", with(|c| c.local.port = 0)),
        ("any address", with(|c| c.local = Endpoint { port: 1, ..Endpoint::UNSPECIFIED })),
    ] {
        assert_eq!(none, None, "{what}");
    }
}

/// The fields of the only row of a conn.log.
fn conn_log(connection: Connection) -> serde_json::Value {
    serde_json::from_str(&text_of("zeek-json", connection)).unwrap()
}

#[test]
fn zeek_has_the_side_that_called_first() {
    let mut inbound = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 11, 22);
    inbound.direction = Direction::In;
    inbound.wire = Some(Wire { tx_bytes: 1, rx_bytes: 2, tx_packets: 3, rx_packets: 4 });
    let row = conn_log(inbound);
    for (name, value) in [
        ("id.orig_h", "8.8.8.8".into()),
        ("id.resp_h", "192.168.7.5".into()),
        ("orig_bytes", 22.into()),
        ("resp_bytes", 11.into()),
        ("orig_ip_bytes", 2.into()),
        ("orig_pkts", 4.into()),
        ("resp_pkts", 3.into()),
        ("local_orig", false.into()),
        ("local_resp", true.into()),
        ("ts", serde_json::json!(START as f64 / SECOND as f64)),
    ] {
        assert_eq!(row[name], value, "{name}: {row}");
    }
}

#[test]
fn the_state_of_a_connection_is_told_only_if_it_is_known() {
    use Direction::{In, Out};
    let wire = |tx_packets, rx_packets| Some(Wire { tx_packets, rx_packets, ..Wire::default() });
    for (direction, end, received, wire, state) in [
        (Out, Some(End::Fin), 1, None, Some("SF")),
        (Out, Some(End::Refused), 0, None, Some("REJ")),
        (Out, Some(End::Reset), 1, None, Some("RSTR")),
        (In, Some(End::Reset), 1, None, Some("RSTO")),
        (Out, Some(End::Abort), 1, None, Some("RSTO")),
        (In, Some(End::Abort), 0, None, Some("RSTR")),
        (Out, Some(End::Abort), 0, None, None),
        (Out, Some(End::Timeout), 0, wire(3, 0), Some("S0")),
        (Out, Some(End::Timeout), 0, wire(3, 1), None),
        (Out, Some(End::Timeout), 0, None, None),
        (Out, Some(End::Unreachable), 0, wire(0, 0), None),
        (Out, Some(End::Unseen), 1, None, None),
        (Out, None, 1, None, Some("S1")),
        (Out, None, 0, None, None),
    ] {
        let mut connection = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 0, received);
        (connection.direction, connection.end, connection.wire) = (direction, end, wire);
        connection.closed = connection.closed.filter(|_| end.is_some());
        assert_eq!(conn_log(connection)["conn_state"].as_str(), state, "{direction:?} {end:?} {received}");
    }
}

#[test]
fn a_time_that_was_not_seen_is_not_told() {
    let whole = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2);
    let unseen =
        Connection { facts: Facts { end: Some(End::Unseen), ..whole.facts.clone() }, ..whole.clone() };
    let older = Connection { facts: Facts { preexisting: true, ..whole.facts.clone() }, ..whole.clone() };
    let open =
        Connection { facts: Facts { end: None, closed: None, ..whole.facts.clone() }, ..whole.clone() };
    for (connection, start, end, length) in [
        (whole, true, true, true),
        (unseen, true, false, false),
        (older, false, true, false),
        (open, true, false, false),
    ] {
        let text = text_of("ecs", connection.clone());
        let event: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let found = ["start", "end", "duration"].map(|name| event["event"].get(name).is_some());
        assert_eq!(found, [start, end, length], "{event}");
        assert_eq!(conn_log(connection).get("duration").is_some(), length);
    }
}

#[test]
fn what_was_observed_is_where_each_target_looks_for_it() {
    let mut seen = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2);
    seen.observed = Some(ObservedService { service: "tls".into(), alpn: vec!["h2".into()] });
    seen.names = vec![name("example.org", NameSource::Sni), name("cdn.example.net", NameSource::Dns)];
    assert_eq!(conn_log(seen.clone())["service"], "ssl");
    let event = |connection| -> serde_json::Value {
        let text = text_of("ecs", connection);
        serde_json::from_str(text.lines().next().unwrap()).unwrap()
    };
    let out = event(seen.clone());
    assert_eq!(out["network"]["protocol"], "tls");
    assert_eq!(out["destination"]["domain"], "example.org");
    assert_eq!(out["tls"]["client"]["server_name"], "example.org");
    assert_eq!(out["related"]["hosts"], serde_json::json!(["example.org", "cdn.example.net"]));
    // What a client asked this host for is no name of the client.
    let inbound =
        event(Connection { facts: Facts { direction: Direction::In, ..seen.facts.clone() }, ..seen.clone() });
    assert_eq!(inbound["source"]["domain"], "cdn.example.net");
    assert!(text_of("csv", seen).contains(",https,tls,example.org cdn.example.net,1:"));
}

/// By the names that `finding:` asks for; and what is evidence of nothing has no word of it.
#[test]
fn findings_are_named_where_there_are_any() {
    let none = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2);
    let finding = |id: &str, name, severity| {
        Arc::new(FindingName { id: id.into(), detector: id[..2].into(), name, severity })
    };
    let findings = vec![finding("D1-aa", "beacon", "high"), finding("D5-bb", "upload", "info")];
    let both = Connection { findings, ..none.clone() };
    for (format, expected) in [
        (
            "jsonl",
            r#","findings":[{"id":"D1-aa","detector":"D1","name":"beacon","severity":"high"},{"id":"D5-bb","#,
        ),
        ("csv", ",\"beacon D1-aa; upload D5-bb\"\n"),
        ("ecs", r#""findings":[{"detector":"D1","id":"D1-aa","name":"beacon","severity":"high"}"#),
        ("ocsf", r#""findings":[{"detector":"D1","id":"D1-aa","name":"beacon","severity":"high"}"#),
        ("timesketch", r#""findings":"beacon D1-aa; upload D5-bb""#),
    ] {
        let out = text_of(format, both.clone());
        assert!(out.contains(expected), "{format}: {out}");
        let out = text_of(format, none.clone());
        let lines = if format == "csv" { 1 } else { 0 };
        assert!(!out.lines().skip(lines).any(|line| line.contains("finding")), "{format}: {out}");
    }
}

#[test]
fn names_of_connections_are_their_own() {
    let of = |id| conn_log(connection(id, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2))["uid"].to_string();
    assert_ne!(of(1), of(2));
    assert_eq!(of(1), of(1));
}

#[test]
fn what_this_host_did_not_call_is_local_only_if_zeek_would_say_so() {
    for (ip, local) in
        [("8.8.8.8", false), ("10.1.2.3", true), ("127.0.0.1", true), ("2a00::1", false), ("fd00::1", true)]
    {
        let mut connection = connection(1, 0, &process(7, 7, "x"), "8.8.8.8:443", 1, 2);
        connection.remote = Endpoint::new(ip.parse::<IpAddr>().unwrap(), 1);
        assert_eq!(conn_log(connection)["local_resp"], local, "{ip}");
    }
}

#[test]
fn a_row_group_of_parquet_has_an_end() {
    let one = connection(1, 0, &process(7, 7, &"x".repeat(4096)), "8.8.8.8:443", 1, 2);
    let many = vec![Connection { facts: Facts { opened: Timestamp(START), ..one.facts }, ..one }; 5_000];
    // Three texts of 4 KiB a row: more than one group, and still the same file at the end.
    let groups = |file: &[u8]| {
        use parquet::file::reader::{FileReader, SerializedFileReader};
        let reader = SerializedFileReader::new(bytes_of(file)).unwrap();
        (reader.num_row_groups(), reader.metadata().file_metadata().num_rows())
    };
    assert_eq!(groups(&parquet(&many)), (4, 5_000));
}

fn bytes_of(file: &[u8]) -> std::fs::File {
    use std::io::{Seek, Write};
    let mut temporary = tempfile::tempfile().unwrap();
    temporary.write_all(file).unwrap();
    temporary.rewind().unwrap();
    temporary
}
