//! Writes batches on a thread of its own, so that no lock, no slow and no full disk keeps the recorder from reading the kernel's
//! buffers. What cannot be written waits in memory, within limits, and is tried until it can.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::Viewers;
use super::retention::Retention;
use crate::batch_writer::BatchWriter;
use connmon_analysis::format::bytes;
use connmon_capture::privileges;
use connmon_record::display_safe;
use connmon_record::rows::Batch;
use connmon_store::StoreError;
use connmon_system::memory;

/// Memory for batches that wait, bytes.
const ROOM: usize = 128 << 20;
/// How long it is waited before a batch is tried again: the first time, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What passes through before memory that was freed is handed back, once nothing waits, bytes.
const GIVE_BACK: usize = 16 << 20;
/// How often a trouble that goes on is told of.
const REMIND: Duration = Duration::from_secs(60);

/// A batch on its way into the store.
struct Job {
    batch: Batch,
    /// What is told of it after the last one of a store that was replaced: the recording has not ended.
    goes_on: bool,
}

/// The thread, and what is known of it.
pub(super) struct Writing {
    jobs: Sender<Job>,
    thread: JoinHandle<Option<StoreError>>,
    state: Arc<WritingState>,
    watched: Box<dyn Fn() -> bool>,
}

/// What both sides know.
#[derive(Default)]
struct WritingState {
    /// Bytes of memory that wait.
    waiting: AtomicUsize,
    /// How long the last batch took, microseconds.
    cost: AtomicU64,
    left_out: AtomicU64,
    /// The store is not at its place any more.
    moved: AtomicBool,
    /// Whoever waits for the end has lost patience.
    give_up: AtomicBool,
}

impl Writing {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is no room for a thread.
    pub(super) fn start(writer: BatchWriter, viewers: Viewers) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel();
        let state = Arc::new(WritingState::default());
        let (shared, watched) = (state.clone(), viewers.watched());
        let thread = thread::Builder::new().name("store".into()).spawn(move || {
            privileges::only_write();
            Thread { writer, viewers, state: shared, told: false }.run(&receiver)
        })?;
        Ok(Self { jobs, thread, state, watched })
    }

    /// Hands on a batch; never waits.
    pub(super) fn put(&self, batch: Batch) {
        self.send(Job { batch, goes_on: false });
    }

    /// Hands on the last batch of a store that is not at its place any more.
    pub(super) fn put_last(&self, batch: Batch) {
        self.send(Job { batch: Batch { ended: true, ..batch }, goes_on: true });
    }

    fn send(&self, job: Job) {
        self.state.waiting.fetch_add(job.batch.weight(), Ordering::Relaxed);
        // The thread ends only with us, or after it was told to give up.
        let _ = self.jobs.send(job);
    }

    /// Whether everything has been written.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting() == 0
    }

    /// Bytes of memory that wait.
    pub(super) fn waiting(&self) -> usize {
        self.state.waiting.load(Ordering::Relaxed)
    }

    /// Whether more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting() < ROOM
    }

    /// How long the last batch took.
    pub(super) fn cost(&self) -> Duration {
        Duration::from_micros(self.state.cost.load(Ordering::Relaxed))
    }

    /// Connections that the recording's filter did not keep.
    pub(super) fn left_out(&self) -> u64 {
        self.state.left_out.load(Ordering::Relaxed)
    }

    /// Whether a viewer keeps up.
    pub(super) fn is_watched(&self) -> bool {
        (self.watched)()
    }

    /// Whether the store has been moved or deleted since the last call.
    pub(super) fn take_moved(&self) -> bool {
        self.state.moved.swap(false, Ordering::Relaxed)
    }

    /// Waits until everything is written; `impatient` is asked again and again, takes a moment, and says whether it is enough.
    ///
    /// # Errors
    /// Why the rest could not be written.
    pub(super) fn finish(self, mut impatient: impl FnMut() -> bool) -> Result<(), StoreError> {
        let Self { jobs, thread, state, .. } = self;
        drop(jobs);
        while !thread.is_finished() {
            if impatient() {
                state.give_up.store(true, Ordering::Relaxed);
            }
            thread.thread().unpark();
        }
        match thread.join() {
            Ok(None) => Ok(()),
            Ok(Some(error)) => Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// A batch that cannot be written.
struct Failing {
    since: Instant,
    told: Option<Instant>,
}

struct Thread {
    writer: BatchWriter,
    viewers: Viewers,
    state: Arc<WritingState>,
    /// That the store has moved has been told.
    told: bool,
}

impl Thread {
    /// Writes until the other side has gone; the reason if not everything could be written.
    fn run(mut self, jobs: &Receiver<Job>) -> Option<StoreError> {
        let mut passed = 0;
        let mut retention = Retention::default();
        loop {
            let Job { mut batch, goes_on } = match jobs.recv_timeout(retention.rest()) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) => {
                    retention.step(self.writer.store());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let weight = batch.weight();
            let began = Instant::now();
            self.writer.complete(&mut batch);
            if let Err(error) = self.write(&batch) {
                return Some(error);
            }
            let cost = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.state.cost.store(cost, Ordering::Relaxed);
            self.state.left_out.store(self.writer.left_out(), Ordering::Relaxed);
            batch.ended &= !goes_on;
            self.viewers.tell(self.writer.store(), batch);
            passed += weight;
            let waited = self.state.waiting.fetch_sub(weight, Ordering::Relaxed);
            if passed >= GIVE_BACK && waited == weight {
                passed = 0;
                memory::give_back();
            }
        }
        None
    }

    /// Writes a batch, however often it has to be tried.
    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let mut failing: Option<Failing> = None;
        let mut pause = FIRST_PAUSE;
        while let Err(error) = self.try_once(batch) {
            let now = Instant::now();
            let failing = failing.get_or_insert(Failing { since: now, told: None });
            if failing.told.is_none_or(|told| now - told >= REMIND) {
                failing.told = Some(now);
                let waits = bytes(self.state.waiting.load(Ordering::Relaxed) as u64);
                tracing::warn!(
                    "{}; the recording goes on in memory ({waits} wait), and connmon will try again",
                    display_safe(&error.to_string())
                );
            }
            if self.state.give_up.load(Ordering::Relaxed) {
                return Err(error);
            }
            thread::park_timeout(pause);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        if let Some(Failing { since, .. }) = failing {
            tracing::warn!("the store can be written again, after {} s", since.elapsed().as_secs());
        }
        Ok(())
    }

    fn try_once(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.start.is_some() {
            self.writer.store().begin_again()?;
            self.told = false;
        } else if !self.told
            && let Some(where_to) = self.writer.store().moved()
        {
            tracing::warn!(
                "{}, and with it the record up to here; the recording goes on in a new store at its place",
                display_safe(&where_to)
            );
            self.told = true;
            self.state.moved.store(true, Ordering::Relaxed);
        }
        self.writer.write(batch)
    }
}
