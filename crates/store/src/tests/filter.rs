//! A filter in SQL chooses the rows that it chooses in memory, whatever the expression and the store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use rusqlite::Connection as Database;

use super::start;
use crate::{Judged, Store, StoreError, Writer};
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_filter::{Filter, FilterRow};
use connmon_record::frame::Frame;
use connmon_record::rows::{Batch, ConnectionRow, ProcessRow, TrafficRow};
use connmon_record::{
    Connection, Container, Direction, End, Endpoint, ExeHash, Facts, Location, Process, ProcessId, Proto,
    Rule, Timestamp, Untrusted, Workload,
};
use connmon_track::Tracker;

const NOW: Timestamp = Timestamp(1_000_000_000_000);

/// A test whose value is one that rows have, or almost.
fn test() -> impl Strategy<Value = String> {
    let field = |field: &'static [&'static str], values: &'static [&'static str]| {
        (select(field), prop::collection::vec(select(values), 1..3))
            .prop_map(|(field, values)| format!("{field}{}", values.join(",")))
    };
    let compare = &[":", "=", "!=", "<", "<=", ">", ">="];
    let number = |fields: &'static [&'static str], values: &'static [&'static str]| {
        (select(fields), select(compare), select(values))
            .prop_map(|(field, sign, value)| format!("{field}{sign}{value}"))
    };
    prop_oneof![
        field(
            &["proc:", "proc=", "exe:", "exe=", "cmd:", "user:"],
            &["curl", "C?RL", "/sh/", "*", "bin", "0", "mira", "\"*\""]
        ),
        field(
            &["unit:", "container:", "org:", "city:", "host:", "label:", "service:", "hash:", "ioc:"],
            &["x", "mira", "1", "https", "*", "dn?"]
        ),
        field(&["country:"], &["DE", "us", "*", "?E", "\"fr\""]),
        field(&["ip:", "net:", "net!="], &["8.8.8.8", "10.0.0.0/8", "::/0", "0.0.0.0/0", "2001:db8::1"]),
        field(&["proto:"], &["tcp", "udp", "ip-47", "*p"]),
        field(&["dir:"], &["in", "out", "unknown", "/n/"]),
        field(&["end:"], &["fin", "rst", "open", "*d"]),
        field(&["port:", "pid:", "asn:"], &["0", "53", "443", "1"]),
        number(&["port", "pid", "asn"], &["0", "1", "53", "443"]),
        number(&["bytes", "tx", "rx"], &["0", "1", "100", "1k"]),
        field(&["asked:", "asked!="], &["10.0.0.9", "10.0.0.0/8", "::/0", "0.0.0.0"]),
        number(&["asked_port"], &["0", "53", "https"]),
        number(&["dur"], &["0", "1s", "10s", "100"]),
        (select(&["since:", "until:"]), select(&["900s", "-890s", "1970-01-01T00:01:45Z", "00:02"]))
            .prop_map(|(a, b)| format!("{a}{b}")),
        select(&["local", "public", "curl", "8.8", "mira", "de", "https", "/^s/", "\"a b\"", "c*"])
            .prop_map(str::to_owned),
    ]
}

fn expression() -> impl Strategy<Value = String> {
    test().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|one| format!("-({one})")),
            (inner.clone(), inner.clone()).prop_map(|(one, other)| format!("{one} {other}")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("({one} or {other})")),
        ]
    })
}

fn process() -> impl Strategy<Value = Process> {
    let id = (1..4_u32, 1..3_u64);
    let exe = select(&["/bin/curl", "/usr/bin/sh", "", "curl"]);
    let comm = select(&["curl", "sh", "a b", "https"]);
    let user = select(&[None, Some("mira"), Some("0"), Some("")]);
    (id, exe, comm, user, 0..2_u32).prop_map(|((pid, start_ns), exe, comm, user, uid)| Process {
        id: ProcessId { pid, start_ns },
        comm: comm.into(),
        exe: exe.into(),
        cmdline: format!("{comm} -x").into(),
        uid,
        user: user.map(Into::into),
        place: Workload {
            container: (pid == 3).then(|| Container {
                runtime: "mira".into(),
                id: "x1".into(),
                ..Container::default()
            }),
            unit: user.map(|user| format!("{user}.service").into()),
            ..Workload::default()
        },
        exe_hash: if pid > 1 { ExeHash::Sha256("1".into()) } else { ExeHash::Refused("x".into()) },
        ..Process::default()
    })
}

