//! Reads the cells of stretches for a summary, and says which connections must be read besides.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet, VecDeque};

use rusqlite::{CachedStatement, Connection as Database, OptionalExtension};

use super::super::names::AddressNameReader;
use super::super::processes::program;
use super::super::remotes::RemoteRows;
use super::super::{RUN_SHIFT, Store, StoreError};
use super::cells::Sizes;
use super::read::{Instead, matching, rest, usable};
use super::{SHIFT, locals, pieces};
use connmon_analysis::cells::CellRest;
use connmon_analysis::table::{Keyed, Table};
use connmon_analysis::{Builder, Cell, ProcessSource, ToldProcess};
use connmon_record::{End, Timestamp};

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
    /// Their stretches, if the names in these have not been given.
    pub(super) unnamed: Vec<i64>,
}

/// How much a summary is given.
#[derive(Clone, Copy, Debug)]
pub struct CellDetail {
    /// So many connections with most bytes may be shown by themselves, and so many of the newest others.
    pub most: [usize; 2],
    /// The names of all addresses. Those of the first ones can be given afterwards: see [`Store::describe`].
    pub names: bool,
}

impl Store {
    /// Gives a summary the cells of connections that lie between two times, and says which connections must be read besides.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn add_cells(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        builder: &mut Builder,
        CellDetail { most, names }: CellDetail,
    ) -> Result<InCells, StoreError> {
        let mut read = || {
            if !builder.takes_cells() || !pieces::are_kept(&self.db)? {
                return Ok(InCells::default());
            }
            // All of it as it was at one moment.
            let transaction = self.db.unchecked_transaction()?;
            let mut stretches = usable(&transaction, since, until)?;
            let mut find = transaction.prepare("SELECT cell_rows FROM stretch WHERE id = ?1")?;
            let (mut all, mut kept) = (CellRest::default(), HashSet::new());
            let count = |count: i64| u64::try_from(count).unwrap_or(0);
            for stretch in &stretches {
                let Some(rows) = find.query_row([stretch], |row| row.get(0))? else { continue };
                kept.insert(*stretch);
                all.rows += count(rows);
            }
            stretches.retain(|stretch| kept.contains(stretch));
            let mut reader = CellReader::new(&transaction, names)?;
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
            let unnamed = if names { Vec::new() } else { stretches.clone() };
            let mut unread = Instead::of(rest(&transaction, &stretches)?, stretches);
            builder.add_known(&here, &matching(&transaction, &unread)?);
            unread.read_too(&shown);
            Ok(InCells { unread, shown, rows: all.rows, unnamed })
        };
        read().map_err(|source| self.error(source))
    }
}

/// What a summary calls something that has an id in the store.
struct Told<T> {
    id: i64,
    told: T,
}

impl<T> Keyed for Told<T> {
    type Key = i64;

    fn key(&self) -> i64 {
        self.id
    }
}

/// Reads the cells of stretches.
struct CellReader<'db> {
    db: &'db Database,
    names: Option<AddressNameReader<'db>>,
    find_process: CachedStatement<'db>,
    find_remote: RemoteRows<'db>,
    processes: Table<Told<ToldProcess>>,
    remotes: Table<Told<u32>>,
}

impl<'db> CellReader<'db> {
    fn new(db: &'db Database, names: bool) -> rusqlite::Result<Self> {
        Ok(Self {
            db,
            names: names.then(|| AddressNameReader::new(db)).transpose()?,
            find_process: db.prepare_cached(
                "SELECT pid, start_ns, started, comm, exe, exe_state, kernel_thread, uid, user FROM process WHERE id = ?1",
            )?,
            find_remote: RemoteRows::new(db)?,
            processes: Table::default(),
            remotes: Table::default(),
        })
    }

    /// Gives a summary all that is known of a stretch.
    fn read(&mut self, stretch: i64, builder: &mut Builder) -> rusqlite::Result<()> {
        let run = stretch >> (RUN_SHIFT - SHIFT);
        let mut before = None;
        pieces::read(self.db, stretch, |key, figures| {
            // The cells of a remote address follow each other.
            let remote = match before {
                Some((id, remote)) if id == key.remote => remote,
                _ => self.remote(key.remote, figures.newest, builder)?,
            };
            before = Some((key.remote, remote));
            let source = ProcessSource::Stored(key.process);
            let process = if key.process == 0 { None } else { self.process(run, key.process, builder)? };
            let process = process.map(|process| (process, &source));
            let pieces::CellKey { service, counted, .. } = key;
            builder.add_cell(&Cell { process, remote, service, counted, figures });
            Ok(())
        })?;
        self.rest(stretch, builder)
    }

    /// A remote address. What is known of it is told once.
    fn remote(&mut self, id: i64, rank: (Timestamp, i64), builder: &mut Builder) -> rusqlite::Result<u32> {
        if let Some(place) = self.remotes.find(&id) {
            return Ok(self.remotes.rows()[place as usize].told);
        }
        let facts = self.find_remote.read(id)?;
        let told = builder.remote(facts.ip);
        builder.tell_remote(told, rank, facts.country.as_deref(), facts.place.as_ref());
        if let Some(names) = &mut self.names {
            let names = names.get(id)?;
            let names = names.iter().filter(|name| name.is_of_remote());
            builder.add_names(told, names.map(|name| name.name.borrowed()));
        }
        self.remotes.place(id, |id| Told { id, told });
        Ok(told)
    }

    /// A process; none where a damaged store lacks it.
    fn process(&mut self, run: i64, id: i64, builder: &mut Builder) -> rusqlite::Result<Option<ToldProcess>> {
        if let Some(place) = self.processes.find(&id) {
            return Ok(Some(self.processes.rows()[place as usize].told));
        }
        let Some((process, started, program)) = self.find_process.query_row([id], program).optional()? else {
            return Ok(None);
        };
        let told = builder.process(run, process, program, started);
        self.processes.place(id, |id| Told { id, told });
        Ok(Some(told))
    }

    fn rest(&self, stretch: i64, builder: &mut Builder) -> rusqlite::Result<()> {
        let db = self.db;
        if self.names.is_some() {
            let mut find =
                db.prepare_cached("SELECT remote_id, name FROM stretch_name WHERE stretch_id = ?1")?;
            let mut rows = find.query([stretch])?;
            while let Some(row) = rows.next()? {
                if let Some(place) = self.remotes.find(&row.get(0)?) {
                    let told = self.remotes.rows()[place as usize].told;
                    builder.add_names(told, [row.get_ref(1)?.as_str()?.into()].into_iter());
                }
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
