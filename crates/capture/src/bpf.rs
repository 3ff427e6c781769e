//! The live capture: drains the ring, sweeps the maps.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use aya::maps::{Array, Map, MapData, MapError, PerCpuArray, RingBuf};
use aya::programs::Program;
use connmon_ebpf::{AcctKey, FlowKey, PayloadHead, Share, SockEntry, flag, kind, phase, quota, stat};
use sha2::{Digest, Sha256};

use super::deleted::Deleted;
use super::ends::UnseenEnds;
use super::epochs::Epochs;
use super::probe_log::ProbeLog;
use super::probes::{self, ProbeError, Probes};
use super::snapshot::{self, SnapshotError};
use super::switch::CountingSwitch;
use super::sys::{self, Scratch};
use super::{OBJECT, surroundings};
use connmon_record::frame::{Counters, Frame, Start};
use connmon_record::{Backend, CaptureOptions, Untrusted};

/// The messages of the kernel side.
pub enum Event<'a> {
    /// Of one of its fixed forms.
    Frame(Frame),
    /// Bytes that were said on a connection: a record of the ring as it came, which nothing here looks into.
    Payload(&'a [u8]),
    /// Of what was said before this time of CLOCK_BOOTTIME nothing more comes, but for what was said shortly before it.
    PayloadsUntil(u64),
}

