//! The event loop of a recording. Owns its clock and the shutdown.

mod capture_file;
mod confine;
mod cost;
mod findings;
mod keeper;
mod link;
mod metrics;
mod notify;
mod pipeline;
mod progress;
mod reload;
mod retention;
mod signals;
mod viewers;
mod writing;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;
use tokio::time::{Instant as Deadline, MissedTickBehavior, interval, sleep, sleep_until};

use crate::config::Recording;
use crate::indexer::{IndexError, Indexer};
use crate::stderr::Stderr;
use connmon_capture::boot_time_ns;
use connmon_capture::limits::LimitError;
use connmon_capture::privileges::RightsError;
use connmon_detect::Policy;
use connmon_live::listeners::Asked;
use connmon_live::update::ReloadNote;
use connmon_live::web::ServeError;
use connmon_live::web::metrics::Metrics;
use connmon_record::frame::{Frame, Start};
use connmon_record::segment::Packed;

use crate::resolve::{ResolveError, Resolver};
pub use capture_file::CaptureFile;
use capture_file::Captured;
use confine::attempts;
pub use confine::{Access, ConfineError, confine};
use connmon_store::StoreError;
use findings::Findings;
pub use keeper::Keeper;
use link::{Moment, Told};
use metrics::Board;
pub use notify::Notifier;
pub use pipeline::Pipeline;
use progress::Progress;
use reload::Reloads;
pub use reload::{Judgement, ReadAgain, Reloaded};
pub use signals::RELOAD;
use signals::{Request, Signals};
pub use viewers::Viewers;
use writing::{Writing, Written};

