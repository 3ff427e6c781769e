//! What a live state knows.

use proptest::prelude::*;

use super::{closed, first};
use crate::event::EventKind;
use crate::rate_window::Rate;
use crate::update::{LiveTotals, MAX_LINE, Snapshot};
use crate::{LiveState, Update};
use connmon_fixtures::rows::{START, connection, process, run, traffic};
use connmon_record::rows::{ConnectionRow, NameRow, ProcessRow, TrafficRow};
use connmon_record::{End, NameSource, Run, Timestamp, Untrusted};

#[test]
fn a_board_knows_when_bytes_were_moved_in_steps_that_get_longer() {
    let id = 3 << 40 | 1;
    let began = START / 1_000_000_000;
    let moved = |live: &LiveState| {
        let one = live.connection(id).unwrap();
        let ours = one.steps.iter().filter(|step| step.tx_bytes == 7 || step.tx_bytes == 14);
        let ours: Vec<_> = ours.map(|step| (step.start.0 / 1_000_000_000 - began, step.tx_bytes)).collect();
        (ours, one.steps.iter().map(|step| step.tx_bytes).sum::<u64>() == one.tx_bytes())
    };
    let mut live = LiveState::new(10, true);
    live.apply(&first());
    let at = |seconds: i64| TrafficRow { bucket: began + seconds, ..traffic(1, 1, 7, 0) };
    live.apply(&Update { traffic: vec![at(0), at(3_600), at(3_610)], ..Update::default() });
    assert_eq!(moved(&live), (vec![(0, 7), (3_600, 7), (3_610, 7)], true));
    // Too many steps of another one: all become longer, and a viewer that comes then is told so.
    let many = (0..500_000).map(|n| TrafficRow { bucket: n * 10, ..traffic(2, 2, 1, 0) });
    live.apply(&Update { traffic: many.collect(), ..Update::default() });
    assert_eq!(moved(&live), (vec![(-10, 7), (3_590, 14)], true), "of 30 s");
    let mut late = LiveState::new(10, true);
    live.snapshot(0).iter().for_each(|part| drop(late.apply(part)));
    let whole = |live: &LiveState| live.connections().collect::<Vec<_>>();
    assert_eq!(whole(&late), whole(&live));
}

#[test]
fn no_part_of_a_snapshot_is_longer_than_a_viewer_takes() {
    let mut live = LiveState::new(5_000, true);
    live.apply(&first());
    // Each character takes six bytes of a line.
    let text = "\u{1}".repeat(250);
    for row in 3..1_800 {
        let name = |number: i64| NameRow {
            connection: row,
            name: (&*format!("{number}{text}")).into(),
            source: NameSource::Http,
            process: None,
            time: Timestamp(START),
        };
        let names = (0..25).map(name).collect();
        live.apply(&Update { connections: vec![connection(row, 1, "8.8.8.8")], names, ..Update::default() });
    }
    let parts = live.snapshot(0);
    let (first, last) = (parts.iter().filter_map(|part| part.snapshot).map(|it| (it.first, it.last)))
        .unzip::<_, _, Vec<_>, Vec<_>>();
    assert_eq!((first.iter().filter(|it| **it).count(), last.iter().filter(|it| **it).count()), (1, 1));
    assert_eq!(parts.iter().map(|part| part.connections.len()).sum::<usize>(), 1_799);
    for part in &parts {
        assert!(part.to_line().len() < MAX_LINE, "{} bytes", part.to_line().len());
    }
}