fn connection() -> impl Strategy<Value = ConnectionRow> {
    let country = |ip: &str| match ip {
        "8.8.8.8" => Some("US".to_owned()),
        "2001:db8::1" => Some("DE".to_owned()),
        _ => None,
    };
    let network = |ip: &str| {
        (ip == "8.8.8.8").then(|| {
            Arc::new(Location {
                asn: Some(443),
                org: Some("Mira x".into()),
                city: Some("curl upon x".into()),
                source: "test".into(),
                ..Location::default()
            })
        })
    };
    let ends = select(&[None, Some(End::Fin), Some(End::Reset), Some(End::Closed)]);
    (
        (select(&[6_u16, 17, 47]), select(&[Direction::Out, Direction::In, Direction::Unknown])),
        (
            select(&["8.8.8.8", "10.0.0.1", "2001:db8::1", "0.0.0.0"]),
            select(&[0_u16, 53, 443]),
            select(&[0_u16, 443, 1000]),
        ),
        (100..120_i64, prop::option::of(0..20_i64), ends),
        prop::option::of(0..4_i64),
    )
        .prop_map(move |((proto, direction), (ip, remote, local), (opened, lasted, end), owner)| {
            let address: IpAddr = ip.parse().unwrap();
            ConnectionRow {
                row: 0,
                facts: Facts {
                    proto: Proto(proto),
                    direction,
                    local: Endpoint::new([10, 0, 0, 5].into(), local),
                    remote: Endpoint::new(address, remote),
                    opened: Timestamp(opened * 1_000_000_000),
                    asked: (local == 443).then(|| Endpoint::new([10, 0, 0, 9].into(), remote)),
                    closed: lasted.map(|lasted| Timestamp((opened + lasted) * 1_000_000_000)),
                    end,
                    ..Facts::default()
                },
                established: None,
                owner,
                country: country(ip),
                place: network(ip),
            }
        })
}

/// A recording: its rows refer to each other by their places.
fn batch() -> impl Strategy<Value = Batch> {
    let traffic = (0..8_usize, 0..4_usize, 0..3_i64, 0..1500_u64, 0..200_u64);
    (
        prop::collection::vec(process(), 1..5),
        prop::collection::vec(connection(), 0..9),
        prop::collection::vec(traffic, 0..16),
    )
        .prop_map(|(processes, mut connections, traffic)| {
            let place = |index: usize, count: usize| 1 + (index % count) as i64;
            for (row, connection) in (1..).zip(&mut connections) {
                connection.row = row;
                connection.owner = connection.owner.map(|owner| place(owner as usize, processes.len()));
            }
            let traffic = traffic.into_iter().filter(|_| !connections.is_empty());
            let traffic = traffic.map(|(connection, process, bucket, tx_bytes, rx_bytes)| TrafficRow {
                connection: place(connection, connections.len()),
                process: place(process, processes.len()),
                bucket,
                tx_bytes,
                rx_bytes,
                tx_calls: 1,
                rx_calls: 1,
            });
            let traffic = traffic.collect();
            let processes = (1..)
                .zip(processes)
                .map(|(row, process)| ProcessRow { row, process, parent: None })
                .collect();
            Batch { processes, traffic, connections, time: Timestamp(130_000_000_000), ..Batch::default() }
        })
}

/// Rules and a list that some connections fit.
fn classifies() -> (Rules, Lists) {
    let rule = |label: &str, expression: &str| {
        let rule = Rule { label: label.into(), color: None, expression: expression.into(), text: true };
        (rule, Filter::parse(expression, NOW).unwrap())
    };
    let rules = [rule("x", "bytes>100 -proc:curl"), rule("mira", "ioc:mira"), rule("1", "hash:1 dur>1s")];
    let list = connmon_filter::ioc::read(
        "mira.txt",
        b"8.8.8.0/24
8.8.8.8
",
        None,
    )
    .unwrap();
    (Rules::new(rules.into()), Lists::new(vec![list]).unwrap())
}

