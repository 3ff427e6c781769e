//! The event loop of a recording. Owns its clock and the shutdown.

mod clock;
mod metrics;
mod notify;
mod pipeline;
mod progress;
mod reload;
mod retention;
mod signals;
mod sweeps;
mod viewers;
mod writing;

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::unix::AsyncFd;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, sleep, sleep_until};

use crate::config::Recording;
use crate::indexer::{IndexError, Indexer};
use crate::stderr::Stderr;
use connmon_capture::bpf::{Capture, CaptureError};
use connmon_capture::hosts::Hosts;
use connmon_capture::inspector::ExecutableInspector;
use connmon_capture::limits::LimitError;
use connmon_capture::privileges::RightsError;
use connmon_capture::{interfaces, privileges, surroundings};
use connmon_live::update::ReloadNote;
use connmon_live::web::ServeError;
use connmon_live::web::metrics::Metrics;
use connmon_record::frame::Frame;
use connmon_record::segment::Packed;
use connmon_system::priority;

use crate::resolve::{ResolveError, Resolver};
use clock::Clock;
use connmon_store::StoreError;
use metrics::Board;
pub use pipeline::Pipeline;
use progress::Progress;
use reload::Reloads;
pub use reload::{Judgement, ReadAgain, Reloaded};
pub use signals::RELOAD;
use signals::{Request, Signals};
use sweeps::Sweeps;
pub use viewers::Viewers;
use writing::{Writing, Written};

/// How often the ring is looked at when it does not call.
const TICK: Duration = Duration::from_millis(100);
/// How often the maps are swept and rows are written.
const FLUSH: Duration = Duration::from_secs(1);
/// How often, while a viewer keeps up: what happens is to be seen within half a second.
const LIVE_FLUSH: Duration = Duration::from_millis(180);
/// A sweep and its flush take at most this part of the time, unless [`FLUSH`] is due.
const LIVE_SHARE: u32 = 10;
/// How often the counters of the interfaces are read.
const SAMPLE: Duration = Duration::from_secs(60);
/// Records taken from the ring before other work has its turn.
const DRAIN: usize = 4096;
/// How long the end of a recording waits for the hash of an executable.
const PATIENCE: Duration = Duration::from_secs(3);
/// How long the end of a recording waits for a store that cannot be written, and how often it is seen whether it can.
const LAST_TRIES: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// What is watched of the host beside its network, and of how it is watched.
struct Host {
    hosts: Hosts,
    clock: Clock,
    sweeps: Sweeps,
    reloads: Reloads,
}

