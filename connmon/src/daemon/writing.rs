//! Seals segments and makes their rows, on a thread of its own, so that no lock, no slow and no full disk keeps the recorder from
//! reading the kernel's buffers. What cannot be written waits in memory, compressed and within limits, and is tried until it can.
//!
//! Sealing comes first and is urgent. Rows are made when a processor is idle, unless somebody waits for them.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::capture_file::{CaptureFile, Captured};
use super::confine::attempts;
use super::findings::Findings;
use super::retention::Retention;
use super::{Judgement, Viewers};
use crate::indexer::{IndexError, Indexer};
use connmon_analysis::format::bytes;
use connmon_live::update::ReloadNote;
use connmon_record::frame::Start;
use connmon_record::rows::Batch;
use connmon_record::segment::{Columns, Packed, Span};
use connmon_record::{LossCounters, display_safe};
use connmon_system::memory;
use connmon_system::priority::Urgency;

/// Memory for what waits to be sealed, bytes.
const ROOM: usize = 128 << 20;
/// How long it is waited before something is tried again: the first time, and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
/// What passes through before memory that was freed is handed back, once nothing waits, bytes.
const GIVE_BACK: usize = 16 << 20;
/// How often a trouble that goes on is told of.
const REMIND: Duration = Duration::from_secs(60);
/// Segments without rows from which on making them is urgent: so many seconds, as a rule.
const MAX_DEBT: u64 = 2;

/// What is to become a segment.
struct Job {
    columns: Columns,
    span: Span,
}

/// What the rows hold so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Written {
    /// Bytes sent.
    pub(super) tx_bytes: u64,
    /// Bytes received.
    pub(super) rx_bytes: u64,
    /// What was lost.
    pub(super) completeness: LossCounters,
    /// Connections that the recording's filter did not keep.
    pub(super) left_out: u64,
    /// Connections met.
    pub(super) connections: u64,
    /// Segments that have no rows yet.
    pub(super) debt: u64,
    /// Findings of each severity, the least first, that nobody has acknowledged.
    pub(super) findings: [u64; 4],
}

impl Written {
    /// Takes what was just written.
    pub(super) fn add(&mut self, batch: &Batch, indexer: &mut Indexer) {
        self.tx_bytes += batch.traffic.iter().map(|row| row.tx_bytes).sum::<u64>();
        self.rx_bytes += batch.traffic.iter().map(|row| row.rx_bytes).sum::<u64>();
        if let Some(completeness) = &batch.completeness {
            self.completeness = completeness.clone();
        }
        self.left_out = indexer.store().left_out();
        self.connections = u64::try_from(indexer.connections()).unwrap_or(0);
        self.debt = indexer.debt();
    }
}

/// The thread, and what is known of it.
pub(super) struct Writing {
    jobs: Sender<Job>,
    thread: JoinHandle<(Option<IndexError>, Captured)>,
    state: Arc<WritingState>,
    watched: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// What both sides know.
#[derive(Default)]
struct WritingState {
    /// Bytes of memory that wait to be sealed.
    waiting: AtomicUsize,
    /// How long the last segment and its rows took, microseconds.
    cost: AtomicU64,
    /// Jobs that were handed on and are not sealed.
    unsealed: AtomicUsize,
    written: Mutex<Written>,
    /// The thread's urgency, where it can be changed.
    urgency: OnceLock<Option<Urgency>>,
    /// Whoever waits for the end has lost patience.
    give_up: AtomicBool,
    /// The configuration that was read again.
    reload: Mutex<Option<(Option<Judgement>, ReloadNote)>>,
}

impl WritingState {
    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hurry(&self) {
        if let Some(Some(urgency)) = self.urgency.get() {
            urgency.hurry();
        }
    }
}

impl Writing {
    /// Starts the thread.
    ///
    /// # Errors
    /// There is no room for a thread.
    pub(super) fn start(
        indexer: Indexer,
        capture: CaptureFile,
        viewers: Viewers,
        written: Written,
        findings: Findings,
    ) -> io::Result<Self> {
        let (jobs, receiver) = mpsc::channel();
        let state = Arc::new(WritingState { written: Mutex::new(written), ..WritingState::default() });
        let watched: Arc<dyn Fn() -> bool + Send + Sync> = viewers.watched().into();
        let (shared, is_watched) = (state.clone(), watched.clone());
        let thread = thread::Builder::new().name("store".into()).spawn(move || {
            attempts::show("store");
            let urgency = *shared.urgency.get_or_init(Urgency::of_this_thread);
            let mut thread = Thread {
                indexer,
                capture,
                viewers,
                state: shared,
                is_watched,
                urgency,
                packed: VecDeque::new(),
                start: None,
                failing: None,
                passed: 0,
                retention: Retention::default(),
                findings,
            };
            (thread.run(&receiver), thread.capture.finish())
        })?;
        Ok(Self { jobs, thread, state, watched })
    }

