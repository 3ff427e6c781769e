//! The audit of a small store, written and read as the real one is.

mod store;

use std::collections::BTreeMap;

use super::{Audit, Builder, GroupBy, GroupSort};
use connmon_analysis::Selection;
use connmon_analysis::groups::{FiguresByProtocol, GroupFigures};
use connmon_fixtures::groups::Golden;
use connmon_fixtures::run;
use store::{Fixture, START};

const ALL: [GroupBy; 12] = [
    GroupBy::Process,
    GroupBy::Exe,
    GroupBy::User,
    GroupBy::Unit,
    GroupBy::Container,
    GroupBy::Remote,
    GroupBy::Country,
    GroupBy::Asn,
    GroupBy::Org,
    GroupBy::Port,
    GroupBy::Day,
    GroupBy::Hour,
];

fn audit(by: GroupBy, sort: GroupSort, top: Option<usize>) -> Audit {
    audit_of(&Fixture::new(), &Selection::default(), by, sort, top)
}

fn audit_of(
    fixture: &Fixture,
    selection: &Selection,
    by: GroupBy,
    sort: GroupSort,
    top: Option<usize>,
) -> Audit {
    audit_by(fixture, selection, &[by], sort, top)
}

fn audit_by(
    fixture: &Fixture,
    selection: &Selection,
    by: &[GroupBy],
    sort: GroupSort,
    top: Option<usize>,
) -> Audit {
    let store = fixture.open();
    let mut builder = Builder::new(&store.runs().unwrap(), selection, by);
    let each = |run, connection| {
        builder.add(run, connection);
        Ok::<(), connmon_store::StoreError>(())
    };
    store.for_each(selection.since, selection.until, &Default::default(), each).unwrap();
    store
        .for_each_sample(selection.since, selection.until, |run, sample| builder.add_sample(run, sample))
        .unwrap();
    builder.finish(sort, top)
}

fn key(group: &super::Group) -> String {
    group.key_texts().collect::<Vec<_>>().join(", ")
}

fn keys(audit: &Audit) -> Vec<String> {
    audit.groups.iter().map(key).collect()
}