pub(super) fn in_memory() -> Writer {
    Writer::begin(Database::open_in_memory().unwrap(), Path::new(":memory:")).unwrap()
}

pub(super) fn reader(writer: Writer) -> Store {
    let db = writer.into_database();
    crate::filter::provide(&db, false).unwrap();
    Store { db, path: ":memory:".into(), going_on: false, as_it_was: None, watch: None, _file: None }
}

/// The ids of what a filter chooses in SQL and in memory.
fn chosen(store: &Store, filter: &Filter) -> (Vec<i64>, Vec<i64>) {
    let flushed: HashMap<i64, Timestamp> =
        store.runs().unwrap().into_iter().map(|run| (run.id, run.last_flush)).collect();
    let ids = |in_sql: &Filter, in_memory: &Filter| {
        let mut ids = Vec::new();
        let each = |run: i64, connection: Connection| {
            if in_memory.fits(&FilterRow::from_connection(&connection, flushed[&run])) {
                ids.push(connection.id);
            }
            Ok::<_, StoreError>(())
        };
        store.for_each(None, None, in_sql, each).unwrap();
        ids
    };
    (ids(filter, &Filter::default()), ids(&Filter::default(), filter))
}

/// The label that rules give each connection, and whether it has it already.
fn judged(store: &Store, rules: &Rules) -> Vec<(i64, Option<String>, bool)> {
    let labels: Vec<&str> = rules.iter().map(|rule| rule.label.raw()).collect();
    let mut all = Vec::new();
    let each = |some: &[Judged]| {
        all.extend(
            some.iter().map(|one| (one.id, one.rule.map(|place| labels[place].to_owned()), one.is_known)),
        );
        Ok::<_, StoreError>(())
    };
    store.for_each_label(rules, each).unwrap();
    all
}

/// When connections were open, by their recording: from their own rows, and from all that is known of them.
fn times(
    store: &Store,
    interval: [Option<Timestamp>; 2],
    filter: &Filter,
) -> Vec<(i64, IpAddr, Timestamp, Option<Timestamp>)> {
    let mut all = Vec::new();
    store.for_each_time(interval, filter, |one| all.push(one)).unwrap();
    all.into_iter().map(|one| (one.run, store.remote(one.remote).unwrap(), one.opened, one.end)).collect()
}

