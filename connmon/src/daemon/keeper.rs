//! The keeper: the process that has the rights to read the kernel's buffers and to look at processes of others. It takes records of
//! fixed forms, procfs, and files that only root writes, looks into nothing that strangers wrote, and hands all of it to the recorder,
//! which has no rights.

mod clock;
mod sweeps;

use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::RecordError;
use super::confine::{self, attempts};
use super::cost::Cost;
use super::link::{self, KeeperEnd, Moment, RecorderEnd, Request, Told};
use super::signals;
use crate::config::Recording;
use crate::stderr::{self, Stderr};
use clock::Clock;
use connmon_capture::bpf::{Capture, CaptureError, Event};
use connmon_capture::hosts::Hosts;
use connmon_capture::inspector::ExecutableInspector;
use connmon_capture::{interfaces, privileges, surroundings};
use connmon_live::Listener;
use connmon_live::listeners::ListenerScan;
use connmon_record::frame::Frame;
use connmon_track::{ProgramWatch, lost};
use sweeps::Sweeps;

/// How often the ring is looked at when it does not call.
const TICK: Duration = Duration::from_millis(100);
/// How often the maps are swept.
const FLUSH: Duration = Duration::from_secs(1);
/// How often, while a viewer keeps up: what happens is to be seen within half a second.
const LIVE_FLUSH: Duration = Duration::from_millis(180);
/// A sweep and what follows of it take at most this part of the time, unless [`FLUSH`] is due.
const LIVE_SHARE: u32 = 10;
/// How often the counters of the interfaces are read, and what this process costs.
const SAMPLE: Duration = Duration::from_secs(60);
const COST: Duration = Duration::from_secs(5);
/// Records taken from the ring before other work has its turn.
const DRAIN: usize = 4096;
/// Bytes that wait for the recorder; beyond, the kernel's buffers are not read.
const ROOM: usize = 32 << 20;
/// How long the end of a recording waits for the hash of an executable.
const PATIENCE: Duration = Duration::from_secs(3);

/// The keeper as the recorder sees it.
pub struct Keeper {
    pid: libc::pid_t,
    pub(super) link: RecorderEnd,
}

impl Keeper {
    /// Starts it: a copy of this process, which must have no other thread yet. It waits until it is told to begin, and ends with
    /// this process.
    ///
    /// # Errors
    /// There is no room for a process.
    pub fn start(settings: &Recording) -> Result<Self, RecordError> {
        let (recorder, keeper) = link::pair()?;
        // SAFETY: this process has one thread, so the copy has everything that it needs.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error().into()),
            0 => {
                drop(recorder);
                let kept = catch_unwind(AssertUnwindSafe(|| keep(settings, keeper)));
                stderr::finish();
                // SAFETY: ends this process; what the other one has to do at its end is left to it.
                unsafe { libc::_exit(if kept.is_ok() { 0 } else { 101 }) }
            }
            pid => Ok(Self { pid, link: recorder }),
        }
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Waits for its end, once it has closed its end of the link; how it ended, if not in order.
    pub(super) fn wait(&self) -> Option<String> {
        let mut status = 0;
        // SAFETY: `status` is valid for writing.
        while unsafe { libc::waitpid(self.pid, &raw mut status, 0) } < 0 {
            if io::Error::last_os_error().raw_os_error() != Some(libc::EINTR) {
                return None;
            }
        }
        match () {
            () if libc::WIFSIGNALED(status) => Some(format!("signal {} ended it", libc::WTERMSIG(status))),
            () if libc::WEXITSTATUS(status) != 0 => Some(format!("exit code {}", libc::WEXITSTATUS(status))),
            () => None,
        }
    }
}

/// The whole life of the keeper.
fn keep(settings: &Recording, mut link: KeeperEnd) {
    become_keeper();
    // Whoever has no use for it any more closes the other end.
    if link.wait().ok() != Some(Request::Begin) {
        return;
    }
    surroundings::notes().iter().for_each(|note| tracing::warn!("{note}"));
    let mut told =
        Telling { link, watch: ProgramWatch::default(), clock_offset_ns: 0, lost: 0, paused: None };
    let begun = Capture::begin(settings.backend, settings.options, &mut |event| told.event(event));
    let result = begun.map_err(|error| error.to_string()).and_then(|capture| {
        confine::confine_keeper().map_err(|error| error.to_string())?;
        attempts::show("keeper");
        record(settings, capture, &mut told).map_err(|error| error.to_string())
    });
    if let Err(why) = result {
        told.link.tell(&Told::Failed(why));
    }
    // Without a recorder there is nobody to tell.
    let _ = told.link.finish();
}

/// Gives this process its name, has it end with the recorder, and leaves signals from a terminal to that one.
fn become_keeper() {
    // Opened now, so that something can be said when there are no more descriptors.
    let _ = Stderr.flush();
    signals::ignore_all();
    // SAFETY: plain settings of this process (prctl(2)).
    unsafe {
        libc::prctl(libc::PR_SET_NAME, c"keeper".as_ptr());
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
    }
}

