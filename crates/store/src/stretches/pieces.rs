//! Cells as bytes. The cells of a stretch are in pieces (`stretch_piece`), each with some of them in the order of their keys, thirty
//! bytes a cell. A cell may be in several pieces: then it is their sum.

use std::collections::BTreeMap;

use rusqlite::{Connection as Database, OptionalExtension, params};

use super::super::RUN_SHIFT;
use super::{SHIFT, ids};
use connmon_analysis::cells::{CellFigures, Counted};
use connmon_analysis::groups::GroupFigures;
use connmon_record::varint::{self, Numbers};
use connmon_record::{Proto, Timestamp};

/// A piece with fewer bytes takes in further cells.
const SMALL: usize = if cfg!(test) { 100 } else { 8_192 };
/// Cells that are added to another piece, if that is small.
const FEW: usize = if cfg!(test) { 2 } else { 64 };

/// What the connections of a cell have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CellKey {
    /// The remote address.
    pub(super) remote: i64,
    /// The process; 0 for none.
    pub(super) process: i64,
    /// Protocol and service port.
    pub(super) service: (Proto, u16),
    /// What is counted.
    pub(super) counted: Counted,
}

/// Cells by their keys.
pub(super) type CellMap = BTreeMap<CellKey, CellFigures>;

// What the first number of a cell says; its lowest two bits are what is counted.
const HAS_PROCESS: u64 = 4;
const SAME_SERVICE: u64 = 8;
const INBOUND: u64 = 16;
const FAILED: u64 = 32;
const INEXACT: u64 = 64;
const PREEXISTING: u64 = 128;

/// The ids from which the ids of a stretch's processes and connections are counted.
fn bases(stretch: i64) -> (i64, i64) {
    ((stretch >> (RUN_SHIFT - SHIFT)) << RUN_SHIFT, ids(stretch).0)
}

/// Makes bytes of cells.
pub(super) fn pack(stretch: i64, cells: &CellMap) -> Vec<u8> {
    let (mut remote, (mut process, connection)) = (0, bases(stretch));
    let (mut service, mut bytes) = (None, Vec::with_capacity(32 * cells.len()));
    let begin = cells.values().map(|cell| cell.first.0).min().unwrap_or(0);
    varint::push_signed(&mut bytes, begin);
    for (key, CellFigures { figures, preexisting, first, last, newest }) in cells {
        let flags = [
            (HAS_PROCESS, key.process != 0),
            (SAME_SERVICE, service == Some(key.service)),
            (INBOUND, figures.inbound != 0),
            (FAILED, figures.failed != 0),
            (INEXACT, figures.inexact != 0),
            (PREEXISTING, *preexisting != 0),
        ];
        let set = flags.iter().filter(|(_, is)| *is).map(|(flag, _)| flag);
        varint::push(&mut bytes, key.counted as u64 + set.sum::<u64>());
        varint::push_signed(&mut bytes, key.remote.wrapping_sub(remote));
        if key.process != 0 {
            varint::push_signed(&mut bytes, key.process.wrapping_sub(process));
            process = key.process;
        }
        if service != Some(key.service) {
            varint::push(&mut bytes, key.service.0.0.into());
            varint::push(&mut bytes, key.service.1.into());
        }
        (remote, service) = (key.remote, Some(key.service));
        varint::push(&mut bytes, figures.connections);
        let rare = [figures.inbound, figures.failed, figures.inexact, *preexisting];
        rare.iter().filter(|count| **count != 0).for_each(|count| varint::push(&mut bytes, *count));
        varint::push(&mut bytes, figures.tx_bytes);
        varint::push(&mut bytes, figures.rx_bytes);
        varint::push_signed(&mut bytes, first.0.wrapping_sub(begin));
        varint::push_signed(&mut bytes, last.0.wrapping_sub(first.0));
        varint::push_signed(&mut bytes, newest.0.0.wrapping_sub(first.0));
        varint::push_signed(&mut bytes, newest.1.wrapping_sub(connection));
    }
    bytes
}

