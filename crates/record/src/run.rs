//! A recording and how complete it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::untrusted::exact;
use super::{GeoDatabase, HostLocation, IndicatorList, Rule, STEP_NS, Timestamp, Untrusted};

/// One recording: from attaching the probes to the final sweep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Unique in its store.
    pub id: i64,
    /// Host name.
    #[serde(serialize_with = "exact")]
    pub host: Untrusted,
    /// `/proc/sys/kernel/random/boot_id`.
    #[serde(serialize_with = "exact")]
    pub boot_id: Untrusted,
    /// Kernel release.
    #[serde(serialize_with = "exact")]
    pub kernel: Untrusted,
    /// connmon's version.
    #[serde(serialize_with = "exact")]
    pub tool_version: Untrusted,
    /// SHA-256 of the BPF object, in hexadecimal.
    #[serde(serialize_with = "exact")]
    pub object_sha256: Untrusted,
    /// The backend that recorded.
    #[serde(serialize_with = "exact")]
    pub backend: Untrusted,
    /// Why the other backends did not record, one sentence each.
    #[serde(serialize_with = "exact")]
    pub backend_notes: Vec<Untrusted>,
    /// The geo databases that were asked, in that order; empty where a store does not say.
    pub geo: Vec<GeoDatabase>,
    /// The location of the host, if it is known.
    pub location: Option<HostLocation>,
    /// When the probes were attached.
    pub started: Timestamp,
    /// When the final sweep was done; `None` while recording, or after a crash.
    pub ended: Option<Timestamp>,
    /// When the store was last written to.
    pub last_flush: Timestamp,
    /// Whether a recorder is still writing it: then its end is open.
    #[serde(default)]
    pub going_on: bool,
    /// The losses of the recording.
    pub completeness: LossCounters,
    /// Intervals without a record.
    pub gaps: Vec<Gap>,
    /// When the host's clock was set meanwhile.
    #[serde(default)]
    pub clock_steps: Vec<ClockStep>,
    /// When the kernel's counters were read late for the step of traffic that had begun.
    #[serde(default)]
    pub late_reads: Vec<LateRead>,
    /// The connections that the recording's filter excluded, if it had a filter.
    pub left_out: Option<LeftOut>,
    /// Connections whose details were pruned.
    #[serde(default)]
    pub pruned: Option<Pruned>,
    /// The rules by which its connections have their labels, in their order.
    pub rules: Vec<Rule>,
    /// The lists of indicators with which its connections were compared.
    pub lists: Vec<Arc<IndicatorList>>,
}

/// The beginning of a backend's note that a recording has no packets; the reason follows.
pub const NO_PACKETS: &str = "packets are not counted: ";
/// The same of names.
pub const NO_NAMES: &str = "names are not looked for: ";
/// The same of what processes run.
pub const NO_PROCESSES: &str = "not every process is identified: ";

impl Run {
    /// The one that began last.
    pub fn newest<'a>(runs: impl IntoIterator<Item = &'a Self>) -> Option<&'a Self> {
        runs.into_iter().max_by_key(|run| (run.started, run.id))
    }

    /// Sentences on what all of it lacks.
    pub fn lacks(&self) -> impl Iterator<Item = &Untrusted> {
        self.backend_notes.iter().filter(|note| is_lack(note.raw()))
    }

    /// Up to when it says something, by the clock as it was then.
    pub fn known_end(&self) -> Timestamp {
        let since = self.followed().last().map_or(self.started, |step| step.to);
        self.ended.unwrap_or(self.last_flush).max(since)
    }

    /// The intervals of time that it covers up to `end`: one, or as many as the clock was set, which its times follow.
    pub fn spans(&self, end: Timestamp) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let starts = std::iter::once(self.started).chain(self.followed().map(|step| step.to));
        starts.zip(self.followed().map(|step| step.from).chain([end]))
    }

    /// The times that its clock passed over, because it was set forward: they are not missing, since there were none.
    pub fn skipped(&self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        self.followed().filter(|step| step.shift_ns() > 0).map(|step| (step.from, step.to))
    }

    /// How far times of a connection can lie before its beginning or after its end, because the clock was set back: nanoseconds.
    pub fn set_back_ns(&self) -> i64 {
        let is_set_back = self.followed().any(|step| step.shift_ns() < 0);
        let set =
            self.followed().fold(0_i64, |sum, step| sum.saturating_add(step.shift_ns().saturating_abs()));
        if is_set_back { set } else { 0 }
    }

    /// The earliest time that it covers, which is not that of its start where the clock was set back.
    pub fn earliest(&self) -> Timestamp {
        self.spans(self.known_end()).map(|(from, _)| from).fold(self.started, Ord::min)
    }

    /// The latest time that it covers.
    pub fn latest(&self) -> Timestamp {
        self.spans(self.known_end()).map(|(_, to)| to).fold(self.known_end(), Ord::max)
    }

    fn followed(&self) -> impl Iterator<Item = &ClockStep> {
        self.clock_steps.iter().filter(|step| step.effect == ClockEffect::Followed)
    }

    /// The time at which the recording cuts off connections without an end; none while the recording goes on.
    pub fn cut(&self) -> Option<Timestamp> {
        (!self.going_on).then(|| self.known_end())
    }
}