/// Why the capture could not begin or go on.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The kernel refuses the probes.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The snapshot failed.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// A map cannot be read.
    #[error("the kernel's map {0} cannot be read: {1}")]
    Map(&'static str, io::Error),
    /// The probes' own log cannot be read.
    #[error("the log of the probes cannot be read: {0}")]
    ProbeLog(String),
    /// A program's descriptor cannot be duplicated.
    #[error("a program's descriptor cannot be duplicated: {0}")]
    Descriptor(io::Error),
    /// It cannot be told that programs have ended.
    #[error("the kernel does not report that programs have ended: {0}")]
    Grace(io::Error),
    /// A map cannot be opened, or written.
    #[error(transparent)]
    Open(#[from] MapError),
}

/// Attached probes and open maps.
pub struct Capture {
    /// `None` once detached.
    probes: Option<Probes>,
    switch: CountingSwitch,
    epochs: Epochs,
    /// When the programs stopped to count.
    ended: Option<u64>,
    watched: Vec<OwnedFd>,
    /// The number of runs that the kernel had skipped before the programs began to count.
    missed_before: u64,
    misses: u64,
    ring: RingBuf<MapData>,
    /// Records that can wait in the ring at most.
    ring_records: usize,
    ends: UnseenEnds,
    socks: MapData,
    flows: MapData,
    acct: MapData,
    overflow: MapData,
    stats: PerCpuArray<MapData, u64>,
    log: Option<ProbeLog>,
    scratch: Scratch,
    /// Sockets that the last sweep missed while flows or shares of them were there.
    gone: HashSet<u64>,
    last: [u64; stat::COUNT as usize],
    /// What the ring had to tell before this is told.
    drained_ns: u64,
    /// The counters that the last sweep acted on.
    swept: [u64; stat::COUNT as usize],
    malformed: u64,
    /// Entries that have been deleted from `FLOWS`, and from others: with as many made, the walk can be spared.
    deleted_flows: u64,
    deleted: Deleted,
}

/// Bytes of the smallest record in the ring, with the ring's own header (BPF_RINGBUF_HDR_SZ, include/uapi/linux/bpf.h).
const MIN_RECORD: usize = size_of::<PayloadHead>() + 8;

impl Capture {
    /// Attaches the probes and takes the snapshot; the frames of both go to `emit`.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn begin(
        backend: Option<Backend>,
        options: CaptureOptions,
        emit: &mut dyn FnMut(Event<'_>),
    ) -> Result<Self, CaptureError> {
        let mut emit = |frame| emit(Event::Frame(frame));
        raise_memlock_limit();
        let mut probes = probes::attach(backend, options)?;
        let mut switch = CountingSwitch::from_probes(&mut probes)?;
        let watched = watched(&probes)?;
        let missed_before = skipped(&watched);
        let epochs = Epochs::new(&options).map_err(CaptureError::Grace)?;
        // All programs are attached: from here on they count.
        let started_ns = switch.begin()?;
        emit(Frame::Start(Box::new(start(&probes, options, started_ns))));
        if snapshot::sockets(&mut probes)? {
            switch.set(phase::ON)?;
        } else {
            tracing::warn!(
                "more sockets than connmon can remember are older than the recording: figures of their first \
                 datagrams are marked as inexact"
            );
        }
        snapshot::cgroups(&mut emit);
        snapshot::processes(&mut probes, &mut emit)?;
        // Attaching takes a lot of it, for a moment.
        connmon_system::memory::give_back();
        let log = options.probe_log.then(|| ProbeLog::from_object(&mut probes.ebpf)).transpose();
        let log = log.map_err(CaptureError::ProbeLog)?;
        let ends = probes.ebpf.program("ends").and_then(descriptor);
        let ends = ends.ok_or(CaptureError::Descriptor(io::ErrorKind::NotFound.into()))??;
        let mut take = |name: &'static str| {
            probes.ebpf.take_map(name).ok_or_else(|| MapError::InvalidName { name: name.into() })
        };
        let hash = |map: Map| match map {
            Map::HashMap(data) => Ok(data),
            _ => Err(MapError::InvalidMapType { map_type: 0 }),
        };
        let socks = hash(take("SOCKS")?)?;
        let deleted = Deleted::new(Array::try_from(take("DELETED")?)?);
        Ok(Self {
            ring: RingBuf::try_from(take("EVENTS")?)?,
            ring_records: options.ring_bytes as usize / MIN_RECORD,
            flows: hash(take("FLOWS")?)?,
            acct: hash(take("ACCT")?)?,
            overflow: hash(take("OVERFLOW")?)?,
            stats: PerCpuArray::try_from(take("STATS")?)?,
            ends: UnseenEnds::new(ends, Array::try_from(take("LOOKED_AT")?)?),
            socks,
            watched,
            probes: Some(probes),
            switch,
            epochs,
            ended: None,
            missed_before,
            misses: 0,
            log,
            scratch: Scratch::default(),
            gone: HashSet::new(),
            last: [0; stat::COUNT as usize],
            swept: [0; stat::COUNT as usize],
            malformed: 0,
            drained_ns: 0,
            deleted_flows: 0,
            deleted,
        })
    }

    /// The loaded programs: their numbers in the kernel (`prog_id`) and their names.
    pub fn programs(&self) -> Vec<(u32, String)> {
        let programs = self.probes.iter().flat_map(|probes| probes.ebpf.programs());
        programs.filter_map(|(name, program)| Some((program.info().ok()?.id(), name.to_owned()))).collect()
    }

    /// The descriptor that becomes readable when much waits in the ring.
    ///
    /// # Errors
    /// It cannot be duplicated.
    pub fn ring_fd(&self) -> io::Result<OwnedFd> {
        // SAFETY: the ring is open as long as `self`.
        unsafe { BorrowedFd::borrow_raw(self.ring.as_raw_fd()) }.try_clone_to_owned()
    }

    /// Hands on what waits in the ring, at most `limit` records; returns how many there were.
    pub fn drain(&mut self, limit: usize, emit: &mut dyn FnMut(Event<'_>)) -> usize {
        let mut count = 0;
        while count < limit {
            let Some(item) = self.ring.next() else { break };
            count += 1;
            if item.starts_with(&kind::PAYLOAD.to_ne_bytes()) {
                emit(Event::Payload(&item));
                continue;
            }
            match Frame::from_ring(&item) {
                Ok(frame) => emit(Event::Frame(frame)),
                Err(error) => {
                    tracing::warn!("{error}");
                    self.malformed += 1;
                }
            }
        }
        count
    }

    /// Hands on everything that waits in the ring at this moment, so that a sweep may follow; what comes meanwhile cannot keep
    /// this from ending.
    pub fn drain_all(&mut self, emit: &mut dyn FnMut(Event<'_>)) {
        self.drained_ns = sys::boot_time_ns();
        self.drain(self.ring_records, emit);
    }

    /// Reads all maps: what took the way round the ring, what is live, the counters. To be called after
    /// [`Capture::drain_all`]: what neither this sweep nor the ring before the next one shows has been lost.
    ///
    /// # Errors
    /// A map cannot be read. What it has is still there for the next sweep.
    pub fn sweep(&mut self, event: &mut dyn FnMut(Event<'_>)) -> Result<(), CaptureError> {
        let mut emit = |frame| event(Event::Frame(frame));
        self.read_counters()?;
        if let Some(log) = &mut self.log {
            log.flush();
        }
        let moved = |stat: u32| self.last[stat as usize] != self.swept[stat as usize];
        let (overflowed, lost_processes) = (moved(stat::OVERFLOWED), moved(stat::LOST_PROCESSES));
        if overflowed {
            let entries = collect::<u64, SockEntry>(&self.overflow, &mut self.scratch, "OVERFLOW")?;
            for (id, entry) in entries {
                // First, so that it is told once.
                sys::delete(self.overflow.fd().as_fd(), &id)
                    .map_err(|error| CaptureError::Map("OVERFLOW", error))?;
                self.deleted.add(quota::OVERFLOW, entry.user.into());
                emit(Frame::Closed(Box::new(entry.without_notes())));
            }
        }
        if let (true, Some(probes)) = (lost_processes, &mut self.probes) {
            snapshot::processes(probes, &mut emit)?;
        }
        self.swept = self.last;
        let now = sys::boot_time_ns();
        // What ends when nothing counts any more has not ended unseen.
        let is_due = self.ended.is_none() && self.ends.are_due(now);
        // What it would find is met by the sweep until it is tried again.
        let ends = if is_due { self.find_ends(now) } else { Ok(()) };
        if self.ended.is_none() {
            let flows = self.last[stat::FLOWS_MADE as usize].saturating_sub(self.deleted_flows);
            self.epochs.advance(&mut self.switch, flows).map_err(CaptureError::Grace)?;
        }
        let epoch = self.epochs.settled();
        // Of the process of a later one, the ring may still have to tell which program it runs; the next sweep meets it.
        let told_until_ns = if self.ended.is_none() { self.drained_ns } else { u64::MAX };
        let mut live = HashSet::new();
        sys::for_each::<u64, SockEntry>(self.socks.fd().as_fd(), &mut self.scratch, |_, entry| {
            if entry.flags & flag::RELEASED == 0 {
                live.insert(entry.id);
                if entry.opened_ns >= told_until_ns {
                    return;
                }
                let retired = if Epochs::is_retired(entry, epoch) { flag::RETIRED } else { 0 };
                let entry = SockEntry { flags: entry.flags | retired, ..*entry };
                emit(Frame::Live(Box::new(entry.without_notes())));
            }
        })
        .map_err(|error| CaptureError::Map("SOCKS", error))?;
        let mut gone = HashSet::new();
        let retired = self.sweep_flows(told_until_ns, &mut live, &mut gone, &mut emit)?;
        self.switch.set_deleted(self.deleted_flows)?;
        self.sweep_shares(&live, &retired, &mut gone, &mut emit)?;
        self.deleted.tell()?;
        self.gone = gone;
        event(Event::PayloadsUntil(if self.ended.is_none() { now } else { u64::MAX }));
        let Self { misses, malformed, .. } = *self;
        event(Event::Frame(Frame::Counters(Counters { kernel: self.last, misses, malformed })));
        // What ended before the walk came by has been told by the ring meanwhile; so all is known of the time before this began.
        self.drain(self.ring_records, event);
        event(Event::Frame(Frame::SweepEnd(self.ended.unwrap_or(self.drained_ns))));
        ends
    }

    /// Entries of earlier epochs are final, and leave; their ids are returned. Others end with their socket. Its record may still
    /// be in the ring, so a flow whose socket is missing for the second time is final as well.
    fn sweep_flows(
        &mut self,
        told_until_ns: u64,
        live: &mut HashSet<u64>,
        gone: &mut HashSet<u64>,
        emit: &mut dyn FnMut(Frame),
    ) -> Result<HashSet<u64>, CaptureError> {
        let mut retired = HashSet::new();
        if self.last[stat::FLOWS_MADE as usize] == self.deleted_flows {
            return Ok(retired);
        }
        let epoch = self.epochs.settled();
        let mut flows = collect::<FlowKey, SockEntry>(&self.flows, &mut self.scratch, "FLOWS")?;
        // What is read of an unknown remote blurs the others of its socket, so that it is told before they end.
        flows.sort_by_key(|(_, entry)| entry.flags & flag::REMOTE_UNKNOWN == 0);
        for (key, mut entry) in flows {
            if key.epoch < epoch {
                entry.flags |= flag::RETIRED;
                retired.insert(entry.id);
                // First, so that it is told once, also where a sweep fails.
                self.delete_flow(&key)?;
                emit(Frame::Closed(Box::new(entry)));
            } else if live.contains(&key.parent) || entry.flags & flag::POOL != 0 {
                live.insert(entry.id);
                if entry.opened_ns >= told_until_ns {
                    continue;
                }
                emit(Frame::Live(Box::new(entry)));
            } else if self.gone.contains(&key.parent) {
                entry.flags |= flag::RELEASED;
                if entry.closed_ns == 0 {
                    entry.closed_ns = self.ended.unwrap_or_else(sys::boot_time_ns);
                }
                self.delete_flow(&key)?;
                emit(Frame::Closed(Box::new(entry)));
            } else {
                gone.insert(key.parent);
                live.insert(entry.id);
                emit(Frame::Live(Box::new(entry)));
            }
        }
        Ok(retired)
    }

    fn delete_flow(&mut self, key: &FlowKey) -> Result<(), CaptureError> {
        sys::delete(self.flows.fd().as_fd(), key).map_err(|error| CaptureError::Map("FLOWS", error))?;
        self.deleted_flows += 1;
        Ok(())
    }

    /// Shares of further processes end with their connection, by the same rule.
    fn sweep_shares(
        &mut self,
        live: &HashSet<u64>,
        retired: &HashSet<u64>,
        gone: &mut HashSet<u64>,
        emit: &mut dyn FnMut(Frame),
    ) -> Result<(), CaptureError> {
        if self.last[stat::SHARES_MADE as usize] == self.deleted.total(quota::ACCT) {
            return Ok(());
        }
        for (key, share) in collect::<AcctKey, Share>(&self.acct, &mut self.scratch, "ACCT")? {
            emit(Frame::Share(key, share));
            if live.contains(&key.id) {
                continue;
            }
            if retired.contains(&key.id) || self.gone.contains(&key.id) {
                sys::delete(self.acct.fd().as_fd(), &key)
                    .map_err(|error| CaptureError::Map("ACCT", error))?;
                self.deleted.add(quota::ACCT, key.uid);
            } else {
                gone.insert(key.id);
            }
        }
        Ok(())
    }

    /// Lets go of sockets that ended unseen, where the last call found them as well.
    fn find_ends(&mut self, now_ns: u64) -> Result<(), CaptureError> {
        let mut sockets = Vec::new();
        sys::for_each::<u64, SockEntry>(self.socks.fd().as_fd(), &mut self.scratch, |socket, _| {
            sockets.push(*socket);
        })
        .and_then(|()| self.ends.look_at(&sockets, now_ns))
        .map_err(|error| CaptureError::Map("SOCKS", error))
    }

    /// Stops counting, detaches the probes, and hands on everything that is left. The last frame is the end, whatever fails.
    ///
    /// # Errors
    /// A map cannot be read: what only it had is not handed on.
    pub fn finish(mut self, emit: &mut dyn FnMut(Event<'_>)) -> Result<(), CaptureError> {
        for _ in 0..2 {
            if let Err(error) = self.find_ends(sys::boot_time_ns()) {
                tracing::warn!("connmon cannot look for connections whose end no probe saw: {error}");
            }
            while self.drain(usize::MAX, emit) > 0 {}
        }
        let ended = sys::boot_time_ns();
        let mut done = self.switch.set(phase::OFF).map_err(CaptureError::from);
        done = done.and(self.read_counters());
        self.ended = Some(ended);
        self.probes = None;
        // Now the maps stand still, and so many sweeps tell what is gone from what is on its way.
        for _ in 0..3 {
            while self.drain(usize::MAX, emit) > 0 {}
            done = done.and(self.sweep(emit));
        }
        emit(Event::Frame(Frame::End(ended)));
        done
    }

    fn counters(&self) -> Result<[u64; stat::COUNT as usize], CaptureError> {
        let mut counters = [0; stat::COUNT as usize];
        for (index, sum) in counters.iter_mut().enumerate() {
            *sum =
                self.stats.get(&(index as u32), 0)?.iter().fold(0, |sum: u64, cpu| sum.saturating_add(*cpu));
        }
        Ok(counters)
    }

    /// Events that no copy of a program saw. The misses are read before the counters, so that none is counted that a
    /// further copy is about to make up for.
    fn read_counters(&mut self) -> Result<(), CaptureError> {
        let misses = skipped(&self.watched);
        self.last = self.counters()?;
        if self.ended.is_none() {
            self.misses = misses.saturating_sub(self.missed_before + self.last[stat::RESCUED as usize]);
        }
        Ok(())
    }
}

/// The number of runs of these programs that the kernel skipped.
fn skipped(watched: &[OwnedFd]) -> u64 {
    watched.iter().map(|program| sys::recursion_misses(program.as_fd())).sum()
}

/// Descriptors of the programs whose misses count; they outlive detaching.
fn watched(probes: &Probes) -> Result<Vec<OwnedFd>, CaptureError> {
    let programs = probes.ebpf.programs().filter(|(name, _)| probes::misses_count(name));
    programs.filter_map(|(_, program)| descriptor(program)).collect()
}

/// A descriptor of a program; none where it is not loaded.
fn descriptor(program: &Program) -> Option<Result<OwnedFd, CaptureError>> {
    let fd = program.fd().ok()?;
    Some(fd.as_fd().try_clone_to_owned().map_err(CaptureError::Descriptor))
}

fn collect<K: bytemuck::Pod, V: bytemuck::Pod>(
    map: &MapData,
    scratch: &mut Scratch,
    name: &'static str,
) -> Result<Vec<(K, V)>, CaptureError> {
    let mut entries = Vec::new();
    sys::for_each::<K, V>(map.fd().as_fd(), scratch, |key, value| entries.push((*key, *value)))
        .map_err(|error| CaptureError::Map(name, error))?;
    Ok(entries)
}

/// The facts of this recording.
fn start(probes: &Probes, options: CaptureOptions, started_ns: u64) -> Start {
    let line = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().into();
    Start {
        host: line("/proc/sys/kernel/hostname"),
        boot_id: line("/proc/sys/kernel/random/boot_id"),
        kernel: line("/proc/sys/kernel/osrelease"),
        tool_version: env!("CARGO_PKG_VERSION").into(),
        object_sha256: object_sha256().into(),
        backend: probes.backend.name().into(),
        backend_notes: probes
            .notes
            .iter()
            .cloned()
            .chain(surroundings::notes())
            .map(Untrusted::from)
            .collect(),
        wire: probes.wire,
        names: probes.names,
        idle_ns: options.idle_ns,
        clock_offset_ns: sys::clock_offset_ns(),
        follows_clock: true,
        started_ns,
        users: users(),
    }
}

/// SHA-256 of the embedded object, in hexadecimal.
pub fn object_sha256() -> String {
    connmon_record::hex(&Sha256::digest(OBJECT))
}

/// User names from /etc/passwd (passwd(5)).
fn users() -> Vec<(u32, Untrusted)> {
    let text = fs::read("/etc/passwd").map(|bytes| connmon_record::from_bytes(&bytes)).unwrap_or_default();
    text.lines()
        .filter_map(|line| {
            let mut fields = line.split(':');
            let name = fields.next()?;
            let uid = fields.nth(1)?.parse().ok()?;
            Some((uid, name.into()))
        })
        .collect()
}

/// Maps count against RLIMIT_MEMLOCK before Linux 5.11; afterwards a refusal does no harm.
fn raise_memlock_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: `limit` is valid for reading.
    if unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &limit) } != 0 {
        tracing::debug!("RLIMIT_MEMLOCK stays as it is: {}", io::Error::last_os_error());
    }
}