#[test]
fn a_board_has_what_was_told_and_says_what_happened() {
    let mut live = LiveState::new(10, true);
    let changes = live.apply(&first());
    let id = |row: i64| 3 << 40 | row;
    assert_eq!(changes.connections, [id(1), id(2)]);
    let words: Vec<_> = changes.events.iter().map(|event| event.kind.name()).collect();
    assert_eq!(words, ["exec", "exec", "new", "established", "new", "established"]);
    let one = live.connection(id(1)).unwrap();
    assert_eq!(
        (one.tx_bytes(), one.rx_bytes(), one.host().map(Untrusted::raw)),
        (1_000, 50_000, Some("dns.google"))
    );
    assert_eq!(one.owner.unwrap().comm, "curl");
    assert_eq!(live.rate(id(1)), Rate { tx: 200.0, rx: 10_000.0 });

    let refused = ConnectionRow { established: None, ..connection(3, 1, "1.1.1.1") };
    let changes = live.apply(&Update {
        time: Timestamp(START + 9_000_000_000),
        connections: vec![closed(connection(1, 1, "8.8.8.8"), End::Fin), closed(refused, End::Refused)],
        traffic: vec![traffic(1, 1, 1, 0)],
        labels: vec![(1, Some("work".into()))],
        left_out: vec![2],
        ..Update::default()
    });
    let events: Vec<_> = changes.events.iter().map(|event| event.kind.clone()).collect();
    assert_eq!(events, [EventKind::New(id(3)), EventKind::Closed(id(1)), EventKind::Failed(id(3))]);
    assert_eq!((changes.gone, changes.connections), (vec![id(2)], vec![id(1), id(3)]));
    let one = live.connection(id(1)).unwrap();
    assert_eq!(
        (one.tx_bytes(), one.end, one.label.as_ref().map(Untrusted::raw)),
        (1_001, Some(End::Fin), Some("work"))
    );
    assert_eq!(live.rate(id(1)), Rate { tx: 0.2, rx: 0.0 });
}

proptest! {
    /// Whatever a socket says in the form of updates, a live state takes it, and gives connections.
    #[test]
    fn a_board_takes_anything(
        updates in prop::collection::vec(
            (any::<[i64; 4]>(), prop::collection::vec((0..6_i64, 0..4_i64, any::<[i64; 3]>(), any::<[u64; 2]>()), 0..6), 0..4_u8),
            1..12,
        ),
        keep in 0..4_usize,
    ) {
        let mut live = LiveState::new(keep, true);
        for ([time, id, missed, from], rows, kind) in updates {
            let mut update = Update { time: Timestamp(time), ..first() };
            update.run = Some(Box::new(Run { id, started: Timestamp(from), ..run() }));
            update.left_out = if kind == 3 { vec![1, 2] } else { vec![] };
            update.snapshot = (kind == 2).then_some(Snapshot {
                first: missed % 2 == 0,
                last: missed % 3 == 0,
                missed: missed as u64,
                forgotten: missed as u64,
            });
            for (row, owner, [opened, established, closed], [tx, rx]) in rows {
                let mut one = connection(row, owner, "8.8.8.8");
                (one.opened, one.established) = (Timestamp(opened), Some(Timestamp(established)));
                one.closed = (closed % 2 == 0).then_some(Timestamp(closed));
                update.connections.push(one);
                update.traffic.push(traffic(row, owner, tx, rx));
            }
            let changes = live.apply(&update);
            for id in changes.connections {
                prop_assert!(live.connection(id).is_some());
                let _ = (live.rate(id), live.moved(id));
                live.history(id, &mut [0; 7]);
            }
            prop_assert!(live.connections().count() >= live.ids().count().min(keep));
            prop_assert!(!live.snapshot(1).is_empty());
        }
    }
}

#[test]
fn a_snapshot_gives_a_new_board_everything_and_tells_of_nothing() {
    let mut live = LiveState::new(10, false);
    live.apply(&first());
    live.apply(&Update {
        connections: vec![closed(connection(2, 2, "9.9.9.9"), End::Reset)],
        ..Update::default()
    });
    let mut other = LiveState::new(10, false);
    for part in live.snapshot(4) {
        // Through the text, as on the socket.
        let part: Update = serde_json::from_str(&part.to_line()).unwrap();
        let changes = other.apply(&part);
        assert!(changes.reset && changes.events.is_empty());
    }
    assert!(other.is_complete());
    assert_eq!(other.missed(), 4);
    assert_eq!(other.connections().collect::<Vec<_>>(), live.connections().collect::<Vec<_>>());
    assert_eq!(other.snapshot(4), live.snapshot(4));
}