/// Why a recording failed. What was committed before is safe.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Not enough files or memory.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// Not enough rights.
    #[error(transparent)]
    Rights(#[from] RightsError),
    /// The kernel side.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Rows of what was sealed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The store, at the end of a recording.
    #[error(
        "{0}; what was recorded since it was last written is not in it, and the recording has no end in it"
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

/// Records until a signal or the end of the time, then sweeps a last time. `begun` is called when everything from now
/// on is recorded, `read` when the configuration is to be read again. Once it has begun, a store that cannot be written does not end it.
///
/// # Errors
/// The kernel refuses, the store cannot be written at the start, or not even at the end; what was committed before is safe.
pub fn record(
    settings: &Recording,
    mut pipeline: Pipeline,
    (mut indexer, mut viewers): (Indexer, Viewers),
    begun: impl FnOnce(&str),
    read: ReadAgain,
) -> Result<(), RecordError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From here on Ctrl-C ends the recording in order, also while the probes are still being attached.
    let mut signals = {
        let _guard = runtime.enter();
        Signals::new(notify::is_service())?
    };
    let metrics = settings.metrics.map(Metrics::bind).transpose()?;
    surroundings::notes().iter().for_each(|note| tracing::warn!("{note}"));
    let (mut backend, mut offset_ns, mut begin) = (String::new(), 0, None);
    let mut capture = Capture::begin(settings.backend, settings.options, |frame| {
        if let Frame::Start(start) = &frame {
            backend.clone_from(&start.backend);
            offset_ns = start.clock_offset_ns;
            begin = Some(start.clone());
            // What was switched off is no news.
            let lacks = [
                (connmon_record::NO_PACKETS, settings.options.wire && !start.wire),
                (connmon_record::NO_NAMES, settings.options.names && !start.names),
            ];
            let is_wanted =
                |note: &&str| lacks.iter().any(|(begins, lacks)| *lacks && note.starts_with(begins));
            connmon_record::lacks(&start.backend_notes)
                .filter(is_wanted)
                .for_each(|note| tracing::warn!("{note}"));
        }
        pipeline.feed(frame);
    })?;
    let mut host = Host {
        hosts: Hosts::default(),
        clock: Clock::new(offset_ns),
        sweeps: Sweeps::default(),
        reloads: Reloads::new(read),
    };
    read_hosts(settings, &mut host.hosts, &mut pipeline);
    sample_interfaces(&mut pipeline);
    pipeline.save_frames();
    // The kernel side begins with it.
    if let Some(start) = begin {
        indexer.begin(&start)?;
    }
    let (columns, span) = pipeline.take(host.clock.now_ns(), host.clock.offset_ns());
    indexer.seal(&Packed::new(&columns, span).map_err(IndexError::from)?)?;
    let first = indexer.index()?;
    let mut progress = Progress::new();
    // Without it the thread that makes rows is as urgent as any.
    let _ = priority::allow_hurrying();
    privileges::reduce();
    // All threads begin only now, with the rights that are left, and give up what they do not need.
    viewers.serve();
    let mut written = Written::default();
    if let Some(first) = first {
        written.add(&first, &mut indexer);
        viewers.tell(indexer.store(), first);
    }
    let writing = Writing::start(indexer, viewers, written)?;
    let mut inspector = ExecutableInspector::start()?;
    pipeline.resolver =
        settings.resolve.map(|server| Resolver::start(server, privileges::none)).transpose()?;
    begun(&backend);
    if let Some(metrics) = metrics {
        let board = Arc::new(Board::new(settings.db.clone(), host.clock.now()));
        progress.note_to(board.clone());
        let _ = writeln!(Stderr, "metrics at http://{}/metrics", metrics.address());
        metrics.serve(privileges::none, board)?;
    }
    progress.begin();
    let parts = (&mut capture, &mut pipeline, &mut host);
    runtime.block_on(run(settings, &mut signals, parts, (&writing, &mut progress), &mut inspector))?;
    progress.end();
    let mut inspector = Some(inspector);
    let swept = capture.finish(|frame| {
        // The end is the last frame; until just before it, bytes count.
        if matches!(frame, Frame::End(_))
            && let Some(mut inspector) = inspector.take()
        {
            sample_interfaces(&mut pipeline);
            host.clock.look().into_iter().for_each(|frame| pipeline.feed(frame));
            consult(&mut pipeline, &mut inspector);
            inspector.finish(PATIENCE).into_iter().for_each(|facts| pipeline.feed(Frame::Program(facts)));
            let names = pipeline.resolver.take().map(|resolver| resolver.finish(PATIENCE));
            names.and_then(Capture::reverse).into_iter().for_each(|frame| pipeline.feed(frame));
        }
        pipeline.feed(frame);
    });
    if let Err(error) = swept {
        host.sweeps.end(&error, &mut pipeline, &host.clock);
    }
    pipeline.resume(host.clock.now_ns());
    flush(&mut pipeline, &writing, &host.clock);
    progress.ends(finish(&runtime, &mut signals, writing).map_err(RecordError::Unwritten)?);
    progress.finish(&pipeline);
    pipeline.capture_is_whole().map_err(|(path, error)| RecordError::File(path, error))
}

/// Waits until the store has everything, but not for ever if it cannot be written, and only until the next signal.
fn finish(runtime: &Runtime, signals: &mut Signals, writing: Writing) -> Result<Written, IndexError> {
    let began = Instant::now();
    writing.finish(|| {
        let signalled = runtime.block_on(async {
            tokio::select! {
                request = signals.recv() => request == Request::End,
                () = sleep(LOOK) => false,
            }
        });
        signalled || began.elapsed() >= LAST_TRIES
    })
}

/// Hands on what has come together.
fn flush(pipeline: &mut Pipeline, writing: &Writing, clock: &Clock) {
    pipeline.save_frames();
    let (columns, span) = pipeline.take(clock.now_ns(), clock.offset_ns());
    writing.put(columns, span);
}

/// Has programs with sockets looked at, and takes in what was found.
fn consult(pipeline: &mut Pipeline, inspector: &mut ExecutableInspector) {
    for subject in pipeline.take_subjects() {
        if let Some(facts) = inspector.inspect(subject) {
            pipeline.feed(Frame::Program(facts));
        }
    }
    inspector.take_results().into_iter().for_each(|facts| pipeline.feed(Frame::Program(facts)));
    let names = pipeline.resolver.as_ref().map(Resolver::answers);
    names.and_then(Capture::reverse).into_iter().for_each(|frame| pipeline.feed(frame));
}

