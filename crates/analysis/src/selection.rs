//! The selection of a question, and the time that the answer covers.

use serde::{Serialize, Serializer, ser::SerializeStruct};

use connmon_record::{Connection, Run, STEP_NS, Timestamp};

/// A choice of connections. The store applies it; here it is stated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Connections that lasted to this time or beyond; `None` from the beginning.
    pub since: Option<Timestamp>,
    /// Connections opened before this time; `None` to the end.
    pub until: Option<Timestamp>,
    /// The filter as it was typed; empty for none.
    pub filter: String,
    /// When it was asked: up to then goes an interval without an end.
    pub now: Option<Timestamp>,
    /// The interval was typed more exactly than traffic is kept, and is wider for it.
    pub widened: bool,
}

impl Selection {
    /// A choice that was made at this time. Its interval is widened to the steps in which traffic is kept, so that everything it
    /// gives is of the same time.
    pub fn new(since: Option<Timestamp>, until: Option<Timestamp>, filter: String, now: Timestamp) -> Self {
        let (from, to) = (since.map(Timestamp::step), until.map(step_after));
        Self { since: from, until: to, filter, now: Some(now), widened: (from, to) != (since, until) }
    }

    /// Whether a connection overlaps the interval.
    pub fn overlaps(&self, connection: &Connection) -> bool {
        connection.was_within(self.since, self.until)
    }

    /// A connection with what it moved in the interval.
    pub fn part_of(&self, connection: Connection) -> Connection {
        connection.between(self.since, self.until)
    }

    /// Whether only a part of the time is asked for.
    pub fn is_interval(&self) -> bool {
        self.since.is_some() || self.until.is_some()
    }

    /// Whether nothing is left out on purpose.
    pub fn is_everything(&self) -> bool {
        !self.is_interval() && self.filter.is_empty()
    }

    /// The time that was asked for. Without a beginning it begins with the first recording; without an end it goes to the last
    /// one's, or up to now if it has a beginning. `None` without any recording.
    pub fn asked(&self, runs: &[Run]) -> Option<Window> {
        let first = runs.iter().map(Run::earliest).min()?;
        let last = runs.iter().map(Run::latest).max()?;
        let from = self.since.unwrap_or_else(|| self.until.map_or(first, |until| until.min(first)));
        let last = match (self.since, self.now) {
            // What is asked of the future is its first step at least.
            (Some(since), Some(now)) => last.max(now).max(step_after(Timestamp(since.0.saturating_add(1)))),
            _ => last,
        };
        Some(Window { from, to: self.until.unwrap_or(last).max(from) })
    }
}

/// The end of the step that a time is in, or the time if a step begins there.
fn step_after(time: Timestamp) -> Timestamp {
    let step = time.step();
    if step == time { step } else { Timestamp(step.0.saturating_add(STEP_NS)) }
}

/// An interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Start.
    pub from: Timestamp,
    /// End.
    pub to: Timestamp,
}

/// As machines read it: RFC 3339.
impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("Window", 2)?;
        object.serialize_field("from", &self.from.to_string())?;
        object.serialize_field("to", &self.to.to_string())?;
        object.end()
    }
}

impl Window {
    /// From the first recording to the last, cut to the selection.
    pub fn covering(runs: &[Run], selection: &Selection) -> Option<Self> {
        let first = runs.iter().map(Run::earliest).min()?;
        let last = runs.iter().map(Run::latest).max()?;
        let from = selection.since.map_or(first, |since| since.max(first));
        Some(Self { from, to: selection.until.map_or(last, |until| until.min(last)).max(from) })
    }

    /// Length in nanoseconds.
    pub fn nanos(&self) -> u64 {
        u64::try_from(self.to.0.saturating_sub(self.from.0)).unwrap_or(0)
    }
}
