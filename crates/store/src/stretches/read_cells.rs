//! Reads the cells of stretches for a summary, and says which connections must be read besides.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use rusqlite::Connection as Database;

use super::super::processes::ProcessReader;
use super::super::remotes::RemoteReader;
use super::super::{RUN_SHIFT, Store, StoreError};
use super::cells::Sizes;
use super::read::{Instead, matching, rest, usable};
use super::{SHIFT, ids, locals};
use connmon_analysis::Builder;
use connmon_analysis::cells::{Cell, CellFigures, CellRemote, CellRest, Counted};
use connmon_analysis::groups::GroupFigures;
use connmon_record::{End, Proto, Timestamp, Untrusted};

/// Connections with most bytes, and the newest of the others.
struct Shown {
    /// How many of both.
    most: [usize; 2],
    by_bytes: BinaryHeap<Reverse<(u64, i64)>>,
    newest: VecDeque<i64>,
}

impl Shown {
    fn add(&mut self, id: i64, bytes: u64) {
        let [by_bytes, newest] = self.most;
        if self.by_bytes.len() < by_bytes {
            self.by_bytes.push(Reverse((bytes, id)));
        } else if let Some(mut least) = self.by_bytes.peek_mut().filter(|least| least.0 < (bytes, id)) {
            *least = Reverse((bytes, id));
        }
        self.newest.push_back(id);
        if self.newest.len() > by_bytes + newest {
            self.newest.pop_front();
        }
    }

    /// Their ids. The newest are the newest of those that are not chosen for their bytes.
    fn finish(self) -> HashSet<i64> {
        let Self { most: [_, newest], by_bytes, newest: ids } = self;
        let mut all: HashSet<i64> = by_bytes.into_iter().map(|Reverse((_, id))| id).collect();
        let others: Vec<i64> = ids.into_iter().rev().filter(|id| !all.contains(id)).take(newest).collect();
        all.extend(others);
        all
    }
}

/// The connections in the cells that a summary has been given.
#[derive(Default)]
pub struct InCells {
    /// Those that need not be read: all but `shown`.
    pub unread: Instead,
    /// Those that may be shown by themselves.
    pub shown: HashSet<i64>,
    /// All of them.
    pub rows: u64,
}

impl Store {
    /// Gives a summary the cells of connections that lie between two times, and says which connections must be read besides. Of
    /// those in cells, so many with most bytes may be shown, and so many of the newest others.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn add_cells(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        builder: &mut Builder,
        most: [usize; 2],
    ) -> Result<InCells, StoreError> {
        let mut read = || {
            if !builder.takes_cells() || !self.db.table_exists(Some("main"), "stretch_cell")? {
                return Ok(InCells::default());
            }
            // All of it as it was at one moment.
            let transaction = self.db.unchecked_transaction()?;
            let mut stretches = usable(&transaction, since, until)?;
            let mut find =
                transaction.prepare("SELECT cell_rows, long_lived, longest FROM stretch WHERE id = ?1")?;
            let (mut all, mut kept) = (CellRest::default(), HashSet::new());
            let count = |count: i64| u64::try_from(count).unwrap_or(0);
            for stretch in &stretches {
                let (rows, long, longest): (Option<i64>, i64, i64) =
                    find.query_row([stretch], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
                let Some(rows) = rows else { continue };
                kept.insert(*stretch);
                all.rows += count(rows);
                all.long_lived += count(long);
                all.longest_ns = all.longest_ns.max(longest);
            }
            stretches.retain(|stretch| kept.contains(stretch));
            let mut reader = CellReader::new(&transaction)?;
            let mut shown = Shown { most, by_bytes: BinaryHeap::new(), newest: VecDeque::new() };
            for stretch in &stretches {
                reader.read(*stretch, builder)?;
                let mut sizes = Vec::new();
                reader.sizes(*stretch, |id, bytes| sizes.push((id, bytes)))?;
                sizes.sort_unstable();
                sizes.into_iter().for_each(|(id, bytes)| shown.add(id, bytes));
            }
            builder.add_rest(&all);
            let here = if all.rows > 0 { locals(&transaction)? } else { HashSet::new() };
            let shown = shown.finish();
            let mut unread = Instead::of(rest(&transaction, &stretches)?, stretches);
            builder.add_known(&here, &matching(&transaction, &unread)?);
            unread.read_too(&shown);
            Ok(InCells { unread, shown, rows: all.rows })
        };
        read().map_err(|source| self.error(source))
    }
}

/// Reads the cells of stretches.
struct CellReader<'db> {
    db: &'db Database,
    processes: ProcessReader<'db>,
    remotes: RemoteReader<'db>,
    /// The addresses of which the summary knows what is known.
    told: HashMap<i64, IpAddr>,
}