#[test]
fn closed_connections_are_pushed_out_by_newer_ones() {
    let mut live = LiveState::new(2, false);
    live.apply(&first());
    for row in 3..=6 {
        let ends = vec![closed(connection(row, 1, "8.8.8.8"), End::Fin)];
        let changes = live.apply(&Update { connections: ends, ..Update::default() });
        // What it has just told of stays until the next one.
        assert_eq!(changes.gone.len(), usize::from(row > 5));
    }
    let rows = |live: &LiveState| live.ids().map(|id| id & 0xff).collect::<Vec<_>>();
    assert_eq!((rows(&live), live.forgotten()), (vec![1, 2, 4, 5, 6], 1));
    live.apply(&Update::default());
    assert_eq!((rows(&live), live.forgotten()), (vec![1, 2, 5, 6], 2));
    // One that comes now is told of those that it does not get.
    let mut late = LiveState::new(1, false);
    live.snapshot(0).iter().for_each(|part| drop(late.apply(part)));
    assert_eq!((rows(&late), late.forgotten()), (vec![1, 2, 5, 6], 2));
    late.apply(&Update::default());
    assert_eq!((rows(&late), late.forgotten()), (vec![1, 2, 6], 3));
}

#[test]
fn connections_that_are_left_out_push_none_out() {
    let mut live = LiveState::new(2, false);
    live.add_totals(&mut first());
    for row in 3..5_000 {
        let ends = vec![closed(connection(row, 1, "8.8.8.8"), End::Fin)];
        let left_out = if row == 3 { vec![] } else { vec![row] };
        live.add_totals(&mut Update { connections: ends, left_out, ..Update::default() });
    }
    assert_eq!(live.ids().map(|id| id & 0xff).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!((live.forgotten(), live.totals().connections, live.totals().open), (0, 3, 2));
    // One that was open when the recording ended.
    live.add_totals(&mut Update { left_out: vec![1], ended: true, ..Update::default() });
    assert_eq!((live.forgotten(), live.totals().connections, live.totals().open), (0, 2, 1));
    assert_eq!((live.totals().tx_bytes, live.totals().rx_bytes), (10, 20));
}

proptest! {
    /// Whatever comes together in an update, and however often: the sums are those of the store, and what a live state says that only
    /// the store has is what it does not have itself.
    #[test]
    fn sums_and_what_is_forgotten_fit_the_store(
        updates in prop::collection::vec(prop::collection::vec((1..30_i64, 0..4_u8), 0..12), 1..20),
        (keep, broadcaster) in (0..6_usize, 0..6_usize),
        attaches in 0..20_usize,
    ) {
        let (mut recorder, mut viewer) = (LiveState::new(broadcaster, false), LiveState::new(keep, false));
        let mut late = None;
        let (mut store, mut over) = (std::collections::BTreeMap::new(), std::collections::HashSet::new());
        for (n, rows) in updates.into_iter().enumerate() {
            let mut update = Update { connections: vec![], traffic: vec![], names: vec![], ..first() };
            for (row, kind) in rows {
                // Nothing is told of a connection after its end.
                if over.contains(&row) {
                    continue;
                }
                let one = connection(row, 1, "8.8.8.8");
                store.entry(row).or_insert(true);
                update.traffic.push(traffic(row, 1, 1, 2));
                update.connections.push(if kind > 1 { closed(one, End::Fin) } else { one });
                if kind > 1 {
                    over.insert(row);
                    store.insert(row, false);
                }
                if kind > 2 {
                    update.left_out.push(row);
                }
            }
            update.left_out.sort_unstable();
            update.left_out.dedup();
            store.retain(|row, _| !update.left_out.contains(row));
            recorder.add_totals(&mut update);
            viewer.apply(&update);
            if let Some(late) = &mut late {
                LiveState::apply(late, &update);
            }
            if n == attaches {
                let mut live = LiveState::new(keep, false);
                recorder.snapshot(0).iter().for_each(|part| drop(live.apply(part)));
                late = Some(live);
            }
            let totals = recorder.totals();
            prop_assert_eq!(totals.connections, store.len() as u64);
            prop_assert_eq!(totals.open, store.values().filter(|open| **open).count() as u64);
            for live in [Some(&recorder), Some(&viewer), late.as_ref()].into_iter().flatten() {
                let known: Vec<i64> = live.ids().map(|id| id & 0xff).collect();
                prop_assert!(known.iter().all(|row| store.contains_key(row)));
                prop_assert_eq!(live.forgotten(), (store.len() - known.len()) as u64);
                prop_assert_eq!(live.totals(), totals);
            }
        }
    }
}

#[test]
fn another_recording_begins_anew() {
    let mut live = LiveState::new(10, false);
    live.add_totals(&mut first());
    let begins = || Update {
        snapshot: Some(Snapshot { first: true, last: true, ..Snapshot::default() }),
        run: Some(Box::new(Run { id: 1, ..run() })),
        connections: vec![connection(2, 2, "9.9.9.9")],
        traffic: vec![],
        ..first()
    };
    let mut told = begins();
    let changes = live.clone().apply(&told);
    assert!(changes.reset && changes.events.is_empty());
    live.add_totals(&mut told);
    assert_eq!(live.ids().collect::<Vec<_>>(), [1 << 40 | 2]);
    assert_eq!(live.totals(), LiveTotals { connections: 1, open: 1, ..LiveTotals::default() });
    // What waits of the one before is not told any more.
    let mut waits = first();
    waits.absorb(begins());
    assert_eq!(waits, begins());
}

#[test]
fn a_board_does_not_grow_with_what_there_was() {
    const KEEP: usize = 200;
    let mut live = LiveState::new(KEEP, true);
    live.apply(&first());
    // Each is of a program of its own, which another one had started, to an address of its own that has a name.
    for row in 3..20_000_i64 {
        let [shell, tool] = [2 * row, 2 * row + 1];
        let ip = format!("9.{}.{}.9", row / 250, row % 250);
        let name = connmon_record::Name {
            name: format!("host{row}.example").into(),
            source: NameSource::Dns,
            process: None,
            time: Timestamp(START),
        };
        live.apply(&Update {
            processes: vec![
                process(shell, "sh"),
                ProcessRow { parent: Some(shell), ..process(tool, "curl") },
            ],
            connections: vec![closed(connection(row, tool, &ip), End::Fin)],
            traffic: vec![traffic(row, tool, 1, 1)],
            address_names: vec![(ip.parse().unwrap(), name)],
            ..Update::default()
        });
    }
    let sizes = live.sizes();
    assert!(sizes.connections <= KEEP + 3, "{sizes:?}");
    assert!(sizes.over <= 2 * KEEP + 1_001, "{sizes:?}");
    // Twice as many as the connections refer to, and a thousand more, before unneeded ones are removed.
    assert!(sizes.processes <= 4 * KEEP + 1_010 && sizes.parents <= sizes.processes, "{sizes:?}");
    assert!(sizes.addresses <= 2 * KEEP + 1_010, "{sizes:?}");
    assert_eq!(sizes.steps, sizes.connections, "{sizes:?}");
    // What is needed is there: who started what.
    for (_, one) in live.connections() {
        let owner = one.owner.expect("known");
        assert!(one.id & 0xff_ffff <= 2 || owner.parent.as_ref().is_some_and(|one| one.comm == "sh"));
    }
    let mut late = LiveState::new(KEEP, true);
    live.snapshot(0).iter().for_each(|part| drop(late.apply(part)));
    assert!(late.connections().eq(live.connections()));
}
