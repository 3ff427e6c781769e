//! The event loop of a recording. Owns the wall clock and the shutdown; nothing else in connmon reads a clock.

mod progress;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::io::unix::AsyncFd;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, sleep_until};

use crate::capture::bpf::{Capture, CaptureError};
use crate::capture::file::Writer as CaptureWriter;
use crate::capture::hosts::Hosts;
use crate::capture::witness::Witness;
use crate::capture::{Frame, interfaces, privileges};
use crate::config::Recording;
use crate::enrich::Enricher;
use crate::live::{Update, hub::Hub};
use crate::model::{ConnectionId, Endpoint, Timestamp, display_safe};
use crate::resolve::{ResolveError, Resolver};
use crate::store::{News, StoreError, Verdicts, Writer};
use crate::track::{Batch, Tracker};
use progress::Progress;

/// How often the ring is looked at when it does not call.
const TICK: Duration = Duration::from_millis(100);
/// How often the maps are swept and rows are written.
const FLUSH: Duration = Duration::from_secs(1);
/// How often, while a viewer keeps up: what happens is to be seen within half a second.
const LIVE_FLUSH: Duration = Duration::from_millis(180);
/// A sweep and its flush take at most this part of the time, unless [`FLUSH`] is due.
const LIVE_SHARE: u32 = 10;
/// How often viewers are told of the recording as a whole, nanoseconds.
const ABOUT: i64 = 1_000_000_000;
/// How often the counters of the interfaces are read.
const SAMPLE: Duration = Duration::from_secs(60);
/// Records taken from the ring before other work has its turn.
const DRAIN: usize = 4096;
/// How long the end of a recording waits for the hash of an executable.
const PATIENCE: Duration = Duration::from_secs(3);
/// Connections that wait for their transaction at most.
const MAX_WAITING: usize = 20_000;

/// Matches of indicators that are told one by one, of those that are found at once.
const WARNINGS: usize = 50;

/// Why a recording failed. What was committed before is safe.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The kernel side.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The capture file.
    #[error("the capture file {0} cannot be written: {1}")]
    File(String, std::io::Error),
    /// Reverse DNS.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
    /// The event loop.
    #[error("the event loop failed: {0}")]
    Loop(#[from] std::io::Error),
}

/// The time of day.
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// Everything behind the capture: frames in, rows in the store.
pub struct Pipeline {
    tracker: Tracker,
    enricher: Enricher,
    store: Writer,
    file: Option<(String, CaptureWriter)>,
    /// The first failure to write the capture file; reported at the next flush.
    file_error: Option<std::io::Error>,
    resolver: Option<Resolver>,
    frames: u64,
    hub: Option<Hub>,
    /// What the last flush found out, for viewers.
    verdicts: Verdicts,
    /// When viewers were last told of the recording as a whole.
    about: Timestamp,
}

impl Pipeline {
    /// A pipeline into `store`, and the raw frames into `file`.
    pub fn new(enricher: Enricher, store: Writer, file: Option<(String, CaptureWriter)>) -> Self {
        Self {
            tracker: Tracker::default(),
            enricher,
            store,
            file,
            file_error: None,
            resolver: None,
            frames: 0,
            hub: None,
            verdicts: Verdicts::default(),
            about: Timestamp(0),
        }
    }

    /// The same, and viewers are told of what was stored.
    #[must_use]
    pub fn telling(self, hub: Hub) -> Self {
        Self { hub: Some(hub), ..self }
    }

    /// Takes in a frame.
    pub fn feed(&mut self, frame: Frame) {
        self.frames += 1;
        if let Some((_, file)) = &mut self.file
            && let Err(error) = file.write(&frame)
        {
            self.file_error.get_or_insert(error);
        }
        if let (Some(resolver), Frame::Live(entry) | Frame::Closed(entry)) = (&mut self.resolver, &frame) {
            resolver.ask(Endpoint::from(&entry.remote).ip);
        }
        self.tracker.feed(frame);
    }

    /// Writes what has come together, in one transaction.
    ///
    /// # Errors
    /// The store or the capture file cannot be written.
    pub fn flush(&mut self) -> Result<Batch, RecordError> {
        if let Some((path, file)) = &mut self.file {
            let result = self.file_error.take().map_or_else(|| file.flush(), Err);
            result.map_err(|error| RecordError::File(path.clone(), error))?;
        }
        let mut batch = self.tracker.take();
        self.enricher.complete(&mut batch);
        self.store.write(&batch)?;
        warn_of(&self.store.take_news());
        self.verdicts = self.store.take_verdicts();
        Ok(batch)
    }

    /// Tells viewers of what was just flushed.
    fn tell(&mut self, batch: Batch) -> Result<(), RecordError> {
        let Some(hub) = &mut self.hub else { return Ok(()) };
        let due = batch.start.is_some() || batch.ended || batch.time.0.saturating_sub(self.about.0) >= ABOUT;
        let about = if due { self.store.about()? } else { None };
        if due {
            self.about = batch.time;
        }
        hub.tell(Update::of(batch, std::mem::take(&mut self.verdicts), about));
        Ok(())
    }

    /// How long after a flush that took so long the next one is due.
    fn period(&self, last: Duration) -> Duration {
        match &self.hub {
            Some(hub) if hub.is_watched() => (last * LIVE_SHARE).clamp(LIVE_FLUSH, FLUSH),
            _ => FLUSH,
        }
    }

