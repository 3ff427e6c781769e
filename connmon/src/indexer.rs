//! From segments to rows: the only way by which rows come to be, while a recording goes on and whenever they are made again.

use connmon_enrich::Enricher;
use connmon_enrich::geo::Geo;
use connmon_filter::ioc::Lists;
use connmon_filter::rules::Rules;
use connmon_record::frame::Start;
use connmon_record::rows::Batch;
use connmon_record::segment::{Packed, SegmentError};
use connmon_record::{ConnectionId, HostLocation, display_safe};
use connmon_store::{Debt, NewHit, StoreError, Writer};
use connmon_track::{CheckpointError, Tracker};

/// Matches of indicators that are told one by one, of those that are found at once.
const WARNINGS: usize = 50;
/// Segments after which what is known is kept, so that no more than these have to be read again.
const CHECKPOINT: u64 = 256;
/// Connections in one transaction from which on no further segment is added to it.
const ENOUGH: usize = 10_000;

/// Why there are no rows of a segment.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The store cannot be read or written; it can be tried again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The segment cannot be read.
    #[error("{0}")]
    Segment(#[from] SegmentError),
    /// What is known cannot be kept.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It is not there.
    #[error("segment {number} of recording {run} is not in the store")]
    Missing {
        /// The recording.
        run: i64,
        /// The number of the segment.
        number: u64,
    },
}

/// Segments in, rows out.
pub struct Indexer {
    tracker: Tracker,
    enricher: Enricher,
    store: Writer,
    /// Segments that the tracker has taken in.
    taken: u64,
    /// Rows that are not in the store yet.
    pending: Option<Batch>,
}

impl Indexer {
    /// Into `store`.
    pub fn new(enricher: Enricher, store: Writer) -> Self {
        Self { tracker: Tracker::default(), enricher, store, taken: 0, pending: None }
    }

