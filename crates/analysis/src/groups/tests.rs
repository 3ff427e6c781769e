//! The engine against its contract, and what a file of cases cannot say.

use std::collections::BTreeMap;

use super::key::{GroupBy, GroupKey, Member};
use super::*;
use connmon_fixtures::groups::{Golden, Told};
use connmon_fixtures::{connection, process, share};
use connmon_record::{End, Proto};

/// Members with the keys of their groups, and what they add.
type Parts = Vec<(Option<String>, GroupFigures)>;

/// What figures tell.
pub(crate) fn told_of(key: Option<&str>, figures: &GroupFigures) -> Told {
    Told {
        key: key.map(str::to_owned),
        connections: figures.connections,
        owned: None,
        failed: figures.failed,
        inbound: figures.inbound,
        tx: figures.tx_bytes,
        rx: figures.rx_bytes,
    }
}

fn told(parts: Parts) -> Vec<Told> {
    let mut groups: Groups<Option<String>, GroupFigures> = Groups::default();
    for (key, figures) in parts {
        *groups.row(key, |_| GroupFigures::default()) += figures;
    }
    groups.ranked(|figures| figures).iter().map(|(key, figures)| told_of(key.as_deref(), figures)).collect()
}

/// The groupings of a connection itself.
fn of_connection(by: &str, connection: &Connection) -> String {
    let boot = "boot".into();
    let member = Member { boot: &boot, connection, process: None, time: connection.opened };
    let by = match by {
        "remote" => GroupBy::Remote,
        "country" => GroupBy::Country,
        "port" => GroupBy::Port,
        "proto" => return connection.proto.to_string(),
        "end" => return connection.end.map_or("open", End::name).to_owned(),
        other => panic!("no grouping is called {other}"),
    };
    match key::group_key(by, &member) {
        GroupKey::Text(text) => text,
        GroupKey::Remote(ip) => ip.to_string(),
        GroupKey::Port(port) => port.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn groups_are_those_of_the_contract() {
    let golden = Golden::read();
    let connections = golden.connections();
    assert_eq!(told_of(None, &connections.iter().map(GroupFigures::from_connection).sum()), golden.all);
    for (by, groups) in &golden.groups {
        let who = |process: &Arc<Process>| match by.as_str() {
            "process" => golden.name(process),
            _ => process.user.clone().unwrap().into_raw(),
        };
        let is_who = groups.iter().any(|group| group.is_who());
        let used = |connection: &Connection| -> Parts {
            if !is_who {
                return vec![(
                    Some(of_connection(by, connection)),
                    GroupFigures::from_connection(connection),
                )];
            }
            let users = users(connection, |process| Some(who(process)));
            if users.is_empty() { vec![(None, GroupFigures::from_connection(connection))] } else { users }
        };
        assert_eq!(told(connections.iter().flat_map(used).collect()), golden.told(by), "{by}");
        if is_who {
            let mut owned: BTreeMap<Option<String>, (u64, u64, u64)> = BTreeMap::new();
            for connection in &connections {
                let own = GroupFigures::of_connection(connection);
                parts(connection, own, connection.opened, |process, _, figures| {
                    let sum = owned.entry(process.map(who)).or_default();
                    *sum = (sum.0 + figures.connections, sum.1 + figures.tx_bytes, sum.2 + figures.rx_bytes);
                });
            }
            let expected = groups.iter().map(|group| (group.key.clone(), group.owned()));
            assert_eq!(owned, expected.collect(), "{by}, by owner");
        }
    }
}

#[test]
fn bytes_are_in_the_hour_in_which_they_were_moved() {
    let golden = Golden::read();
    let mut hours: BTreeMap<String, BTreeMap<String, (u64, u64)>> = BTreeMap::new();
    let boot = "boot".into();
    for connection in &golden.connections() {
        parts(connection, GroupFigures::default(), connection.opened, |process, time, figures| {
            let GroupKey::Text(hour) =
                key::group_key(GroupBy::Hour, &Member { boot: &boot, connection, process, time })
            else {
                panic!("no text")
            };
            if let Some(process) = process.filter(|_| figures.bytes() > 0) {
                let sum = hours.entry(hour).or_default().entry(golden.name(process)).or_default();
                *sum = (sum.0 + figures.tx_bytes, sum.1 + figures.rx_bytes);
            }
        });
    }
    assert_eq!(hours, golden.hours);
}

#[test]
fn sums_stop_at_the_highest_number() {
    let curl = process(1, 1, "curl");
    let mut one = connection(1, 0, &curl, "8.8.8.8:443", u64::MAX - 1, 7);
    one.traffic.push(share(&process(2, 1, "wget"), 5, 5));
    let mut split = FiguresByProtocol::default();
    split.count(Proto::UDP, GroupFigures::from_connection(&one));
    split.count(Proto::UDP, GroupFigures::from_connection(&one));
    assert_eq!((split.all.tx_bytes, split.udp.rx_bytes, split.tcp.connections), (u64::MAX, 24, 0));
    assert_eq!(split.all.bytes(), u64::MAX);
}

#[test]
fn the_newest_connection_has_the_word() {
    let [first, second] = [1, 2].map(|id| (Timestamp(7), id));
    let mut newest = Newest::new("none");
    assert!(newest.offer(second, || "second") && !newest.offer(first, || "first"));
    assert!(newest.offer(second, || "again") && newest.value == "again");
}
