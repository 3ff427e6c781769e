//! A connection and who moved bytes on it.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::{
    End, Facts, FindingName, HOUR_NS, Hit, Location, Name, ObservedService, Process, STEP_NS, Timestamp,
    Untrusted,
};

/// Why the figures of a connection that was open when its recording ended may be incomplete: a call may have been under way.
pub const CUT_OFF: &str = "open when the recording ended";
/// Why the figures of a part of its time can be wrong.
pub const BY_THE_HOUR: &str =
    "long ago: what it moved is known by the hour only, and the interval begins or ends within one";

/// The remark on a connection that existed before the recording.
pub const PREEXISTING: &str = "open before the recording began";

/// The remark on a subflow of MPTCP.
pub const SUBFLOW: &str = "a subflow of an MPTCP connection, which has the application bytes";

/// The remark on a connection whose remote address is not the one that the process asked for; that address follows the text.
pub const REDIRECTED: &str = "which a BPF program led to the remote";

/// One TCP connection, or the datagrams between one socket and one remote address.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Connection {
    /// Unique in its store.
    pub id: i64,
    /// The facts that the recorder saw on the connection itself.
    pub facts: Facts,
    /// The end of the recording, if the connection was still open then. Nothing later is known.
    pub cut_off: Option<Timestamp>,
    /// The process that connected or accepted; `None` where process unknown.
    pub owner: Option<Arc<Process>>,
    /// Application bytes, one entry for each process that moved any.
    pub traffic: Vec<Share>,
    /// The same by time, where that was asked for: nothing else tells when a connection moved its bytes.
    pub steps: Vec<Step>,
    /// Of its bytes sent and received, those of a chosen interval; `None` where none was chosen.
    pub within: Option<[u64; 2]>,
    /// Bytes both ways that `traffic` leaves out, because it is of an interval: see [`Connection::between`].
    pub beyond: u64,
    /// ISO 3166-1 alpha-2 code of the remote address, where the database knows one.
    pub country: Option<String>,
    /// Further facts of the databases about the remote address.
    pub place: Option<Arc<Location>>,
    /// Names of the other end, what tells most first.
    pub names: Vec<Name>,
    /// The protocol that the first bytes showed.
    pub observed: Option<ObservedService>,
    /// The label of the first rule that fits.
    pub label: Option<Untrusted<Arc<str>>>,
    /// The indicators that it matches.
    pub hits: Vec<Hit>,
    /// The findings that it is evidence of, the most severe first, where somebody looked for them: they are of a whole store, and in no row of it.
    pub findings: Vec<Arc<FindingName>>,
}

impl Deref for Connection {
    type Target = Facts;

    fn deref(&self) -> &Facts {
        &self.facts
    }
}

impl DerefMut for Connection {
    fn deref_mut(&mut self) -> &mut Facts {
        &mut self.facts
    }
}

impl Connection {
    /// A connection as its own row tells it, to which traffic, names and the rest are added: the only way in which one is put together,
    /// whether its rows are a store's, a batch's or an update's.
    pub fn new(
        id: i64,
        facts: Facts,
        owner: Option<Arc<Process>>,
        country: Option<String>,
        place: Option<Arc<Location>>,
    ) -> Self {
        let mut connection = Self { id, facts, owner, country, place, ..Self::default() };
        // Where the last record of a connection was lost, it has a time and no reason.
        connection.end = connection.end.or(connection.closed.map(|_| End::Unseen));
        connection
    }

    /// Application bytes sent, by all processes.
    pub fn tx_bytes(&self) -> u64 {
        self.traffic.iter().fold(0, |sum, share| sum.saturating_add(share.tx_bytes))
    }

    /// Application bytes received, by all processes.
    pub fn rx_bytes(&self) -> u64 {
        self.traffic.iter().fold(0, |sum, share| sum.saturating_add(share.rx_bytes))
    }

    /// Up to when it was open, or is known to have been; `None` while it lasts.
    pub fn known_end(&self) -> Option<Timestamp> {
        self.closed.or(self.cut_off)
    }