fn times_of_all(
    store: &Store,
    [since, until]: [Option<Timestamp>; 2],
    filter: &Filter,
) -> Vec<(i64, IpAddr, Timestamp, Option<Timestamp>)> {
    let mut all = Vec::new();
    let each = |run, one: Connection| {
        all.push((run, one.remote.ip, one.opened, one.known_end()));
        Ok::<_, StoreError>(())
    };
    store.for_each(since, until, filter, each).unwrap();
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn sql_and_memory_choose_the_same(
        batches in prop::collection::vec(batch(), 1..3),
        expressions in prop::collection::vec(expression(), 24),
    ) {
        let (rules, lists) = classifies();
        let mut writer = in_memory().with_classifier(rules.clone(), lists);
        for (batch, seconds) in batches.into_iter().zip([10, 20]) {
            let mut tracker = Tracker::default();
            start(&mut tracker, seconds);
            tracker.feed(Frame::SweepEnd(seconds * 1_000_000_000));
            writer.write(&tracker.take()).unwrap();
            writer.write(&batch).unwrap();
        }
        let store = reader(writer);
        let alone = |id: i64| store.connection(id).unwrap();
        store.for_each(None, None, &Filter::default(), |run, connection| {
            let row = FilterRow::from_connection(&connection, Timestamp(130_000_000_000));
            assert_eq!(rules.label(&row).map(Untrusted::raw), connection.label.as_ref().map(Untrusted::raw));
            assert_eq!(row.remote.to_string() == "8.8.8.8", !connection.hits.is_empty());
            // Read alone, it does not say when it moved its bytes.
            let id = connection.id;
            assert_eq!(alone(id), Some((run, Connection { steps: Vec::new(), ..connection })));
            Ok::<_, StoreError>(())
        }).unwrap();
        let mut filters = Vec::new();
        for text in expressions {
            let Ok(filter) = Filter::parse(&text, NOW) else { continue };
            let (sql, memory) = chosen(&store, &filter);
            prop_assert_eq!(sql, memory, "{}", text);
            filters.push((Rule { label: text.as_str().into(), color: None, expression: text.into(), text: true }, filter));
        }
        filters.truncate(6);
        for (_, filter) in filters.iter().take(2) {
            for interval in [[None, None], [Some(Timestamp(105_000_000_000)), Some(Timestamp(115_000_000_000))]] {
                prop_assert_eq!(times(&store, interval, filter), times_of_all(&store, interval, filter), "{:?}", filter);
            }
        }
        prop_assert!(judged(&store, &rules).iter().all(|(_, _, is_known)| *is_known));
        for some in filters.chunks(3) {
            let rules = Rules::new(some.to_vec());
            let judged: Vec<_> = judged(&store, &rules).into_iter().map(|(id, label, _)| (id, label)).collect();
            let mut expected = Vec::new();
            store.for_each(None, None, &Filter::default(), |_, connection| {
                let row = FilterRow::from_connection(&connection, Timestamp(130_000_000_000));
                expected.push((connection.id, rules.label(&row).map(|label| label.raw().to_owned())));
                Ok::<_, StoreError>(())
            }).unwrap();
            prop_assert_eq!(judged, expected);
        }
    }
}

#[test]
fn a_recording_with_a_filter_keeps_what_fits_and_counts_the_rest() {
    let frames = || {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/mixed.cap");
        let mut reader = connmon_record::segment::file::Reader::open(Path::new(file)).unwrap();
        std::iter::from_fn(move || reader.read().unwrap())
    };
    let record = |filter: &Filter| {
        let (mut writer, mut tracker) =
            (in_memory().with_recording_filter(filter.clone()), Tracker::default());
        for frame in frames() {
            tracker.feed(frame);
            writer.write(&tracker.take()).unwrap();
        }
        (writer.left_out(), reader(writer))
    };
    let (none, whole) = record(&Filter::default());
    assert_eq!((none, &whole.runs().unwrap()[0].left_out), (0, &None));
    let (all, _) = chosen(&whole, &Filter::default());
    for text in ["proto:udp", "bytes>1k dir:in", "-end:fin", "end:open", "proc:nothing"] {
        let filter = Filter::parse(text, NOW).unwrap();
        let (count, part) = record(&filter);
        let kept = chosen(&part, &Filter::default()).0;
        assert_eq!(kept, chosen(&whole, &filter).0, "{text}");
        let left_out = part.runs().unwrap().remove(0).left_out.unwrap();
        assert_eq!((left_out.filter.raw(), left_out.connections), (text, count));
        assert_eq!(kept.len() as u64 + count, all.len() as u64, "{text}");
    }
}

#[test]
fn every_field_can_be_asked_of_an_empty_store() {
    let store = reader(in_memory());
    for field in connmon_filter::FIELDS.iter() {
        let values = ["x", "1", "DE", "fin", "out", "tcp", "8.8.8.8", "14:02"];
        let filter =
            values.iter().find_map(|value| Filter::parse(&format!("{}:{value}", field.name), NOW).ok());
        assert_eq!(chosen(&store, &filter.unwrap()), (vec![], vec![]), "{}", field.name);
    } // As much as the language takes is not too much for SQLite.
    for text in ["word ".repeat(400), "-(proc:a ".repeat(31) + "x" + &")".repeat(31), "pid:1 ".repeat(400)] {
        let filter = Filter::parse(&text, NOW).unwrap();
        assert_eq!(chosen(&store, &filter), (vec![], vec![]));
    }
}
