//! The connections as data in the page, which its script reads: one column after the other, and dictionaries for what
//! repeats.
//!
//! ```text
//! gzip( length of the header, 4 bytes, little-endian
//!       header, JSON, filled with spaces to a multiple of 8 with its length
//!       columns: for each, its bytes by their weight: the lowest byte of every row, then the next …
//!       columns of what was moved when, for connections that did not move all of it when they were opened )
//! ```
//!
//! The header names the columns, how many bytes a value has, and whether values are differences from the row
//! before. `templates/js/payload.js` is the reader.

mod column;
mod compact;
mod dictionary;
mod header;
mod row;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;

use connmon_analysis::Window;
use connmon_record::{Connection, HostLocation, Rule, Run, Timestamp};
use dictionary::Dictionaries;
use header::StepsHeader;
use row::{PayloadRow, PayloadShare};
use steps::Steps;

/// How hard gzip tries: beyond, the time doubles for half a percent.
const LEVEL: u32 = 7;
/// The number of connections that are put into a page by default.
pub const DEFAULT_ROWS: usize = 100_000;

/// Collects the connections of a page, one by one. Memory grows with the rows kept, not with the rows added: a row has
/// a fixed size, and what repeats is kept once.
pub struct Payload {
    cap: usize,
    total: u64,
    rows: Vec<PayloadRow>,
    shares: HashMap<i64, Vec<PayloadShare>>,
    steps: Steps,
    more_names: HashMap<i64, Vec<i64>>,
    dictionaries: Dictionaries,
    last_words: HashMap<i64, Timestamp>,
    rules: Vec<Rule>,
}

/// What was put into a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Connections in the page.
    pub rows: u64,
    /// Connections that were chosen.
    pub total: u64,
}

impl Payload {
    /// An empty payload for connections of these recordings. Of more than `cap` connections, half are kept for their bytes, and of the
    /// others the newest.
    pub fn new(runs: &[Run], cap: usize) -> Self {
        Self {
            cap,
            total: 0,
            rows: Vec::new(),
            shares: HashMap::new(),
            steps: Steps::default(),
            more_names: HashMap::new(),
            dictionaries: Dictionaries::new(runs),
            rules: runs.iter().flat_map(|run| run.rules.clone()).collect(),
            last_words: runs.iter().map(|run| (run.id, run.last_flush)).collect(),
        }
    }

    /// Of connections it may be given so many with most bytes, and so many of the newest others, instead of all of them.
    pub fn enough(&self) -> [usize; 2] {
        [self.cap.div_ceil(2), self.cap / 2]
    }

    /// Counts connections that are not among those with most bytes, nor among the newest; see [`Payload::enough`].
    pub fn count(&mut self, connections: u64) {
        self.total += connections;
    }

    /// Adds a connection.
    pub fn add(&mut self, run: i64, connection: &Connection) {
        self.total += 1;
        let last_word = self.last_words.get(&run).copied().unwrap_or(connection.opened);
        let row = PayloadRow::new(run, connection, last_word, &mut self.dictionaries);
        if row.is_shared {
            self.shares
                .insert(connection.id, PayloadShare::of_connection(connection, &mut self.dictionaries));
        }
        if connection.names.len() > 1 {
            self.more_names.insert(connection.id, PayloadRow::more_names(connection));
        }
        self.steps.add(connection);
        self.rows.push(row);
        if self.rows.len() >= self.cap.saturating_mul(2).max(1024) {
            self.prune();
        }
    }

    /// Leaves out what more bytes or newer rows have pushed out.
    fn prune(&mut self) {
        if self.rows.len() <= self.cap {
            return;
        }
        let for_bytes = self.cap.div_ceil(2);
        self.rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.bytes(), row.id)));
        self.rows[for_bytes..].sort_unstable_by_key(|row| std::cmp::Reverse(row.id));
        for row in self.rows.drain(self.cap..) {
            self.shares.remove(&row.id);
            self.steps.remove(row.id);
            self.more_names.remove(&row.id);
        }
        // Entries that only the removed rows used would otherwise be most of the page, and of the memory.
        let mut kept = self.dictionaries.compact();
        for row in &mut self.rows {
            row.move_to(&mut kept);
        }
        for share in self.shares.values_mut().flatten() {
            share.process = kept.process(share.process);
        }
        self.dictionaries = kept.finish();
    }

    /// What the page will have.
    pub fn counts(&self) -> Written {
        Written { rows: self.rows.len().min(self.cap) as u64, total: self.total }
    }

    /// Writes the data. `window` is the time that the page covers, `home` where the host stands.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(
        mut self,
        window: Option<Window>,
        home: Option<&HostLocation>,
        out: impl Write,
    ) -> io::Result<Written> {
        self.prune();
        self.rows.sort_unstable_by_key(|row| (row.opened, row.id));
        let mut gzip = GzEncoder::new(out, Compression::new(LEVEL));
        let columns = column::columns(&self.rows);
        let (steps, seconds) = std::mem::take(&mut self.steps).finish(&self.rows, window);
        let step_columns = column::step_columns(&steps);
        let steps_of = StepsHeader {
            seconds,
            rows: steps.len(),
            columns: step_columns.iter().map(|column| header::describe(column, &steps)).collect(),
        };
        let mut header = self.header(&columns, steps_of, window, home)?;
        while !(header.len() + 4).is_multiple_of(8) {
            header.push(b' ');
        }
        let length = u32::try_from(header.len()).map_err(|_| io::Error::other("the header is too large"))?;
        gzip.write_all(&length.to_le_bytes())?;
        gzip.write_all(&header)?;
        drop(header);
        for column in &columns {
            column.write(&self.rows, &mut gzip)?;
        }
        for column in &step_columns {
            column.write(&steps, &mut gzip)?;
        }
        gzip.finish()?;
        Ok(self.counts())
    }
}