/// What goes to the recorder, and what is noted of it on its way.
struct Telling {
    link: KeeperEnd,
    watch: ProgramWatch,
    clock_offset_ns: i64,
    /// Events that were lost so far.
    lost: u64,
    /// Since when the kernel's buffers are not read, nanoseconds of CLOCK_BOOTTIME, and what had been lost before.
    paused: Option<(u64, u64)>,
}

impl Telling {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Frame(frame) => self.frame(frame),
            Event::Payload(bytes) => self.link.tell(&Told::Payload(bytes)),
            Event::PayloadsUntil(time) => self.link.tell(&Told::PayloadsUntil(time)),
        }
        // A recorder that has gone is noticed when it is heard.
        let _ = self.link.push_piece();
    }

    fn frame(&mut self, frame: Frame) {
        match &frame {
            Frame::Start(start) => self.clock_offset_ns = start.clock_offset_ns,
            Frame::Counters(counters) => self.lost = lost(counters),
            _ => {}
        }
        self.watch.feed(&frame);
        self.link.tell(&Told::Frame(frame));
    }

    /// The kernel's buffers are not read any more, for want of memory.
    fn pause(&mut self, now_ns: u64) {
        if self.paused.is_none() {
            self.paused = Some((now_ns, self.lost));
            self.link.tell(&Told::Full(true));
        }
    }

    /// They are read again, and all counters have been: what was lost meanwhile is a gap.
    fn resume(&mut self, now_ns: u64) {
        let Some((from_ns, before)) = self.paused.take() else { return };
        self.link.tell(&Told::Full(false));
        let lost = self.lost.saturating_sub(before);
        if lost > 0 {
            let reason = format!(
                "{lost} events were lost: the store could not be written, and the memory for what waited was used up"
            );
            self.frame(Frame::Gap(from_ns, now_ns, reason));
        }
    }
}

/// What is watched of the host beside its network, and of how it is watched.
struct Host {
    hosts: Hosts,
    clock: Clock,
    sweeps: Sweeps,
    inspector: ExecutableInspector,
    listeners: Listeners,
}

