//! Hostile text in everything that a recorder tells its viewers.

use std::io::{BufRead, BufReader};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use super::{START, connection, first, process, traffic};
use crate::attach::connect;
use crate::broadcaster::Socket;
use crate::listeners::Listening;
use crate::scroll::Scroll;
use crate::update::Listener;
use crate::{LiveState, Update};
use connmon_filter::Filter;
use connmon_record::rows::{LookupRow, NameRow};
use connmon_record::{Endpoint, Location, LookupAnswer, NameSource, Process, Proto, Timestamp, display_safe};

/// What a text has to be shown as, by the table of them, and a long one.
pub(crate) fn cases() -> Vec<String> {
    const TABLE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hostile.json"));
    let table: Vec<serde_json::Value> = serde_json::from_str(TABLE).unwrap();
    let texts = table.iter().map(|case| case["text"].as_str().unwrap().to_owned());
    texts.chain(["x".repeat(5_000), "\u{202e}é".repeat(1_000)]).collect()
}

/// `update` with `text` wherever a host, its programs or the network put theirs.
pub(crate) fn everywhere(mut update: Update, text: &str) -> Update {
    for row in &mut update.processes {
        row.process = Process {
            comm: text.into(),
            exe: text.into(),
            cmdline: text.into(),
            user: Some(text.into()),
            cwd: text.into(),
            cgroup: text.into(),
            ..row.process.clone()
        };
        row.process.place.unit = Some(text.into());
    }
    for row in &mut update.connections {
        row.country = Some(text.into());
        row.place = Some(Arc::new(Location {
            region: Some(text.into()),
            city: Some(text.into()),
            org: Some(text.into()),
            source: text.into(),
            ..row.place.as_deref().cloned().unwrap_or_else(|| Location {
                region: None,
                city: None,
                coordinates: None,
                asn: Some(64_500),
                org: None,
                source: "".into(),
            })
        }));
        update.names.push(NameRow {
            connection: row.row,
            name: text.into(),
            source: NameSource::Sni,
            process: row.owner,
            time: Timestamp(START),
        });
        update.labels.push((row.row, Some(text.into())));
    }
    if let Some(run) = &mut update.run {
        (run.host, run.kernel, run.backend) = (text.into(), text.into(), text.into());
        run.backend_notes = vec![text.into()];
        run.location.iter_mut().for_each(|location| location.label = text.into());
    }
    update.lookups.push(LookupRow {
        time: Timestamp(START),
        answered: Some(Timestamp(START + 1)),
        process: update.processes.first().map(|row| row.row),
        proto: Proto::UDP,
        server: Endpoint::new("9.9.9.9".parse().unwrap(), 53),
        name: text.into(),
        kind: text.into(),
        code: Some(text.into()),
        answers: vec![LookupAnswer { name: text.into(), kind: text.into(), ttl: 1, data: text.into() }],
    });
    update.listeners = Some(vec![Listener {
        proto: Proto::TCP,
        local: Endpoint::new("0.0.0.0".parse().unwrap(), 22),
        pid: 7,
        comm: text.into(),
    }]);
    update
}

/// Nothing that a terminal obeys, and no line too many.
fn harmless(text: &str) {
    for line in text.lines() {
        assert_eq!(display_safe(line), line);
    }
}

#[test]
fn hostile_text_comes_as_it_is_and_its_line_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("live.sock");
    let mut broadcaster = Socket::bind(&path).unwrap().serve(Listening::pair().0).unwrap();
    broadcaster.publish(first());
    let viewer = connect(&path).unwrap();
    let mut raw = BufReader::new(UnixStream::connect(&path).unwrap());
    raw.get_ref().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    viewer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
    let mut line = String::new();
    raw.read_line(&mut line).unwrap();
    for (row, text) in (10..).zip(cases()) {
        let told = everywhere(
            Update {
                time: Timestamp(START + 3_000_000_000),
                processes: vec![process(row, "x")],
                connections: vec![connection(row, row, "8.8.8.8")],
                traffic: vec![traffic(row, row, 1, 1)],
                listeners: None,
                ..Update::default()
            },
            &text,
        );
        broadcaster.publish(told.clone());
        // The listeners of this host come between.
        let taken = loop {
            let update = viewer.recv_timeout(Duration::from_secs(20)).unwrap().unwrap();
            if !update.processes.is_empty() {
                break update;
            }
        };
        assert_eq!(taken.processes, told.processes);
        assert_eq!((&taken.connections, &taken.names), (&told.connections, &told.names));
        assert_eq!((&taken.lookups, &taken.labels), (&told.lookups, &told.labels));
        line.clear();
        while !line.contains("\"processes\":[{") {
            line.clear();
            raw.read_line(&mut line).unwrap();
            harmless(&line);
        }
        serde_json::from_str::<serde_json::Value>(&line).unwrap();
    }
}

#[test]
fn hostile_text_does_nothing_where_lines_are_shown() {
    for text in cases() {
        for json in [false, true] {
            let mut live = LiveState::new(100, false);
            let events = live.apply(&everywhere(first(), &text)).events;
            let mut out = Vec::new();
            Scroll::new(&mut out, Filter::default(), json).write(&live, &events).unwrap();
            let out = String::from_utf8(out).unwrap();
            harmless(&out);
            assert!(out.lines().count() >= events.len().min(2), "{out}");
            for line in out.lines().filter(|_| json) {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}