    /// Hands on what is to become a segment; never waits.
    pub(super) fn put(&self, columns: Columns, span: Span) {
        self.state.waiting.fetch_add(columns.weight(), Ordering::Relaxed);
        self.state.unsealed.fetch_add(1, Ordering::SeqCst);
        // The thread ends only with us, or after it was told to give up.
        let _ = self.jobs.send(Job { columns, span });
        self.state.hurry();
    }

    /// What judges connections from the next rows on, unless it could not be read, and what viewers are told of that.
    pub(super) fn judge_by(&self, judgement: Option<Judgement>, note: ReloadNote) {
        let mut reload = self.state.reload.lock().unwrap_or_else(PoisonError::into_inner);
        // One that waits is not lost to a later one that failed.
        let judgement = judgement.or(reload.take().and_then(|(waiting, _)| waiting));
        *reload = Some((judgement, note));
    }

    /// Whether everything has been sealed.
    pub(super) fn is_idle(&self) -> bool {
        self.state.unsealed.load(Ordering::Relaxed) == 0
    }

    /// Bytes of memory that wait to be sealed.
    pub(super) fn waiting(&self) -> usize {
        self.state.waiting.load(Ordering::Relaxed)
    }

    /// Whether more may wait.
    pub(super) fn has_room(&self) -> bool {
        self.waiting() < ROOM
    }

    /// How long the last segment and its rows took.
    pub(super) fn cost(&self) -> Duration {
        Duration::from_micros(self.state.cost.load(Ordering::Relaxed))
    }

    /// What the rows hold so far.
    pub(super) fn written(&self) -> Written {
        self.state.written().clone()
    }

    /// Whether a viewer keeps up.
    pub(super) fn is_watched(&self) -> bool {
        (self.watched)()
    }