    /// Has programs with sockets looked at, and takes in what was found.
    fn consult(&mut self, witness: &Witness) {
        for subject in self.tracker.take_subjects() {
            if let Some(facts) = witness.ask(subject) {
                self.feed(Frame::Program(facts));
            }
        }
        witness.answers().for_each(|facts| self.feed(Frame::Program(facts)));
        let names = self.resolver.as_ref().map(Resolver::answers);
        names.and_then(Capture::reverse).into_iter().for_each(|frame| self.feed(frame));
    }

    /// Whether a flush is due because of the number of rows.
    pub fn is_full(&self) -> bool {
        self.tracker.waiting() >= MAX_WAITING
    }

    /// Frames taken in so far.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Connections met so far.
    pub fn connections(&self) -> i64 {
        self.tracker.connections()
    }

    /// Connections that the recording's filter did not keep.
    pub fn left_out(&self) -> u64 {
        self.store.left_out()
    }
}

/// Tells of connections that match indicators: each once an indicator, and of a crowd how many more there are.
fn warn_of(news: &[News]) {
    for News { connection, hit } in news.iter().take(WARNINGS) {
        let who = connection.owner.as_ref().map_or_else(String::new, |owner| {
            format!(" of {} ({})", if owner.exe.is_empty() { &owner.comm } else { &owner.exe }, owner.id.pid)
        });
        let line = format!(
            "connection {} to {}{who} matches {} in {}",
            ConnectionId(connection.id),
            connection.remote,
            hit.indicator,
            hit.list.name
        );
        tracing::warn!("{}", display_safe(&line));
    }
    if let more @ 1.. = news.len().saturating_sub(WARNINGS) {
        tracing::warn!("{more} more indicator matches; `connmon export --filter 'ioc:*'` lists them all");
    }
}

/// Records until a signal or the end of the time, then sweeps a last time. `begun` is called when everything from now
/// on is recorded.
///
/// # Errors
/// The kernel refuses, or the store cannot be written; what was committed before is safe.
pub fn record(
    settings: &Recording,
    mut pipeline: Pipeline,
    begun: impl FnOnce(&str),
) -> Result<Pipeline, RecordError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // From here on Ctrl-C ends the recording in order, also while the probes are still being attached.
    let mut signals = {
        let _guard = runtime.enter();
        Signals { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? }
    };
    let mut backend = String::new();
    let mut capture = Capture::begin(settings.backend, settings.options, |frame| {
        if let Frame::Start(start) = &frame {
            backend.clone_from(&start.backend);
        }
        pipeline.feed(frame);
    })?;
    let mut hosts = Hosts::default();
    read_hosts(settings, &mut hosts, &mut pipeline);
    sample_interfaces(&mut pipeline);
    let mut progress = Progress::new();
    flush(&mut pipeline, &mut progress)?;
    privileges::reduce();
    begun(&backend);
    // Only now, with the rights that are left.
    let witness = Witness::start()?;
    pipeline.resolver = settings.resolve.map(Resolver::start).transpose()?;
    let parts = (&mut capture, &mut pipeline, &mut progress, &mut hosts);
    runtime.block_on(run(settings, &mut signals, parts, &witness))?;
    let mut witness = Some(witness);
    capture.finish(|frame| {
        // The end is the last frame; until just before it, bytes count.
        if matches!(frame, Frame::End(_))
            && let Some(witness) = witness.take()
        {
            sample_interfaces(&mut pipeline);
            pipeline.consult(&witness);
            witness.finish(PATIENCE).into_iter().for_each(|facts| pipeline.feed(Frame::Program(facts)));
            let names = pipeline.resolver.take().map(|resolver| resolver.finish(PATIENCE));
            names.and_then(Capture::reverse).into_iter().for_each(|frame| pipeline.feed(frame));
        }
        pipeline.feed(frame);
    })?;
    flush(&mut pipeline, &mut progress)?;
    progress.finish(&pipeline);
    Ok(pipeline)
}

/// Stores what has come together, then tells of it.
fn flush(pipeline: &mut Pipeline, progress: &mut Progress) -> Result<(), RecordError> {
    let batch = pipeline.flush()?;
    progress.add(&batch);
    pipeline.tell(batch)
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

/// What ends a recording.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

async fn run(
    settings: &Recording,
    signals: &mut Signals,
    (capture, pipeline, progress, hosts): (&mut Capture, &mut Pipeline, &mut Progress, &mut Hosts),
    witness: &Witness,
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
            _ = signals.interrupt.recv() => return Ok(()),
            _ = signals.terminate.recv() => return Ok(()),
            () = until(end) => return Ok(()),
            () = std::future::ready(()), if more => {}
            guard = ring.readable() => guard?.clear_ready(),
            _ = tick.tick() => {}
        }
        more = capture.drain(DRAIN, |frame| pipeline.feed(frame)) == DRAIN;
        let due = flushed.elapsed() >= pipeline.period(cost);
        let began = Instant::now();
        if due {
            // Under a load that never lets the ring become empty as well.
            capture.drain_all(|frame| pipeline.feed(frame));
            capture.sweep(|frame| pipeline.feed(frame))?;
        }
        if sampled.elapsed() >= SAMPLE {
            sample_interfaces(pipeline);
            read_hosts(settings, hosts, pipeline);
            sampled = Instant::now();
        }
        // Before the flush, which forgets what nobody has asked for.
        pipeline.consult(witness);
        if due || pipeline.is_full() {
            flush(pipeline, progress)?;
            progress.show(pipeline);
            flushed = Instant::now();
            cost = flushed - began;
        }
    }
}

async fn until(end: Option<tokio::time::Instant>) {
    match end {
        Some(end) => sleep_until(end).await,
        None => std::future::pending().await,
    }
}