    /// The duration up to a time, in nanoseconds, unaffected by changes of the clock.
    pub fn lasted_ns(&self, until: Timestamp) -> u64 {
        let lasted = until.0.saturating_sub(self.opened.0).saturating_sub(self.clock_set_ns);
        u64::try_from(lasted).unwrap_or(0)
    }

    /// Whether it lasts, as far as its recording, which goes on, knows.
    pub fn is_open(&self) -> bool {
        self.known_end().is_none()
    }

    /// Bytes both ways.
    pub fn bytes(&self) -> u64 {
        self.tx_bytes().saturating_add(self.rx_bytes())
    }

    /// Whether it failed: it was refused, or it ended by an error without having moved a byte. One that moved data and was then
    /// reset or timed out did not fail, also where that was before the recording.
    pub fn has_failed(&self) -> bool {
        match self.end {
            Some(End::Refused) => true,
            Some(end) => end.is_error() && self.bytes() == 0 && self.beyond == 0 && self.beside() == 0,
            None => false,
        }
    }

    /// More than nothing if it moved, or may have moved, bytes that no call of the recording did: before it, which the kernel's
    /// totals tell, or as a subflow of an MPTCP connection.
    fn beside(&self) -> u64 {
        self.kernel.map_or(u64::from(self.preexisting), |kernel| kernel.tx_bytes | kernel.rx_bytes)
    }

    /// Adds bytes sent and received, and calls that sent and received, to the share of their process, and gives its place. A
    /// process that ran several programs has one share, under the latest.
    pub fn add_share(&mut self, process: &Arc<Process>, moved: [u64; 4]) -> usize {
        let known = self.traffic.iter().position(|share| share.process.id == process.id);
        let place = known.unwrap_or(self.traffic.len());
        if known.is_none() {
            let none = Share { process: process.clone(), tx_bytes: 0, rx_bytes: 0, tx_calls: 0, rx_calls: 0 };
            if self.traffic.is_empty() {
                // Most have one share only: no room for four.
                self.traffic.reserve_exact(1);
            }
            self.traffic.push(none);
        }
        let Share { process: of, tx_bytes, rx_bytes, tx_calls, rx_calls } = &mut self.traffic[place];
        of.clone_from(process);
        for (sum, more) in [tx_bytes, rx_bytes, tx_calls, rx_calls].into_iter().zip(moved) {
            *sum = sum.saturating_add(more);
        }
        place
    }