impl<'db> CellReader<'db> {
    fn new(db: &'db Database) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            processes: ProcessReader::new(db)?,
            remotes: RemoteReader::new(db)?,
            told: HashMap::new(),
        })
    }

    /// Gives a summary all that is known of a stretch.
    fn read(&mut self, stretch: i64, builder: &mut Builder) -> rusqlite::Result<()> {
        let run = stretch >> (RUN_SHIFT - SHIFT);
        let mut find = self.db.prepare_cached(
            "SELECT remote_id, process_id, proto, port, counted, connections, failed, inbound, inexact, tx_bytes, rx_bytes,
                preexisting, first, last, newest, newest_id FROM stretch_cell WHERE stretch_id = ?1",
        )?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            let count = |column| row.get::<_, i64>(column).map(|count| count as u64);
            let first: i64 = row.get(12)?;
            let after = |column| row.get(column).map(|after: i64| Timestamp(first.saturating_add(after)));
            let remote = row.get(0)?;
            // What is known of an address is told once.
            let (ip, facts) = match self.told.get(&remote) {
                Some(ip) => (*ip, None),
                None => {
                    let facts = self.remotes.get(remote)?;
                    self.told.insert(remote, facts.ip);
                    (facts.ip, Some(facts))
                }
            };
            let known = facts.as_ref();
            let process = row.get(1)?;
            let process = if process == 0 { None } else { self.processes.get(process)? };
            let Some(counted) = Counted::from_number(row.get(4)?) else { continue };
            builder.add_cell(
                run,
                &Cell {
                    process: process.as_ref(),
                    remote: CellRemote {
                        ip,
                        country: known.and_then(|known| known.country.as_deref()),
                        place: known.and_then(|known| known.place.as_ref()),
                    },
                    service: (Proto(row.get(2)?), row.get(3)?),
                    counted,
                    figures: CellFigures {
                        figures: GroupFigures {
                            connections: count(5)?,
                            failed: count(6)?,
                            inbound: count(7)?,
                            inexact: count(8)?,
                            tx_bytes: count(9)?,
                            rx_bytes: count(10)?,
                            ..GroupFigures::default()
                        },
                        preexisting: count(11)?,
                        first: Timestamp(first),
                        last: after(13)?,
                        newest: (after(14)?, ids(stretch).0 + row.get::<_, i64>(15)?),
                    },
                },
            );
            if let Some(facts) = facts {
                let names = facts.names.iter().filter(|name| name.is_of_remote()).map(|name| &name.name);
                builder.add_names(ip, names);
            }
        }
        self.rest(stretch, run, builder)
    }

    fn rest(&mut self, stretch: i64, run: i64, builder: &mut Builder) -> rusqlite::Result<()> {
        let db = self.db;
        let mut find = db.prepare_cached("SELECT remote_id, name FROM stretch_name WHERE stretch_id = ?1")?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            let (remote, name): (i64, String) = (row.get(0)?, row.get(1)?);
            if let Some(ip) = self.told.get(&remote) {
                builder.add_names(*ip, [&Untrusted::from(name)]);
            }
        }
        let mut find = db.prepare_cached("SELECT end, connections FROM stretch_end WHERE stretch_id = ?1")?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            builder.add_ended(End::from_name(&row.get::<_, String>(0)?), row.get::<_, i64>(1)? as u64);
        }
        let mut find = db
            .prepare_cached("SELECT minute, connections, failed FROM stretch_minute WHERE stretch_id = ?1")?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            builder.add_opened(row.get(0)?, row.get::<_, i64>(1)? as u64, row.get::<_, i64>(2)? as u64);
        }
        let mut find = db.prepare_cached(
            "SELECT process_id, minute, connections FROM stretch_failed WHERE stretch_id = ?1",
        )?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            if let Some(process) = self.processes.get(row.get(0)?)? {
                builder.add_failed(run, process.id, row.get(1)?, row.get(2)?);
            }
        }
        Ok(())
    }

    /// Calls `each` with the ids and the bytes of the connections in cells.
    fn sizes(&self, stretch: i64, mut each: impl FnMut(i64, u64)) -> rusqlite::Result<()> {
        let mut find = self
            .db
            .prepare_cached("SELECT first, sizes FROM stretch_sizes WHERE stretch_id = ?1 ORDER BY first")?;
        let mut rows = find.query([stretch])?;
        while let Some(row) = rows.next()? {
            Sizes::read(row.get(0)?, row.get_ref(1)?.as_blob()?, &mut each);
        }
        Ok(())
    }
}