/// The inverse: calls `each` with every cell.
pub(super) fn unpack<E>(
    stretch: i64,
    bytes: &[u8],
    mut each: impl FnMut(CellKey, CellFigures) -> Result<(), E>,
) -> Result<(), E> {
    let mut numbers = varint::read(bytes);
    let begin = numbers.next_signed().unwrap_or(0);
    let mut unpacker = Unpacker { begin, bases: bases(stretch), remote: 0, service: (Proto(0), 0) };
    // Of a damaged piece there is what comes before the damage; `db check` tells of it.
    while let Some((key, figures)) = unpacker.next(&mut numbers) {
        each(key, figures)?;
    }
    Ok(())
}

struct Unpacker {
    begin: i64,
    /// The id of the process before, and that from which connections are counted.
    bases: (i64, i64),
    remote: i64,
    service: (Proto, u16),
}

impl Unpacker {
    fn next(&mut self, numbers: &mut Numbers<'_>) -> Option<(CellKey, CellFigures)> {
        let flags = numbers.next()?;
        let has = |flag: u64| flags & flag != 0;
        self.remote = self.remote.wrapping_add(numbers.next_signed()?);
        if has(HAS_PROCESS) {
            self.bases.0 = self.bases.0.wrapping_add(numbers.next_signed()?);
        }
        if !has(SAME_SERVICE) {
            self.service = (Proto(numbers.next()? as u16), numbers.next()? as u16);
        }
        let mut figures = GroupFigures { connections: numbers.next()?, ..GroupFigures::default() };
        let mut rare = |flag| if has(flag) { numbers.next() } else { Some(0) };
        (figures.inbound, figures.failed, figures.inexact) = (rare(INBOUND)?, rare(FAILED)?, rare(INEXACT)?);
        let preexisting = rare(PREEXISTING)?;
        (figures.tx_bytes, figures.rx_bytes) = (numbers.next()?, numbers.next()?);
        let first = self.begin.wrapping_add(numbers.next_signed()?);
        let mut after = || Some(Timestamp(first.wrapping_add(numbers.next_signed()?)));
        let (last, newest) = (after()?, after()?);
        let newest = (newest, self.bases.1.wrapping_add(numbers.next_signed()?));
        let process = if has(HAS_PROCESS) { self.bases.0 } else { 0 };
        let counted = Counted::from_number((flags & 3) as i64)?;
        let key = CellKey { remote: self.remote, process, service: self.service, counted };
        Some((key, CellFigures { figures, preexisting, first: Timestamp(first), last, newest }))
    }
}