    /// Adds the names of its remote address to its own, and puts all in order: what tells most comes first, and within a source
    /// they keep the order in which they were found.
    pub fn add_names<'a>(&mut self, of_address: impl IntoIterator<Item = &'a Name>) {
        self.names.extend(of_address.into_iter().cloned());
        self.names.sort_by_key(|name| name.source);
    }

    /// Lets what is known of a connection without an end reach to that of its recording, where that is over.
    pub fn cut_off_at(&mut self, end: Option<Timestamp>) {
        if self.closed.is_none() {
            self.cut_off = end.map(|end| end.max(self.opened));
            self.end = self.end.or(self.cut_off.map(|_| End::RecordingEnded));
            self.inexact = self.inexact.take().or_else(|| self.cut_off.map(|_| CUT_OFF.into()));
        }
    }

    /// Whether all that was seen of it lies between two times.
    pub fn lies_within(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        since.is_none_or(|since| self.opened >= since)
            && until.is_none_or(|until| self.known_end().is_some_and(|end| end < until))
    }

    /// Whether it was open at some moment of an interval, or moved bytes in it, which it can before it was opened and after it ended
    /// where the clock was set back.
    pub fn was_within(&self, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
        let lasted = since.is_none_or(|since| self.known_end().is_none_or(|end| end >= since));
        let moved = |step: &Step| {
            since.is_none_or(|since| step.start >= since) && until.is_none_or(|until| step.start < until)
        };
        lasted && until.is_none_or(|until| self.opened < until) || self.steps.iter().any(moved)
    }

    /// Leaves what was moved between two times, which begin and end steps. What the kernel and the wire counted is not known
    /// of a part, so a connection that reaches beyond them has neither.
    #[must_use]
    pub fn between(mut self, since: Option<Timestamp>, until: Option<Timestamp>) -> Self {
        let is_in = |step: &Step| {
            since.is_none_or(|since| step.start >= since) && until.is_none_or(|until| step.start < until)
        };
        // Where the clock was set back, it can have moved bytes before it was opened.
        if self.lies_within(since, until) && self.steps.iter().all(is_in) {
            return self;
        }
        let before = self.bytes();
        let is_cut = |step: &Step| {
            let within = |time: Timestamp| step.start < time && time < step.end();
            since.is_some_and(within) || until.is_some_and(within)
        };
        if self.steps.iter().any(is_cut) {
            self.inexact.get_or_insert_with(|| BY_THE_HOUR.into());
        }
        self.steps.retain(is_in);
        let whole = std::mem::take(&mut self.traffic);
        for (place, share) in whole.into_iter().enumerate() {
            let mut part = Share { tx_bytes: 0, rx_bytes: 0, tx_calls: 0, rx_calls: 0, ..share };
            let mut is_in = false;
            for step in self.steps.iter_mut().filter(|step| step.share == place) {
                part.tx_bytes = part.tx_bytes.saturating_add(step.tx_bytes);
                part.rx_bytes = part.rx_bytes.saturating_add(step.rx_bytes);
                part.tx_calls = part.tx_calls.saturating_add(step.tx_calls);
                part.rx_calls = part.rx_calls.saturating_add(step.rx_calls);
                // Not behind its place so far: those that come have theirs still.
                step.share = self.traffic.len();
                is_in = true;
            }
            self.traffic.extend(is_in.then_some(part));
        }
        let beside = self.beside();
        self.beyond = self.beyond.saturating_add(before.saturating_sub(self.bytes())).max(beside);
        (self.kernel, self.wire) = (None, None);
        self
    }

    /// With what was moved by the hour, as the store keeps it once it is old.
    #[must_use]
    pub fn by_the_hour(mut self) -> Self {
        let mut hours: Vec<Step> = Vec::new();
        for step in std::mem::take(&mut self.steps) {
            let start = Timestamp(step.start.0.div_euclid(HOUR_NS).saturating_mul(HOUR_NS));
            let whole = Step { start, length: HOUR_NS, ..step };
            match hours.iter_mut().rev().find(|hour| (hour.share, hour.start) == (step.share, start)) {
                Some(hour) => {
                    hour.tx_bytes = hour.tx_bytes.saturating_add(step.tx_bytes);
                    hour.rx_bytes = hour.rx_bytes.saturating_add(step.rx_bytes);
                    hour.tx_calls = hour.tx_calls.saturating_add(step.tx_calls);
                    hour.rx_calls = hour.rx_calls.saturating_add(step.rx_calls);
                }
                None => hours.push(whole),
            }
        }
        self.steps = hours;
        self
    }

    /// The names of the other end, each once, what tells most first.
    pub fn host_names(&self) -> Vec<&Untrusted> {
        let mut names = Vec::new();
        for name in &self.names {
            if !names.contains(&&name.name) {
                names.push(&name.name);
            }
        }
        names
    }

    /// The best name of the other end, if it has any.
    pub fn host(&self) -> Option<&Untrusted> {
        self.names.iter().find(|name| name.is_of_remote()).map(|name| &name.name)
    }
}

/// The bytes that one process moved on one connection.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// The process.
    pub process: Arc<Process>,
    /// Bytes that its calls handed to the kernel.
    pub tx_bytes: u64,
    /// Bytes that the kernel handed to its calls.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

/// The bytes that one process moved on one connection in one step of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// When the step began.
    pub start: Timestamp,
    /// The length of the step in nanoseconds; a multiple of [`STEP_NS`](super::STEP_NS).
    pub length: i64,
    /// The place of the process's share in [`Connection::traffic`].
    pub share: usize,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Bytes received.
    pub rx_bytes: u64,
    /// Calls that sent.
    pub tx_calls: u64,
    /// Calls that received.
    pub rx_calls: u64,
}

impl Step {
    /// When it is over.
    pub fn end(&self) -> Timestamp {
        Timestamp(self.start.0.saturating_add(self.length))
    }

    /// Whether it is longer than those in which it is recorded.
    pub fn is_merged(&self) -> bool {
        self.length > STEP_NS
    }
}