fn text(write: impl FnOnce(&mut Vec<u8>) -> std::io::Result<()>) -> String {
    let mut out = Vec::new();
    write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn golden(name: &str, text: &str) {
    connmon_fixtures::golden::compare(
        std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src/export/audit/golden")).join(name),
        text,
    );
}

#[test]
fn every_grouping_has_its_keys() {
    for (by, expected) in [
        (
            GroupBy::Process,
            vec!["/usr/bin/curl", "/usr/sbin/nginx", "[kworker/0:1]", store::LONG, "(no process)"],
        ),
        (
            GroupBy::Exe,
            vec!["/usr/bin/curl", "/usr/sbin/nginx", "[kworker/0:1]", store::LONG, "(no process)"],
        ),
        (GroupBy::User, vec!["mira", "www-data", "root", "4711", "(no process)"]),
        (GroupBy::Unit, vec!["(no unit)", "nginx.service", "(no process)"]),
        (GroupBy::Container, vec!["(the host)", "docker:web", "(no process)"]),
        (GroupBy::Remote, vec!["8.8.8.8", "193.0.6.139", "10.0.0.9", "10.0.0.2", "127.0.0.1", "10.0.0.7"]),
        (GroupBy::Country, vec!["US", "NL", "(private)", "(loopback)"]),
        (GroupBy::Asn, vec!["AS15169", "(unknown)", "(private)", "(loopback)"]),
        (GroupBy::Org, vec!["Example LLC", "(unknown)", "(private)", "(loopback)"]),
        (GroupBy::Port, vec!["443", "5432", "2049", "22"]),
        (GroupBy::Day, vec!["2026-06-18", "2026-06-19"]),
        (GroupBy::Hour, vec!["2026-06-18T08:00Z", "2026-06-18T09:00Z", "2026-06-19T09:00Z"]),
    ] {
        assert_eq!(keys(&audit(by, GroupSort::usual(by), None)), expected, "{by:?}");
    }
}

#[test]
fn every_grouping_adds_up() {
    for by in ALL {
        let audit = audit(by, GroupSort::Bytes, None);
        let mut sum = FiguresByProtocol::default();
        audit.groups.iter().for_each(|group| sum += group.figures);
        assert_eq!(sum, audit.totals, "{by:?}");
        assert_eq!((sum.all.connections, sum.tcp.connections, sum.udp.connections), (7, 6, 1), "{by:?}");
        assert_eq!((sum.all.tx_bytes, sum.all.rx_bytes), (73_340, 4_004_943), "{by:?}");
    }
}

#[test]
fn pairs_add_up_and_have_both_names() {
    let audit = audit_by(
        &Fixture::new(),
        &Selection::default(),
        &[GroupBy::User, GroupBy::Day],
        GroupSort::Name,
        None,
    );
    assert!(keys(&audit).contains(&"www-data, 2026-06-18".to_owned()), "{:?}", keys(&audit));
    let mut sum = FiguresByProtocol::default();
    audit.groups.iter().for_each(|group| sum += group.figures);
    assert_eq!((sum.all.tx_bytes, sum.all.connections), (73_340, 7));
    golden("user-day.txt", &text(|out| super::write_table(&audit, 80, false, out)));
    golden("user-day.csv", &text(|out| super::write_csv(&audit, out)));
    let json: serde_json::Value = serde_json::from_str(&text(|out| super::write_json(&audit, out))).unwrap();
    assert_eq!((&json["by"], &json["groups"][0]["keys"][1]), (&"user,day".into(), &"2026-06-18".into()));
}

#[test]
fn a_table_has_the_same_columns_and_one_line_on_completeness() {
    let fixture = Fixture::new();
    let table = |explain| {
        let audit = audit_of(&fixture, &Selection::default(), GroupBy::Exe, GroupSort::Bytes, None);
        [80, 200].map(|room| text(|out| super::write_table(&audit, room, explain, out)))
    };
    for text in table(false) {
        let head: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        assert_eq!(head, ["EXE", "CONNECTIONS", "SENT", "RECEIVED", "ON", "WIRE"]);
        assert_eq!(text.lines().skip_while(|line| !line.is_empty()).count(), 2, "{text}");
    }
    assert!(table(true)[0].contains("INTERFACE"));
}

#[test]
fn a_shared_connection_belongs_to_its_owner_and_its_bytes_to_who_moved_them() {
    let audit = audit(GroupBy::Exe, GroupSort::Name, None);
    let figures = |name: &str| {
        let group = audit.groups.iter().find(|group| key(group) == name).unwrap();
        (group.figures.all.connections, group.figures.all.tx_bytes, group.figures.all.rx_bytes)
    };
    assert_eq!(figures("/usr/sbin/nginx"), (2, 71_000, 2_900));
    assert_eq!(figures(store::LONG), (1, 34, 20));
    assert_eq!(figures("(no process)"), (1, 0, 0));
}

#[test]
fn every_sort_has_its_order() {
    for (sort, expected) in [
        (GroupSort::Bytes, ["443", "5432", "2049", "22"]),
        (GroupSort::Tx, ["443", "5432", "2049", "22"]),
        (GroupSort::Rx, ["443", "2049", "5432", "22"]),
        (GroupSort::Connections, ["443", "5432", "22", "2049"]),
        (GroupSort::Name, ["22", "443", "2049", "5432"]),
    ] {
        assert_eq!(keys(&audit(GroupBy::Port, sort, None)), expected, "{sort:?}");
    }
    let names = keys(&audit(GroupBy::Process, GroupSort::Name, None));
    assert_eq!(names, [store::LONG, "/usr/bin/curl", "/usr/sbin/nginx", "[kworker/0:1]", "(no process)"]);
}

#[test]
fn what_is_cut_is_added_up() {
    let audit = audit(GroupBy::Port, GroupSort::Bytes, Some(1));
    assert_eq!((keys(&audit), audit.rest.0, audit.group_count()), (vec!["443".to_owned()], 3, 4));
    let mut sum = audit.groups[0].figures;
    sum += audit.rest.1;
    assert_eq!(sum, audit.totals);
    assert_eq!(self::audit(GroupBy::Port, GroupSort::Bytes, Some(99)).rest.0, 0);
}

#[test]
fn tables_fit_into_80_columns() {
    for by in ALL {
        let audit = audit(by, GroupSort::usual(by), None);
        for room in [80, 100, 200] {
            let table = text(|out| super::write_table(&audit, room, true, out));
            let long: Vec<&str> =
                table.lines().filter(|line| crate::export::text::width(line) > room).collect();
            assert!(long.is_empty(), "{by:?}, {room}: {long:#?}");
        }
        let table = text(|out| super::write_table(&audit, 80, true, out));
        golden(&format!("{}.txt", by.name()), &table);
    }
    let cut = audit(GroupBy::Process, GroupSort::Connections, Some(2));
    golden("process-top.txt", &text(|out| super::write_table(&cut, 80, false, out)));
}

#[test]
fn csv_and_json_are_as_agreed() {
    for by in [GroupBy::Process, GroupBy::Hour, GroupBy::Exe] {
        let audit = audit(by, GroupSort::usual(by), None);
        golden(&format!("{}.csv", by.name()), &text(|out| super::write_csv(&audit, out)));
        let json = text(|out| super::write_json(&audit, out));
        golden(&format!("{}.json", by.name()), &json);
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["by"], by.name());
        assert_eq!(json["totals"]["tx_bytes"], 73_340);
        assert!(!json["completeness"]["words"].as_array().unwrap().is_empty());
    }
}