    /// Waits until everything is written; `impatient` is asked again and again, takes a moment, and says whether it is enough.
    ///
    /// # Errors
    /// Why the rest could not be written.
    pub(super) fn finish(
        self,
        mut impatient: impl FnMut() -> bool,
    ) -> Result<(Written, Captured), IndexError> {
        let Self { jobs, thread, state, .. } = self;
        drop(jobs);
        state.hurry();
        while !thread.is_finished() {
            if impatient() {
                state.give_up.store(true, Ordering::Relaxed);
            }
            thread.thread().unpark();
        }
        match thread.join() {
            Ok((None, captured)) => Ok((state.written().clone(), captured)),
            Ok((Some(error), _)) => Err(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
}

/// Something that cannot be written.
struct Failing {
    since: Instant,
    told: Option<Instant>,
    pause: Duration,
}

struct Thread {
    indexer: Indexer,
    capture: CaptureFile,
    viewers: Viewers,
    state: Arc<WritingState>,
    is_watched: Arc<dyn Fn() -> bool + Send + Sync>,
    urgency: Option<Urgency>,
    /// Segments that wait to be sealed.
    packed: VecDeque<Packed>,
    /// The store that was recorded into is not at its place any more, and this is how the next one begins.
    start: Option<Start>,
    failing: Option<Failing>,
    /// Bytes that were sealed since memory was last given back.
    passed: usize,
    retention: Retention,
    findings: Findings,
}

impl Thread {
    /// Works until the other side has gone; the reason if not everything could be written.
    fn run(&mut self, jobs: &Receiver<Job>) -> Option<IndexError> {
        let mut over = false;
        loop {
            over |= self.receive(jobs, over);
            self.capture.save();
            self.reload();
            let began = Instant::now();
            let result = self.seal().and_then(|()| self.make_rows(over));
            match result {
                Ok(worked) => {
                    self.recovered();
                    if worked {
                        self.findings.note_rows();
                        let cost = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                        self.state.cost.store(cost, Ordering::Relaxed);
                    }
                    if !over && (!worked || self.retention.is_behind()) {
                        self.retention.step(self.indexer.store());
                    }
                    if !over && !worked {
                        self.find();
                    }
                    if over && !self.has_work() {
                        self.findings.finish(self.indexer.store());
                        return None;
                    }
                }
                Err(error) => {
                    self.failed(&error, began);
                    if self.state.give_up.load(Ordering::Relaxed) {
                        return Some(error);
                    }
                }
            }
        }
    }

    fn reload(&mut self) {
        let reload = self.state.reload.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some((judgement, note)) = reload else { return };
        if let Some(Judgement { rules, lists, geo, location, retention, policies }) = judgement {
            self.findings.judge_by(policies);
            self.indexer.judge_by((rules, lists), (geo, location));
            self.indexer.store().keep_by(retention);
        }
        self.viewers.note_reload(note);
    }

    /// Looks for what is worth a look in the rows, when a processor is idle.
    fn find(&mut self) {
        if let Some(urgency) = self.urgency {
            urgency.wait_for_idle();
            // What came meanwhile hurried this thread before it said that it can wait.
            if self.state.unsealed.load(Ordering::SeqCst) > 0 {
                urgency.hurry();
                return;
            }
        }
        self.findings.step(self.indexer.store());
        if let Some(findings) = self.findings.take_told() {
            self.state.written().findings = findings.counts;
            self.viewers.note_findings(findings);
        }
    }

    fn has_work(&self) -> bool {
        !self.packed.is_empty() || self.start.is_some() || self.indexer.debt() > 0
    }

    /// Takes what has come, compressed from here on; waits for it only when there is nothing to be done. Whether nothing more comes.
    fn receive(&mut self, jobs: &Receiver<Job>, over: bool) -> bool {
        let mut wait = match &self.failing {
            Some(failing) => Some(failing.pause),
            None if self.has_work() || over => None,
            None => Some(self.retention.rest().min(self.findings.rest())),
        };
        loop {
            let next = match wait.take() {
                Some(_) if over => {
                    thread::park_timeout(self.failing.as_ref().map_or(FIRST_PAUSE, |failing| failing.pause));
                    Err(TryRecvError::Empty)
                }
                Some(pause) => jobs.recv_timeout(pause).map_err(|error| match error {
                    RecvTimeoutError::Timeout => TryRecvError::Empty,
                    RecvTimeoutError::Disconnected => TryRecvError::Disconnected,
                }),
                None => jobs.try_recv(),
            };
            match next {
                Ok(job) => self.pack(job),
                Err(error) => return error == TryRecvError::Disconnected,
            }
        }
    }

    fn pack(&mut self, Job { columns, span }: Job) {
        let weight = columns.weight();
        match Packed::new(&columns, span) {
            Ok(packed) => {
                self.capture.add(&packed);
                self.state.waiting.fetch_add(packed.payload.len(), Ordering::Relaxed);
                self.packed.push_back(packed);
            }
            // Only for want of memory.
            Err(error) => {
                self.state.unsealed.fetch_sub(1, Ordering::SeqCst);
                tracing::error!("{} events are lost: {error}", columns.frames());
            }
        }
        self.state.waiting.fetch_sub(weight, Ordering::Relaxed);
    }

    /// Seals what waits.
    fn seal(&mut self) -> Result<(), IndexError> {
        if let Some(urgency) = self.urgency.filter(|_| !self.packed.is_empty()) {
            urgency.hurry();
        }
        while let Some(next) = self.packed.front() {
            if self.start.is_none()
                && let Some(where_to) = self.indexer.store().moved()
            {
                tracing::warn!(
                    "{}, and with it the record up to here; the recording goes on in a new store at its place",
                    display_safe(&where_to)
                );
                self.start = self.indexer.leave()?;
            }
            if let Some(start) = &self.start {
                self.indexer.begin_elsewhere(start)?;
                self.findings.forget();
                self.start = None;
            }
            self.indexer.seal(next)?;
            let weight = next.payload.len();
            self.packed.pop_front();
            self.passed += weight;
            self.state.waiting.fetch_sub(weight, Ordering::Relaxed);
            self.state.unsealed.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(())
    }

    /// Makes rows of what is sealed, one transaction; whether there was something to be done.
    fn make_rows(&mut self, over: bool) -> Result<bool, IndexError> {
        let debt = self.indexer.debt();
        self.state.written().debt = debt;
        if debt == 0 {
            return Ok(false);
        }
        if let Some(urgency) = self.urgency {
            if over || debt > MAX_DEBT || (self.is_watched)() {
                urgency.hurry();
            } else {
                urgency.wait_for_idle();
                // What came meanwhile hurried this thread before it said that it can wait.
                if self.state.unsealed.load(Ordering::SeqCst) > 0 {
                    urgency.hurry();
                    return Ok(true);
                }
            }
        }
        let Some(batch) = self.indexer.index()? else { return Ok(true) };
        self.state.written().add(&batch, &mut self.indexer);
        self.viewers.tell(self.indexer.store(), batch);
        if self.passed >= GIVE_BACK && !self.has_work() {
            self.passed = 0;
            memory::give_back();
        }
        Ok(true)
    }

    /// What was tried at `began` did not succeed.
    fn failed(&mut self, error: &IndexError, began: Instant) {
        let now = Instant::now();
        let failing =
            self.failing.get_or_insert(Failing { since: began, told: None, pause: FIRST_PAUSE / 2 });
        failing.pause = (failing.pause * 2).min(LONGEST_PAUSE);
        if failing.told.is_none_or(|told| now - told >= REMIND) {
            failing.told = Some(now);
            let waits = bytes(self.state.waiting.load(Ordering::Relaxed) as u64);
            tracing::warn!(
                "{}; the recording goes on in memory ({waits} wait), and connmon will try again",
                display_safe(&error.to_string())
            );
        }
    }

    fn recovered(&mut self) {
        if let Some(Failing { since, .. }) = self.failing.take() {
            tracing::warn!("the store can be written again, after {} s", since.elapsed().as_secs());
        }
    }
}
