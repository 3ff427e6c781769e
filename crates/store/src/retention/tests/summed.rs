//! Sums of stretches are what their connections add up to, whatever is written after they were made.

use super::*;
use crate::{CellDetail, Instead};
use connmon_fixtures::Random as Dice;
use connmon_render::report::payload::Payload;

/// The answer with the sums that there are; how many connections had to be read.
fn audit_by_sums(path: &Path, selection: &Selection, by: &[GroupBy]) -> (Audit, usize) {
    let store = Store::open(path).unwrap();
    let mut builder = Builder::new(&store.runs().unwrap(), selection, by);
    let mut instead = Instead::default();
    if builder.has_sums() {
        let summed;
        (summed, instead) = store.summed(selection.since, selection.until).unwrap();
        builder.add_summed(&summed);
    }
    let mut read = 0;
    let each = |run, connection| {
        read += 1;
        builder.add(run, connection);
        Ok::<_, StoreError>(())
    };
    store.for_each_but(&instead, selection.since, selection.until, &Filter::default(), each).unwrap();
    store.for_each_sum(|key, figures| builder.add_sum(key, figures)).unwrap();
    (builder.finish(GroupSort::Name, None), read)
}

/// A summary of everything that lies between two times, with the cells that there are, or of each connection; how many connections
/// had to be read.
fn summary(path: &Path, selection: &Selection, with_cells: bool) -> (String, usize) {
    const SHOWN: usize = 7;
    let store = Store::open(path).unwrap();
    let (since, until) = (selection.since, selection.until);
    let mut builder = connmon_analysis::Builder::new(store.runs().unwrap(), selection.clone(), SHOWN);
    let cells = match with_cells {
        true => {
            let names = selection.since.is_some();
            store.add_cells(since, until, &mut builder, CellDetail { most: [4, 3], names }).unwrap()
        }
        false => Default::default(),
    };
    let mut read = 0;
    let mut payload = Payload::new(&store.runs().unwrap(), SHOWN);
    assert_eq!(payload.enough(), [4, 3]);
    let each = |run, connection: connmon_record::Connection| {
        let connection = connection.between(since, until);
        payload.add(run, &connection);
        if cells.shown.contains(&connection.id) {
            builder.offer(run, connection);
        } else {
            read += 1;
            builder.add(run, connection);
        }
        Ok::<_, StoreError>(())
    };
    store.for_each_but(&cells.unread, since, until, &Filter::default(), each).unwrap();
    payload.count(cells.rows - cells.shown.len() as u64);
    let (page, mut summary) = (payload.counts(), builder.finish());
    store.describe(&mut summary, &cells).unwrap();
    (format!("{summary:#?} {page:?}"), read)
}

/// Asks in both ways, also for groups of which sums tell nothing; how many connections were read where sums tell all.
fn compare(path: &Path, end: i64) -> usize {
    const MORE: [&[GroupBy]; 4] = [
        &[GroupBy::Exe, GroupBy::Country],
        &[GroupBy::User, GroupBy::Day],
        &[GroupBy::Hour],
        &[GroupBy::Unit],
    ];
    let days = [None, Some(at(end / 3)), Some(at(2 * end / 3))];
    let (mut read, mut summarized) = (0, 0);
    for (since, until) in [(0, 0), (1, 2)] {
        let selection = Selection { since: days[since], until: days[until], ..Selection::default() };
        let [(whole, all), (by_cells, few)] = [false, true].map(|cells| summary(path, &selection, cells));
        assert_eq!(whole, by_cells, "from {since} until {until}");
        summarized = summarized.max((all - few) * usize::from((since, until) == (0, 0)));
        for by in [&[GroupBy::Exe][..]].into_iter().chain(MORE) {
            let (summed, count) = audit_by_sums(path, &selection, by);
            let whole = audit(path, &selection, by);
            assert_eq!(answer(&whole, true), answer(&summed, true), "{by:?} from {since} until {until}");
            let matching =
                |audit: &Audit| (audit.indicators.words(), audit.own.connections, audit.own.tx_bytes);
            if (since, until) == (0, 0) {
                assert_eq!(matching(&whole), matching(&summed));
                read = read.max(if by.len() == 1 && by[0] == GroupBy::Exe { count } else { 0 });
            }
        }
    }
    // A summary has cells of what the audit has sums of.
    assert_eq!(300 - read, summarized);
    read
}