/// How often it is looked whether something else than the keeper has to say something.
const TICK: Duration = Duration::from_millis(100);
/// Pieces of what the keeper tells that are taken in before other work has its turn.
const PIECES: usize = 16;
/// How long the end of a recording waits for names.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the end of a recording waits for a store that cannot be written, and how often it is seen whether it can.
const LAST_TRIES: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// Why a recording failed. What was committed before is safe.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not enough files or memory.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Not enough rights.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// The kernel side, in the keeper's words.
    #[error("{0}")]
    Keeper(String),
    /// The keeper is not there any more.
    #[error(
        "the process that reads the kernel's buffers has ended: {0}; everything that it reported is stored"
    )]
    Gone(String),
    /// Rights cannot be given up.
    #[error(transparent)]
    Confine(#[from] ConfineError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows of what was sealed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store, at the end of a recording.
    #[error(
        "{0}; the store lacks everything recorded since it was last written, and the end of the recording"
    )]
    Unwritten(IndexError),
    /// The capture file.
    #[error("the capture file {0} is incomplete, while the store is not: {1}")]
    File(String, std::io::Error),
    /// Figures for monitoring.
    #[error(transparent)]
    Metrics(#[from] ServeError),
    /// Reverse DNS.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The event loop.
    #[error("the event loop failed: {0}")]
    Loop(#[from] std::io::Error),
}

/// What a recording is made with besides its settings.
pub struct Parts {
    /// The process that reads the kernel's buffers.
    pub keeper: Keeper,
    /// From frames to segments.
    pub pipeline: Pipeline,
    /// Where the segments go besides the store.
    pub capture: CaptureFile,
    /// From segments to rows.
    pub indexer: Indexer,
    /// The user's own rules, of which alerts tell.
    pub policies: Vec<Policy>,
    /// Those who look.
    pub viewers: Viewers,
    /// The service manager, if there is one.
    pub manager: Option<Notifier>,
    /// Where figures for monitoring are asked for.
    pub metrics: Option<Metrics>,
    /// Reads the configuration again.
    pub read: ReadAgain,
}

/// Records until a signal or the end of the time, then sweeps a last time. `begun` is called when everything from now
/// on is recorded. Once it has begun, a store that cannot be written does not end it.
///
/// # Errors
/// The kernel refuses, the store cannot be written at the start, or not even at the end; what was committed before is safe.
pub fn record(settings: &Recording, parts: Parts, begun: impl FnOnce(&str)) -> Result<(), RecordError> {
    attempts::show("recorder");
    let Parts { keeper, mut pipeline, mut capture, mut indexer, policies, mut viewers, .. } = parts;
    let (manager, metrics, read) = (parts.manager, parts.metrics, parts.read);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From here on Ctrl-C ends the recording in order, also while the probes are still being attached.
    let signals = {
        let _guard = runtime.enter();
        Signals::new(notify::is_service())?
    };
    let mut heard = Heard::new(&runtime, keeper, signals)?;
    heard.keeper.link.ask(link::Request::Begin);
    let (start, at) = runtime.block_on(attach(settings, &mut heard, &mut pipeline))?;
    // The kernel side begins with it.
    indexer.begin(&start)?;
    let (columns, span) = pipeline.take(at);
    let segment = Packed::new(&columns, span).map_err(IndexError::from)?;
    capture.add(&segment);
    indexer.seal(&segment)?;
    let first = indexer.index()?;
    let mut progress = Progress::new(manager);
    let listeners = viewers.serve();
    let mut written = Written::default();
    if let Some(first) = first {
        written.add(&first, &mut indexer);
        viewers.tell(indexer.store(), first);
    }
    let writing = Writing::start(indexer, capture, viewers, written, Findings::new(policies))?;
    pipeline.resolver = settings.resolve.map(Resolver::start).transpose()?;
    begun(&start.backend.shown());
    if let Some(metrics) = metrics {
        let board = Arc::new(Board::new(settings.db.clone(), start.started()));
        progress.note_to(board.clone());
        let _ = writeln!(Stderr, "metrics at http://{}/metrics", metrics.address());
        metrics.serve(board)?;
    }
    progress.begin();
    let mut recorder = Recorder {
        pipeline,
        writing,
        progress,
        listeners,
        reloads: Reloads::new(read),
        offset_ns: at.offset_ns,
    };
    let done = runtime.block_on(recorder.run(settings, &mut heard));
    // What came last, also of a keeper that did not come to its end.
    if recorder.pipeline.has_frames() {
        recorder.flush(Moment { boot_ns: boot_time_ns(), offset_ns: recorder.offset_ns });
    }
    let Recorder { pipeline, writing, mut progress, .. } = recorder;
    let written = finish(&runtime, &mut heard, writing).map_err(RecordError::Unwritten);
    let (written, captured) = written?;
    progress.ends(written);
    progress.finish(&pipeline);
    done?;
    captured.map_err(|(path, error)| RecordError::File(path, error))
}

/// Those who have a say in how long a recording goes on.
struct Heard {
    keeper: Keeper,
    /// The link's descriptor.
    link: AsyncFd<std::os::fd::OwnedFd>,
    signals: Signals,
    /// A second signal came: the end is not to be waited for.
    hurried: bool,
}

impl Heard {
    fn new(runtime: &Runtime, keeper: Keeper, signals: Signals) -> Result<Self, RecordError> {
        let link = std::os::fd::AsFd::as_fd(&keeper.link).try_clone_to_owned()?;
        let _guard = runtime.enter();
        // SAFETY: the descriptor is owned by what is registered, so it stays open and the same.
        let link = unsafe { AsyncFd::register(link) }.map_err(std::io::Error::other)?;
        Ok(Self { keeper, link, signals, hurried: false })
    }

    /// Why the keeper has closed the link without an end.
    fn gone(&self) -> RecordError {
        RecordError::Gone(self.keeper.wait().unwrap_or_else(|| "it ended by itself".into()))
    }
}

/// Has the probes attached; the start, and when everything was recorded.
async fn attach(
    settings: &Recording,
    heard: &mut Heard,
    pipeline: &mut Pipeline,
) -> Result<(Start, Moment), RecordError> {
    let mut begin = None;
    loop {
        tokio::select! {
            biased;
            request = heard.signals.recv() => if request == Request::End {
                heard.keeper.link.ask(link::Request::End);
            },
            guard = heard.link.readable() => guard?.clear_ready(),
        }
        while heard.keeper.link.fill()? {
            while let Some(told) = heard.keeper.link.next() {
                match told.map_err(std::io::Error::other)? {
                    Told::Frame(frame) => {
                        if let Frame::Start(start) = &frame {
                            warn_of_lacks(settings, start);
                            begin = Some(Start::clone(start));
                        }
                        pipeline.feed(frame);
                    }
                    Told::Payload(record) => pipeline.feed_payload(record),
                    Told::PayloadsUntil(time) => pipeline.payloads_until(time),
                    Told::Ready(at) => {
                        let start =
                            begin.ok_or_else(|| std::io::Error::other("a recording without a start"))?;
                        return Ok((start, at));
                    }
                    Told::Failed(why) => return Err(RecordError::Keeper(why)),
                    Told::Flush(_) | Told::Listeners(_) | Told::Cost(_) | Told::Full(_) => {}
                }
            }
            if heard.keeper.link.is_over() {
                return Err(heard.gone());
            }
        }
    }
}

/// Tells what this kernel does not allow; what was switched off is no news.
fn warn_of_lacks(settings: &Recording, start: &Start) {
    let lacks = [
        (connmon_record::NO_PACKETS, settings.options.wire && !start.wire),
        (connmon_record::NO_NAMES, settings.options.names && !start.names),
    ];
    let is_wanted = |note: &&connmon_record::Untrusted| {
        lacks.iter().any(|(begins, lacks)| *lacks && note.raw().starts_with(begins))
    };
    start.backend_notes.iter().filter(is_wanted).for_each(|note| tracing::warn!("{}", note.shown()));
}

/// What goes on while a recording does.
struct Recorder {
    pipeline: Pipeline,
    writing: Writing,
    progress: Progress,
    listeners: Asked,
    reloads: Reloads,
    /// CLOCK_REALTIME − CLOCK_BOOTTIME as the keeper last saw it, nanoseconds.
    offset_ns: i64,
}

impl Recorder {
    /// Takes in what the keeper tells until it has told everything.
    async fn run(&mut self, settings: &Recording, heard: &mut Heard) -> Result<(), RecordError> {
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let end = settings.length.map(|length| Deadline::now() + length);
        let (mut ending, mut ended, mut more) = (false, false, false);
        // What came together with the word that everything is recorded.
        self.hear(&mut heard.keeper, &mut ended)?;
        loop {
            // What is not read now waits in the link, and then with the keeper.
            let has_room = ending || self.writing.has_room();
            let mut is_due = false;
            tokio::select! {
                biased;
                request = heard.signals.recv() => match request {
                    Request::End if ending => heard.hurried = true,
                    Request::End => is_due = true,
                    Request::Reload => {
                        self.progress.reloads();
                        self.reloads.begin();
                    }
                },
                () = until(end), if !ending => is_due = true,
                () = std::future::ready(()), if more && has_room => {}
                guard = heard.link.readable(), if has_room => guard?.clear_ready(),
                _ = tick.tick() => {}
            }
            if is_due {
                ending = true;
                self.progress.end();
                heard.keeper.link.ask(link::Request::End);
            }
            if let Some(read) = self.reloads.take() {
                self.reload(read);
            }
            if self.listeners.is_due() {
                heard.keeper.link.ask(link::Request::Listeners);
            }
            let names = self.pipeline.resolver.as_ref().map(Resolver::answers);
            names.into_iter().for_each(|names| self.pipeline.feed_names(names));
            for _ in 0..PIECES {
                more = (ending || self.writing.has_room()) && heard.keeper.link.fill()?;
                if !more {
                    break;
                }
                self.hear(&mut heard.keeper, &mut ended)?;
                if heard.keeper.link.is_over() {
                    return if ended { Ok(()) } else { Err(heard.gone()) };
                }
            }
        }
    }

    /// Takes in what has come.
    fn hear(&mut self, keeper: &mut Keeper, ended: &mut bool) -> Result<(), RecordError> {
        let mut flush = None;
        while let Some(told) = keeper.link.next() {
            match told.map_err(std::io::Error::other)? {
                Told::Frame(frame) => {
                    if matches!(frame, Frame::End(_)) {
                        // The end is the last frame; whatever has been asked for comes before.
                        let names = self.pipeline.resolver.take().map(|resolver| resolver.finish(PATIENCE));
                        names.into_iter().for_each(|names| self.pipeline.feed_names(names));
                        *ended = true;
                    }
                    self.pipeline.feed(frame);
                }
                Told::Payload(record) => self.pipeline.feed_payload(record),
                Told::PayloadsUntil(time) => self.pipeline.payloads_until(time),
                Told::Flush(at) | Told::Ready(at) => flush = Some(at),
                Told::Listeners(found) => self.listeners.answer(found),
                Told::Cost(cost) => self.progress.costs(cost),
                Told::Full(full) => self.progress.is_full(full),
                Told::Failed(why) => return Err(RecordError::Keeper(why)),
            }
            if self.pipeline.is_full() {
                let at = Moment { boot_ns: boot_time_ns(), offset_ns: self.offset_ns };
                self.flush(at);
            }
            // What changes while the store is busy becomes one segment, unless that would be a large one.
            if let Some(at) = flush.take() {
                self.offset_ns = at.offset_ns;
                if self.writing.is_idle() {
                    self.flush(at);
                }
                self.progress.waits(&self.writing);
                self.progress.show(&self.pipeline);
                let cost = u64::try_from(self.writing.cost().as_micros()).unwrap_or(u64::MAX);
                keeper.link.ask(link::Request::Pace(cost, self.writing.is_watched()));
            }
        }
        Ok(())
    }

    /// Hands on what has come together.
    fn flush(&mut self, at: Moment) {
        let (columns, span) = self.pipeline.take(at);
        self.writing.put(columns, span);
    }

    /// What was read again is in force from here on; where it could not be read, what was before stays.
    fn reload(&mut self, read: Result<Reloaded, String>) {
        let (judgement, note) = match read {
            Ok(Reloaded { secrets, judgement, words }) => {
                self.pipeline.redact(secrets);
                (Some(judgement), ReloadNote { failed: false, words })
            }
            Err(words) => (None, ReloadNote { failed: true, words }),
        };
        self.progress.reloaded(&note);
        self.writing.judge_by(judgement, note);
    }
}

/// Waits until the store has everything, but not for ever if it cannot be written, and only until the next signal.
fn finish(runtime: &Runtime, heard: &mut Heard, writing: Writing) -> Result<(Written, Captured), IndexError> {
    let began = Instant::now();
    writing.finish(|| {
        let signalled = runtime.block_on(async {
            tokio::select! {
                request = heard.signals.recv() => request == Request::End,
                () = sleep(LOOK) => false,
            }
        });
        heard.hurried || signalled || began.elapsed() >= LAST_TRIES
    })
}

async fn until(end: Option<Deadline>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