/// What was read again is in force from here on; where it could not be read, what was before stays.
fn reload(
    read: Result<Reloaded, String>,
    pipeline: &mut Pipeline,
    writing: &Writing,
    progress: &mut Progress,
) {
    let (judgement, note) = match read {
        Ok(Reloaded { secrets, judgement, words }) => {
            pipeline.redact(secrets);
            (Some(judgement), ReloadNote { failed: false, words })
        }
        Err(words) => (None, ReloadNote { failed: true, words }),
    };
    progress.reloaded(&note);
    writing.judge_by(judgement, note);
}

/// How long after a flush that took so long the next one is due.
fn period(writing: &Writing, last: Duration) -> Duration {
    if writing.is_watched() { (last * LIVE_SHARE).clamp(LIVE_FLUSH, FLUSH) } else { FLUSH }
}

/// Hands on what the interfaces have counted. Without it there is no comparison, and the audit says so.
fn sample_interfaces(pipeline: &mut Pipeline) {
    match interfaces::sample() {
        Ok(frame) => pipeline.feed(frame),
        Err(error) => tracing::warn!("the counters of the interfaces cannot be read: {error}"),
    }
}

/// Hands on the host's own list of names, if it has changed.
fn read_hosts(settings: &Recording, hosts: &mut Hosts, pipeline: &mut Pipeline) {
    if !settings.options.names {
        return;
    }
    match hosts.changed() {
        Ok(frame) => frame.into_iter().for_each(|frame| pipeline.feed(frame)),
        Err(error) => tracing::warn!("/etc/hosts cannot be read: {error}"),
    }
}

async fn run(
    settings: &Recording,
    signals: &mut Signals,
    (capture, pipeline, host): (&mut Capture, &mut Pipeline, &mut Host),
    (writing, progress): (&Writing, &mut Progress),
    inspector: &mut ExecutableInspector,
) -> Result<(), RecordError> {
    // SAFETY: the descriptor is owned by what is registered, so it stays open and the same.
    let ring = unsafe { AsyncFd::register(capture.ring_fd()?) }.map_err(std::io::Error::other)?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let end = settings.length.map(|length| tokio::time::Instant::now() + length);
    let mut flushed = Instant::now();
    let mut cost = Duration::ZERO;
    let mut sampled = Instant::now();
    let mut more = false;
    loop {
        tokio::select! {
            biased;
            request = signals.recv() => match request {
                Request::End => return Ok(()),
                Request::Reload => {
                    progress.reloads();
                    host.reloads.begin();
                }
            },
            () = until(end) => return Ok(()),
            () = std::future::ready(()), if more => {}
            guard = ring.readable() => guard?.clear_ready(),
            _ = tick.tick() => {}
            () = sleep(host.clock.to_next_step()) => {}
        }
        // Before what happens from now on is taken in.
        host.clock.look().into_iter().for_each(|frame| pipeline.feed(frame));
        if let Some(read) = host.reloads.take() {
            reload(read, pipeline, writing, progress);
        }
        if !writing.has_room() {
            // From here on the kernel's own buffers are what there is; what they cannot hold they count.
            progress.is_full();
            if pipeline.pause(host.clock.now_ns()) {
                tracing::warn!(
                    "the memory for what waits to be stored is used up: from here on events may be lost"
                );
            }
            (more, flushed) = (false, Instant::now());
            progress.waits(writing);
            progress.show(pipeline);
            continue;
        }
        more = capture.drain(DRAIN, |frame| pipeline.feed(frame)) == DRAIN;
        let due = flushed.elapsed() >= period(writing, cost) || host.sweeps.is_new_step(host.clock.now());
        let began = Instant::now();
        if due {
            // Under a load that never lets the ring become empty as well.
            capture.drain_all(|frame| pipeline.feed(frame));
            let swept = capture.sweep(|frame| pipeline.feed(frame));
            host.sweeps.took(swept, (host.clock.now(), host.clock.now_ns()));
            pipeline.resume(host.clock.now_ns());
        }
        if sampled.elapsed() >= SAMPLE {
            sample_interfaces(pipeline);
            read_hosts(settings, &mut host.hosts, pipeline);
            sampled = Instant::now();
        }
        // Before the flush, which forgets what nobody has asked for.
        consult(pipeline, inspector);
        // What changes while the store is busy becomes one segment, unless that would be a large one.
        if (due && writing.is_idle()) || pipeline.is_full() {
            flush(pipeline, writing, &host.clock);
        }
        if due {
            progress.waits(writing);
            progress.show(pipeline);
            flushed = Instant::now();
            cost = (flushed - began).max(writing.cost());
        }
    }
}

async fn until(end: Option<tokio::time::Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