/// Whether a note of a backend says what a recording lacks.
pub fn is_lack(note: &str) -> bool {
    [NO_PACKETS, NO_NAMES, NO_PROCESSES].iter().any(|lack| note.starts_with(lack))
}

/// The effect of a clock change on the times of a recording.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockEffect {
    /// Nothing: they go on by the clock as it was when the recording began. So it is in recordings of earlier versions.
    #[default]
    Told,
    /// They are by the clock as it was: from then on by the clock as it was set.
    Followed,
    /// All are by a clock that became right then or later: what it had said before was no time.
    Corrected,
}

impl ClockEffect {
    const ALL: [Self; 3] = [Self::Told, Self::Followed, Self::Corrected];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Followed => "followed",
            Self::Corrected => "corrected",
        }
    }

    /// The effect of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effect| effect.name() == name)
    }
}

/// The host's clock was set while a recording was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStep {
    /// When, as the recording's times go.
    pub time: Timestamp,
    /// The time of the clock before the change.
    pub from: Timestamp,
    /// The time of the clock after the change.
    pub to: Timestamp,
    /// The effect on the recording's times.
    #[serde(default)]
    pub effect: ClockEffect,
}

impl ClockStep {
    /// By how much the clock was set forward, nanoseconds; negative where it was set back.
    pub fn shift_ns(&self) -> i64 {
        self.to.0.saturating_sub(self.from.0)
    }

    /// How far the clock is ahead of the recording's times from then on, in nanoseconds.
    pub fn ahead(&self) -> i64 {
        self.to.0.saturating_sub(self.time.0)
    }
}

/// Counters that were read late: what was moved between two readings is in the step of one of them, whichever of the steps in between
/// it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateRead {
    /// The reading before.
    pub from: Timestamp,
    /// The late one.
    pub to: Timestamp,
}

impl LateRead {
    /// How late a reading may be, nanoseconds, to count as one at the beginning of the step.
    pub const TOLERANCE_NS: i64 = 100_000_000;

    /// The reading at `to`, if it was late; the one before was so many nanoseconds earlier.
    pub fn of(to: Timestamp, elapsed_ns: u64) -> Option<Self> {
        let from = Timestamp(to.0.saturating_sub_unsigned(elapsed_ns));
        let next_step = from.step().0.saturating_add(STEP_NS);
        (next_step < to.0.saturating_sub(Self::TOLERANCE_NS)).then_some(Self { from, to })
    }

    /// Whether it is not known on which side of this time something was moved.
    pub fn blurs(&self, time: Timestamp) -> bool {
        self.from < time && time < self.to
    }
}

/// Connections of a recording whose details were pruned; their sums stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// They all had ended by then.
    pub until: Timestamp,
    /// The number of connections.
    pub connections: u64,
    /// Application bytes that they sent.
    pub tx_bytes: u64,
    /// Application bytes that they received.
    pub rx_bytes: u64,
}

/// Connections that a recording left out on purpose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// What it kept instead, in the query language.
    #[serde(serialize_with = "exact")]
    pub filter: Untrusted,
    /// How many they were.
    pub connections: u64,
    /// Application bytes that they sent.
    pub tx_bytes: u64,
    /// Application bytes that they received.
    pub rx_bytes: u64,
}

/// "Is this record complete?": everything that can be lost, counted. All zero means nothing was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossCounters {
    /// Records that neither the ring buffer nor the overflow map could take: connections and processes that
    /// are missing.
    pub lost_events: u64,
    /// Of these, connections (sockets) that are missing or lack their end.
    pub lost_connections: u64,
    /// Of these, process records (exec, fork, exit).
    pub lost_processes: u64,
    /// Application bytes sent that belong to no recorded connection.
    pub unattributed_tx_bytes: u64,
    /// Application bytes received that belong to no recorded connection.
    pub unattributed_rx_bytes: u64,
    /// Sockets that found the connection map full.
    pub map_full: u64,
    /// Reads of kernel memory that failed.
    pub read_errors: u64,
    /// Records that could not be decoded.
    pub malformed: u64,
    /// Return probes that the kernel skipped (kprobe backend).
    pub probe_misses: u64,
    /// First bytes of connections and DNS messages that were not looked at for names, or could not be read.
    pub names_missed: u64,
    /// Processes, cgroups and names that had to be forgotten early, because too many were remembered.
    pub evicted: u64,
    /// Sockets that are not recorded one by one, because their users had too many at once: their bytes are in connections that
    /// stand for many.
    pub aggregated_sockets: u64,
    /// Comparison of application bytes with the kernel's own totals.
    pub reconciliation: Reconciliation,
}

/// Application bytes against the kernel's totals, over TCP connections with both, and against the packets of UDP flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciliation {
    /// Connections compared.
    pub compared: u64,
    /// Of these, connections where both planes agree to the byte.
    pub equal: u64,
    /// Bytes accepted from the application that never left (closed or reset before delivery).
    pub tx_undelivered_bytes: u64,
    /// Bytes that arrived and were never read.
    pub rx_unread_bytes: u64,
    /// Connections with a difference that nothing explains: application bytes received beyond what the
    /// kernel saw, or payload on the wire that no call sent.
    pub unexplained: u64,
}

/// An interval for which there is no record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
    /// Why.
    #[serde(serialize_with = "exact")]
    pub reason: Untrusted,
}