/// Why the keeper does not go on.
#[derive(Debug, thiserror::Error)]
enum KeeperError {
    #[error(transparent)]
    Capture(#[from] CaptureError),
    #[error("the event loop failed: {0}")]
    Loop(#[from] io::Error),
}

/// Hands on what happens until the recorder wants it to end.
fn record(settings: &Recording, mut capture: Capture, told: &mut Telling) -> Result<(), KeeperError> {
    let mut host = Host {
        hosts: Hosts::default(),
        clock: Clock::new(told.clock_offset_ns),
        sweeps: Sweeps::default(),
        inspector: ExecutableInspector::start()?,
        listeners: Listeners::start()?,
    };
    read_hosts(settings, &mut host.hosts, told);
    sample_interfaces(told);
    told.link.tell(&Told::Ready(host.clock.moment()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    if !runtime.block_on(run(settings, &mut capture, &mut host, told))? {
        return Ok(());
    }
    let Host { mut clock, sweeps, inspector, .. } = host;
    let mut inspector = Some(inspector);
    let finished = capture.finish(&mut |event| {
        // The end is the last frame; until just before it, bytes count.
        if matches!(event, Event::Frame(Frame::End(_)))
            && let Some(mut inspector) = inspector.take()
        {
            sample_interfaces(told);
            clock.look().into_iter().for_each(|frame| told.frame(frame));
            // What was asked for before, and what the last sweeps ask for.
            consult(told, &mut inspector);
            inspector.finish(PATIENCE).into_iter().for_each(|facts| told.frame(Frame::Program(facts)));
        }
        told.event(event);
    });
    if let Err(error) = finished {
        told.frame(sweeps.end(&error, &clock));
    }
    told.resume(clock.now_ns());
    told.link.tell(&Told::Flush(clock.moment()));
    Ok(())
}

/// Whether it ends because the recorder wants it; else the recorder has gone.
async fn run(
    settings: &Recording,
    capture: &mut Capture,
    host: &mut Host,
    told: &mut Telling,
) -> Result<bool, KeeperError> {
    // SAFETY: the descriptor is owned by what is registered, so it stays open and the same.
    let ring = unsafe { AsyncFd::register(capture.ring_fd()?) }.map_err(io::Error::other)?;
    let socket = std::os::fd::AsFd::as_fd(&told.link).try_clone_to_owned()?;
    // SAFETY: as above.
    let socket = unsafe { AsyncFd::register(socket) }.map_err(io::Error::other)?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut flushed = Instant::now();
    let (mut sampled, mut costed) = (Instant::now(), None::<Instant>);
    let names = if settings.metrics.is_some() { capture.programs() } else { Vec::new() };
    let (mut cost, mut pace, mut is_watched) = (Duration::ZERO, Duration::ZERO, false);
    let mut more = false;
    loop {
        let interest = if told.link.waiting() > 0 {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        tokio::select! {
            biased;
            guard = socket.ready(interest) => guard?.clear_ready(),
            () = std::future::ready(()), if more => {}
            guard = ring.readable() => guard?.clear_ready(),
            _ = tick.tick() => {}
            () = sleep(host.clock.to_next_step()) => {}
        }
        loop {
            match told.link.asked() {
                Ok(Some(Request::End)) => return Ok(true),
                Ok(Some(Request::Pace(micros, watched))) => {
                    (pace, is_watched) = (Duration::from_micros(micros), watched);
                }
                Ok(Some(Request::Listeners)) => host.listeners.look(),
                Ok(Some(Request::Begin)) => {}
                Ok(None) => break,
                Err(_) => return Ok(false),
            }
        }
        if told.link.push().is_err() {
            return Ok(false);
        }
        if told.link.waiting() >= ROOM {
            // From here on the kernel's own buffers are what there is; what they cannot hold they count.
            told.pause(host.clock.now_ns());
            (more, flushed) = (false, Instant::now());
            continue;
        }
        // Before what happens from now on is handed on.
        host.clock.look().into_iter().for_each(|frame| told.frame(frame));
        more = capture.drain(DRAIN, &mut |event| told.event(event)) == DRAIN;
        let period = if is_watched { (cost.max(pace) * LIVE_SHARE).clamp(LIVE_FLUSH, FLUSH) } else { FLUSH };
        // A recorder that is behind is not given more of what has not changed for good; the ring goes on being read.
        let is_taken = told.link.waiting() < link::PIECE;
        let is_due = flushed.elapsed() >= period && is_taken || host.sweeps.is_new_step(host.clock.now());
        let began = Instant::now();
        if is_due {
            // Under a load that never lets the ring become empty as well.
            capture.drain_all(&mut |event| told.event(event));
            let swept = capture.sweep(&mut |event| told.event(event));
            host.sweeps.took(swept, (host.clock.now(), host.clock.now_ns()));
            told.resume(host.clock.now_ns());
        }
        if sampled.elapsed() >= SAMPLE {
            sample_interfaces(told);
            read_hosts(settings, &mut host.hosts, told);
            sampled = Instant::now();
        }
        if settings.metrics.is_some() && costed.is_none_or(|at| at.elapsed() >= COST) {
            told.link.tell(&Told::Cost(Cost::of_this_process(&names)));
            costed = Some(Instant::now());
        }
        // Before the flush, which forgets what nobody has asked for.
        consult(told, &mut host.inspector);
        if let Some(listeners) = host.listeners.found() {
            told.link.tell(&Told::Listeners(listeners));
        }
        if is_due {
            told.link.tell(&Told::Flush(host.clock.moment()));
            flushed = Instant::now();
            cost = flushed - began;
        }
        if told.link.push().is_err() {
            return Ok(false);
        }
    }
}

/// Has programs with sockets looked at, and hands on what was found.
fn consult(told: &mut Telling, inspector: &mut ExecutableInspector) {
    for subject in told.watch.take_subjects() {
        if let Some(facts) = inspector.inspect(subject) {
            told.frame(Frame::Program(facts));
        }
    }
    inspector.take_results().into_iter().for_each(|facts| told.frame(Frame::Program(facts)));
}

/// Hands on what the interfaces have counted. Without it there is no comparison, and the audit says so.
fn sample_interfaces(told: &mut Telling) {
    match interfaces::sample() {
        Ok(frame) => told.frame(frame),
        Err(error) => tracing::warn!("the counters of the interfaces cannot be read: {error}"),
    }
}

/// Hands on the host's own list of names, if it has changed.
fn read_hosts(settings: &Recording, hosts: &mut Hosts, told: &mut Telling) {
    if !settings.options.names {
        return;
    }
    match hosts.changed() {
        Ok(frame) => frame.into_iter().for_each(|frame| told.frame(frame)),
        Err(error) => tracing::warn!("/etc/hosts cannot be read: {error}"),
    }
}

/// A thread that looks for sockets that listen when it is told to, and may take its time.
struct Listeners {
    due: SyncSender<()>,
    found: Receiver<Vec<Listener>>,
}

impl Listeners {
    fn start() -> io::Result<Self> {
        let (due, told) = sync_channel(1);
        let (sender, found) = sync_channel(1);
        std::thread::Builder::new().name("listeners".into()).spawn(move || {
            privileges::only_look();
            let mut look = ListenerScan::default();
            for () in told {
                if look.scan().is_some_and(|listeners| sender.send(listeners).is_err()) {
                    return;
                }
            }
        })?;
        Ok(Self { due, found })
    }

    /// Has it look, unless it is to do so already.
    fn look(&self) {
        let _ = self.due.try_send(());
    }

    fn found(&self) -> Option<Vec<Listener>> {
        self.found.try_recv().ok()
    }
}

impl Clock {
    /// The present.
    fn moment(&self) -> Moment {
        Moment { boot_ns: self.now_ns(), offset_ns: self.offset_ns() }
    }
}