/// Connections of eleven days, every third of them open at first, a few hundred of them; some lead to the address of another.
fn some(dice: &mut Dice) -> Vec<Random> {
    let mut all: Vec<Random> = (0..300)
        .map(|_| {
            let lasts = [10, 100, 5_000, 200_000][dice.below(4) as usize];
            let opened = dice.below(11 * DAY as u64) as i64;
            let random = dice.below(65_536) as u16;
            (opened, lasts, 1 + dice.below(3) as i64, dice.below(REMOTES.len() as u64) as usize, random)
        })
        .collect();
    all.sort_by_key(|one| one.0);
    all
}

#[test]
fn sums_of_stretches_are_those_of_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let (mut dice, end) = (Dice(7), 14 * DAY);
    let all = some(&mut dice);
    let mut writer = record(&path, &all, end);
    let count = compare(&path, end);
    assert_eq!(count, 300, "nothing is summed up yet");
    let write = |writer: &mut Writer, connections: Vec<ConnectionRow>, traffic| {
        writer.write(&Batch { time: at(end), connections, traffic, ..Batch::default() }).unwrap();
    };
    // Some are open again, as far as the store knows, when the sums are made, and are over later.
    let rows: Vec<_> = (1..).zip(&all).map(|(row, random)| made(row, *random).0).collect();
    let open = |row: &ConnectionRow| {
        let mut row = row.clone();
        (row.facts.closed, row.facts.end) = (None, None);
        row
    };
    write(&mut writer, rows.iter().step_by(7).map(open).collect(), vec![]);
    // One from an address that others lead to.
    let mut here = rows[40].clone();
    here.local.ip = "10.0.0.1".parse().unwrap();
    write(&mut writer, vec![here], vec![]);
    compare(&path, end);
    writer.sum_up().unwrap();
    let read = compare(&path, end);
    assert!(read < 100, "{read} of 300 were read");
    write(&mut writer, rows.iter().step_by(14).cloned().collect(), vec![]);
    compare(&path, end);
    writer.sum_up().unwrap();
    let (before, read) = (read, compare(&path, end));
    assert!(read < before, "those that are over by now are in sums");
    for _ in 0..10 {
        // Whatever comes late.
        let row = &rows[dice.below(300) as usize];
        match dice.below(5) {
            0 => {
                let mut late = row.clone();
                late.facts.wire = Some(Wire { tx_bytes: 1, rx_bytes: 2, tx_packets: 3, rx_packets: 4 });
                write(&mut writer, vec![late], vec![]);
            }
            1 => {
                let moved = TrafficRow {
                    connection: row.row,
                    process: 1,
                    bucket: row.opened.step().0 / SECOND,
                    tx_bytes: 5,
                    rx_bytes: 6,
                    tx_calls: 1,
                    rx_calls: 1,
                };
                write(&mut writer, vec![], vec![moved]);
            }
            2 => {
                let mut named = process(2, "sshd");
                named.process.exe = format!("/opt/{}", dice.below(9)).into();
                writer.write(&Batch { time: at(end), processes: vec![named], ..Batch::default() }).unwrap();
            }
            3 => {
                writer.judge_by(Default::default(), Default::default());
                let mut moved = row.clone();
                moved.country = Some(["FR", "NL"][dice.below(2) as usize].into());
                write(&mut writer, vec![moved], vec![]);
            }
            _ => {}
        }
        compare(&path, end);
        if dice.below(2) == 0 {
            writer.sum_up().unwrap();
            compare(&path, end);
        }
    }
    let faults = Store::open(&path).unwrap().check().unwrap();
    assert_eq!(faults, Vec::<String>::new());
    writer.prune_all(&policy(end - 5 * DAY, ""), at(end), |_| Duration::from_millis(50)).unwrap();
    writer.sum_up().unwrap();
    for by in GROUPINGS {
        let (summed, _) = audit_by_sums(&path, &Selection::default(), by);
        let whole = audit(&path, &Selection::default(), by);
        assert_eq!(answer(&whole, true), answer(&summed, true), "{by:?} of pruned ones");
    }
    let left = "SELECT (SELECT count(*) FROM stretch_gone), (SELECT count(*) FROM stretch_piece
        WHERE stretch_id NOT IN (SELECT id FROM stretch WHERE state = 1)), (SELECT count(*) FROM stretch_piece) > 0";
    let left: (i64, i64, bool) =
        writer.db.query_row(left, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert_eq!(left, (0, 0, true), "of what is forgotten nothing is left");
    assert_eq!(Store::open(&path).unwrap().check().unwrap(), Vec::<String>::new());
}