#[test]
fn interfaces_are_compared_over_the_samples_around_the_interval() {
    let fixture = Fixture::new();
    let of = |since: Option<i64>, until: Option<i64>| {
        let at = |second: i64| connmon_record::Timestamp(START + second * 1_000_000_000);
        let selection = Selection { since: since.map(at), until: until.map(at), ..Selection::default() };
        let comparison = audit_of(&fixture, &selection, GroupBy::Day, GroupSort::Name, None).comparison;
        let rows: Vec<_> = comparison
            .interfaces
            .iter()
            .map(|row| {
                let marks = (row.restarts, row.appeared, row.vanished);
                (row.counted.name.raw().to_owned(), row.counted.rx_bytes, row.counted.tx_packets, marks)
            })
            .collect();
        let seconds = |time: connmon_record::Timestamp| (time.0 - START) / 1_000_000_000;
        (comparison.covers.map(|(from, to)| (seconds(from), seconds(to))), rows)
    };
    let row = |name: &str, rx, packets, marks| (name.to_owned(), rx, packets, marks);
    let still = (0, false, false);
    // eth0 began anew at the third sample, veth0 came after the first and went after the second; eth1 became wan0.
    assert_eq!(
        of(None, None),
        (
            Some((0, 180)),
            vec![
                row("eth0", 5_000 + 700 + 100, 5 + 7 + 1, (1, false, false)),
                row("eth1", 50, 1, still),
                row("lo", 30, 3, still),
                row("veth0", 90, 9, (0, true, true)),
                row("wan0", 60, 2, still),
            ]
        )
    );
    // Between the first two samples; then before and after all of them.
    let early = of(Some(10), Some(20));
    assert_eq!((early.0, &early.1[0]), (Some((0, 60)), &row("eth0", 5_000, 5, still)));
    assert_eq!(of(Some(4_000), None), (None, vec![]));
    assert_eq!(of(None, Some(-5)), (None, vec![]));
}

#[test]
fn a_store_from_before_there_were_samples_is_read() {
    let fixture = Fixture::new();
    fixture.forget_samples();
    let audit = audit_of(&fixture, &Selection::default(), GroupBy::Day, GroupSort::Name, None);
    assert_eq!((audit.comparison.covers, audit.totals.all.connections), (None, 7));
    let table = text(|out| super::write_table(&audit, 80, true, out));
    assert!(table.contains("were not read twice in this time"), "{table}");
}

#[test]
fn losses_are_said_in_every_format() {
    let fixture = Fixture::new();
    fixture.lose();
    let audit = audit_of(&fixture, &Selection::default(), GroupBy::User, GroupSort::Name, None);
    let json: serde_json::Value = serde_json::from_str(&text(|out| super::write_json(&audit, out))).unwrap();
    let table = text(|out| super::write_table(&audit, 80, true, out)).replace("\n  ", " ");
    let words = json["completeness"]["words"].as_array().unwrap();
    for said in [
        "7 records were lost in the kernel",
        "larger “--ring-bytes”",
        "The kernel's tables were full 3 times",
        "larger “--max-connections”",
        "The kernel skipped 2 probes",
        "“--backend fentry”",
        "2 reads of kernel memory failed",
        "1 record could not be decoded",
        "5 bytes sent and 0 bytes received belong to no recorded connection",
        "The byte counts of 4 connections differ",
    ] {
        assert!(table.contains(said), "{said:?} is not in\n{table}");
        assert!(
            words.iter().any(|text| text.as_str().unwrap().contains(said)),
            "{said:?} is not in {words:#?}"
        );
    }
    assert_eq!(json["completeness"]["lost_events"], 8);
}

#[test]
fn connections_without_figures_of_the_wire_are_told() {
    let audit = audit(GroupBy::Exe, GroupSort::Bytes, None);
    let group = |exe: &str| &audit.groups.iter().find(|group| key(group) == exe).unwrap().figures.all;
    // Packets were counted of TCP, and not of the one connection of UDP.
    assert_eq!((group("/usr/bin/curl").wire_unknown, group("/usr/sbin/nginx").wire_unknown), (1, 0));
    assert_eq!((audit.totals.all.wire_unknown, audit.totals.udp.wire_unknown), (1, 1));
    let words: Vec<String> = audit.completeness.statements.iter().map(|one| one.words()).collect();
    assert!(words.iter().any(|it| it.contains("leave out 1 connection without a count")), "{words:?}");
    let table = text(|out| super::write_table(&audit, 100, false, out));
    let of = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    assert!(of("total").contains('≥') && !of("/usr/sbin/nginx").contains('≥'), "{table}");
}

#[test]
fn an_audit_adds_up_as_the_contract_of_groups_says() {
    let golden = Golden::read();
    for by in [GroupBy::User, GroupBy::Remote, GroupBy::Country, GroupBy::Port] {
        let mut builder = Builder::new(&[run(1, 0)], &Selection::default(), &[by]);
        golden.connections().into_iter().for_each(|connection| builder.add(1, connection));
        let audit = builder.finish(GroupSort::Bytes, None);
        let figures = |figures: &GroupFigures| (figures.connections, figures.tx_bytes, figures.rx_bytes);
        let found: BTreeMap<String, (u64, u64, u64)> =
            audit.groups.iter().map(|group| (key(group), figures(&group.figures.all))).collect();
        let expected = golden.groups[by.name()]
            .iter()
            .map(|told| (told.key.clone().unwrap_or_else(|| "(no process)".into()), told.owned()));
        assert_eq!(found, expected.collect(), "{by:?}");
        assert_eq!(audit.totals.all.connections, 8);
    }
}