/// Adds cells to those of a stretch.
pub(super) fn add(db: &Database, stretch: i64, mut cells: CellMap) -> rusqlite::Result<()> {
    if cells.is_empty() {
        return Ok(());
    }
    let mut find = db.prepare_cached(
        "SELECT number, length(cells) FROM stretch_piece WHERE stretch_id = ?1 ORDER BY number DESC LIMIT 1",
    )?;
    let last: Option<(i64, i64)> =
        find.query_row([stretch], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let small = last.filter(|(_, length)| cells.len() <= FEW && *length < SMALL as i64);
    if let Some((number, _)) = small {
        let mut read =
            db.prepare_cached("SELECT cells FROM stretch_piece WHERE stretch_id = ?1 AND number = ?2")?;
        let before: Vec<u8> = read.query_row([stretch, number], |row| row.get(0))?;
        unpack(stretch, &before, |key, more| {
            cells.entry(key).and_modify(|figures| *figures += more).or_insert(more);
            Ok::<_, rusqlite::Error>(())
        })?;
    }
    let number = small.or(last.map(|(number, _)| (number + 1, 0))).map_or(0, |(number, _)| number);
    db.prepare_cached(
        "INSERT OR REPLACE INTO stretch_piece (stretch_id, number, cells) VALUES (?1, ?2, ?3)",
    )?
    .execute(params![stretch, number, pack(stretch, &cells)])?;
    Ok(())
}

/// Calls `each` with every cell of a stretch.
pub(super) fn read(
    db: &Database,
    stretch: i64,
    mut each: impl FnMut(CellKey, CellFigures) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let mut find =
        db.prepare_cached("SELECT cells FROM stretch_piece WHERE stretch_id = ?1 ORDER BY number")?;
    let mut rows = find.query([stretch])?;
    while let Some(row) = rows.next()? {
        unpack(stretch, row.get_ref(0)?.as_blob()?, &mut each)?;
    }
    Ok(())
}

/// Whether a store has such pieces.
pub(super) fn are_kept(db: &Database) -> rusqlite::Result<bool> {
    db.table_exists(Some("main"), "stretch_piece")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell() -> impl Strategy<Value = (CellKey, CellFigures)> {
        let key = (any::<i64>(), any::<i64>(), any::<(u16, u16)>(), 0..4_i64);
        let counts =
            any::<[u64; 7]>().prop_map(|all| all.map(|count| if count % 3 == 0 { 0 } else { count }));
        let of = |((remote, process, (proto, port), counted), counts, times): (_, [u64; 7], [i64; 4])| {
            let [connections, failed, inbound, inexact, tx_bytes, rx_bytes, preexisting] = counts;
            let [first, last, newest, id] = times;
            let key = CellKey {
                remote,
                process,
                service: (Proto(proto), port),
                counted: Counted::from_number(counted).unwrap(),
            };
            let figures = GroupFigures {
                connections,
                failed,
                inbound,
                inexact,
                tx_bytes,
                rx_bytes,
                ..GroupFigures::default()
            };
            let [first, last, newest] = [first, last, newest].map(Timestamp);
            (key, CellFigures { figures, preexisting, first, last, newest: (newest, id) })
        };
        (key, counts, any::<[i64; 4]>()).prop_map(of)
    }

    proptest! {
        #[test]
        fn cells_come_back(cells in prop::collection::btree_map(cell().prop_map(|cell| cell.0), cell().prop_map(|cell| cell.1), 0..20),
            stretch in any::<i32>(), cut in any::<u16>())
        {
            let stretch = stretch.into();
            let bytes = pack(stretch, &cells);
            let read = |bytes: &[u8]| {
                let mut read = Vec::new();
                let each = |key, figures| {
                    read.push((key, figures));
                    Ok::<_, ()>(())
                };
                unpack(stretch, bytes, each).unwrap();
                read
            };
            let all: Vec<_> = cells.clone().into_iter().collect();
            prop_assert_eq!(read(&bytes), all.clone());
            // What is damaged ends somewhere.
            let part = read(&bytes[..usize::from(cut) % bytes.len()]);
            prop_assert!(part.len() <= all.len());
        }
    }

    #[test]
    fn a_cell_takes_few_bytes() {
        let (stretch, start) = ((1 << (RUN_SHIFT - SHIFT)) + 3, connmon_fixtures::START);
        let mut cells = CellMap::new();
        for number in 0..1_000 {
            let first = Timestamp(start + (number * 7_919 % 1_000) * 4_000_000_000);
            let key = CellKey {
                remote: 10_000 + 20 * number,
                process: (1 << RUN_SHIFT) + 500 + number * 31 % 977,
                service: (Proto::TCP, 443),
                counted: Counted::Both,
            };
            let figures =
                GroupFigures { connections: 1, tx_bytes: 900, rx_bytes: 70_000, ..GroupFigures::default() };
            let last = Timestamp(first.0 + 6_000_000_000);
            let newest = (first, ids(stretch).0 + number % 10);
            cells.insert(key, CellFigures { figures, preexisting: 0, first, last, newest });
        }
        let each = pack(stretch, &cells).len() as f64 / cells.len() as f64;
        assert!(each < 30.0, "{each} bytes");
    }
}