    /// Begins a recording.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn begin(&mut self, start: &Start) -> Result<(), StoreError> {
        self.store.begin_segments(start)?;
        (self.tracker, self.taken) = (Tracker::default(), 0);
        Ok(())
    }

    /// Seals a segment.
    ///
    /// # Errors
    /// As [`Writer::seal`].
    pub fn seal(&mut self, packed: &Packed) -> Result<(), StoreError> {
        self.store.seal(packed)
    }

    /// How many segments have no rows yet.
    pub fn debt(&self) -> u64 {
        let unwritten = self.pending.as_ref().map_or(0, |batch| batch.segment.map_or(0, |_| 1));
        self.store.sealed().saturating_sub(self.taken) + unwritten
    }

    /// Makes rows of the next segments, in one transaction; `None` if there are none.
    ///
    /// # Errors
    /// The store cannot be read or written: what was made waits, and the next call tries again. A segment cannot be read.
    pub fn index(&mut self) -> Result<Option<Batch>, IndexError> {
        if self.pending.is_none() {
            self.take_in(self.store.run(), self.store.sealed())?;
        }
        let Some(batch) = &self.pending else { return Ok(None) };
        self.store.write(batch)?;
        warn_of(&self.store.take_news());
        Ok(self.pending.take())
    }

    /// Feeds the tracker the segments up to `last`, or as many as make a transaction.
    fn take_in(&mut self, run: i64, last: u64) -> Result<(), IndexError> {
        while self.taken < last {
            let number = self.taken + 1;
            let Some(mut batch) = self.read(run, number)? else { continue };
            batch.segment = Some(number);
            self.enricher.complete(&mut batch);
            let is_due = number.is_multiple_of(CHECKPOINT);
            if is_due {
                batch.checkpoint = Some(self.tracker.checkpoint()?);
            }
            let pending = self.pending.get_or_insert_default();
            pending.append(batch);
            if is_due || pending.connections.len() >= ENOUGH {
                break;
            }
        }
        Ok(())
    }

    /// Feeds the tracker a segment. Its rows depend on nothing but the segments before it, however many make a transaction. `None` if
    /// the clock has turned out to be right there, and not before: then all begins anew.
    fn read(&mut self, run: i64, number: u64) -> Result<Option<Batch>, IndexError> {
        let sealed = self.store.segment(run, number)?;
        let packed = sealed.and_then(|sealed| sealed.packed).ok_or(IndexError::Missing { run, number })?;
        packed.read(number, |frame| self.tracker.feed(frame))?;
        self.taken = number;
        if let Some(right) = self.tracker.take_found()
            && self.store.begin_anew(run, Some(right))?
        {
            self.go_on(run, 0)?;
            return Ok(None);
        }
        Ok(Some(self.tracker.take()))
    }

    /// Takes up a recording of which there are rows up to a segment: from the checkpoint before, or else from its beginning.
    fn go_on(&mut self, run: i64, indexed: u64) -> Result<(), IndexError> {
        self.pending = None;
        let checkpoint = self.store.checkpoint(run, indexed)?;
        let known =
            checkpoint.and_then(|(number, state)| Some((number, Tracker::from_checkpoint(&state).ok()?)));
        (self.taken, self.tracker) = known.unwrap_or_default();
        if self.taken > 0 {
            return Ok(());
        }
        if let Some(right) = self.store.clock_right(run)? {
            self.tracker.correct(right);
        }
        if self.tracker.connections() > 0 {
            // It goes on from another store, and what that one knew is told once more.
            self.tracker.begin_again();
        }
        Ok(())
    }

    /// Makes the rows that a recording which did not end in order left to be made; calls `each` with the number of the last segment that
    /// has them.
    ///
    /// # Errors
    /// A segment cannot be read, or the store cannot be written.
    pub fn settle(&mut self, debt: Debt, mut each: impl FnMut(u64)) -> Result<(), IndexError> {
        self.store.resume(debt.run);
        self.go_on(debt.run, debt.indexed)?;
        while self.taken < debt.indexed && self.read(debt.run, self.taken + 1)?.is_some() {
            // There are rows of these: only what is known after them is wanted.
        }
        while self.taken < debt.sealed {
            self.take_in(debt.run, debt.sealed)?;
            self.index()?;
            each(self.taken);
        }
        Ok(())
    }

    /// Writes the last rows into a store that has been moved, and goes on in a new one at its place, of which this is the start.
    ///
    /// # Errors
    /// As [`Self::index`].
    pub fn leave(&mut self) -> Result<Option<Start>, IndexError> {
        while self.index()?.is_some() {}
        self.store.write(&Batch { ended: true, segment: None, ..self.tracker.take() })?;
        self.tracker.begin_again();
        let mut batch = self.tracker.take();
        self.enricher.complete(&mut batch);
        // What the new store's segments do not tell.
        batch.checkpoint = Some(self.tracker.checkpoint()?);
        let start = batch.start.clone();
        self.pending = Some(batch);
        Ok(start)
    }

    /// Begins the new store, see [`Self::leave`]. May be called again if it fails.
    ///
    /// # Errors
    /// What stands at the path is no store, or there can be none.
    pub fn begin_elsewhere(&mut self, start: &Start) -> Result<(), StoreError> {
        self.store.begin_again()?;
        self.store.begin_segments(start)?;
        self.taken = 0;
        Ok(())
    }

    /// Connections met so far.
    pub fn connections(&self) -> i64 {
        self.tracker.connections()
    }

    /// Judges connections by something else from now on, and asks other databases.
    pub fn judge_by(&mut self, (rules, lists): (Rules, Lists), (geo, location): (Geo, Option<HostLocation>)) {
        self.enricher.replace(geo, location);
        self.store.judge_by(rules, lists);
    }

    /// The store, when nothing is to be made any more.
    pub fn into_store(self) -> Writer {
        self.store
    }

    /// The store.
    pub fn store(&mut self) -> &mut Writer {
        &mut self.store
    }
}

/// Tells of connections that match indicators: each once an indicator, and of a crowd how many more there are.
fn warn_of(news: &[NewHit]) {
    for NewHit { connection, hit } in news.iter().take(WARNINGS) {
        let who = connection.owner.as_ref().map_or_else(String::new, |owner| {
            format!(
                " of {} ({})",
                if owner.exe.is_empty() { owner.comm.shown() } else { owner.exe.shown() },
                owner.id.pid
            )
        });
        let line = format!(
            "connection {} to {}{who} matches {} in {}",
            ConnectionId(connection.id),
            connection.remote,
            hit.indicator.shown(),
            hit.list.name.shown()
        );
        tracing::warn!("{}", display_safe(&line));
    }
    if let more @ 1.. = news.len().saturating_sub(WARNINGS) {
        tracing::warn!("{more} more indicator matches; `connmon export --filter 'ioc:*'` lists them all");
    }
}
