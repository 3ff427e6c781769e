//! Retention: details of connections that ended long ago, or for which there is no room, are pruned in small steps; their sums stay.
//! A sum is made in the transaction that deletes what it is made of, so that everything is in exactly one of both.

mod connections;
mod hours;
mod segments;
#[cfg(test)]
mod tests;
mod unused;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use rusqlite::Connection as Database;

use super::{runs, sums};
use connmon_filter::Filter;
use connmon_record::{HOUR_NS, Run, Timestamp};
pub(super) use hours::HourMaker;
use unused::Unused;

/// How long a step may take; it has as many rows as those before took about half of it for.
const STEP: Duration = Duration::from_millis(100);
/// Rows of a step: the first time, and within which bounds.
const ROWS: usize = 64;
const MIN_ROWS: usize = 8;
const MAX_ROWS: usize = 4_096;
/// Of the time that is kept, so much passes between two rounds; and the bounds of that, nanoseconds.
const ROUNDS: i64 = 100;
const SHORTEST: i64 = 1_000_000_000;
const LONGEST: i64 = 3_600_000_000_000;
/// At most so much, where it is to be looked how large all segments are.
const SIZE_PAUSE: i64 = 600_000_000_000;
/// How much older the oldest that is kept becomes in one round that makes room, as a part of the time that is kept.
const PARTS: i64 = 256;
/// Room is made until so much of the limit is free, as a part of it.
const FREE: u64 = 20;
/// How far the time of a recording goes forward at once, at least, that ages wait until it is known to be right, and for how long
/// it is recorded until then; nanoseconds.
const LEAP: i64 = HOUR_NS;
const DOUBT: i64 = DAY_NS;
/// Sums of days are kept for so many days; older ones become sums of months.
const DAYS: i64 = 400;
const DAY_NS: i64 = 86_400_000_000_000;
/// Pages that are handed back to the file system in a step, where the store can do that.
const PAGES: u32 = 256;
/// Segments whose size is looked at for each row of a step.
const SIZES: usize = 16;

/// The limits in force.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Details of connections that ended longer ago are pruned, and segments as old.
    pub max_age: Option<Duration>,
    /// The oldest details and segments are pruned while the store has more than so many bytes.
    pub max_bytes: Option<u64>,
    /// Segments are pruned at this age instead.
    pub segments_max_age: Option<Duration>,
    /// The oldest segments are pruned while all of them have more than so many bytes.
    pub segments_max_bytes: Option<u64>,
    /// Connections that match one of these stay.
    pub keep: Vec<Filter>,
}

impl Policy {
    /// Whether nothing is pruned.
    pub fn is_everything(&self) -> bool {
        let Self { max_age, max_bytes, segments_max_age, segments_max_bytes, keep: _ } = self;
        max_age.or(*segments_max_age).is_none() && max_bytes.or(*segments_max_bytes).is_none()
    }
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is more to do at once.
    More,
    /// There is nothing to do for now.
    Done,
    /// There is nothing to prune, and the store still has more bytes than it may.
    Full,
}

/// The place within a round.
#[derive(Default)]
enum Phase {
    #[default]
    Rest,
    Connections(i64),
    Lookups,
    /// Up to which it was looked for those that are too many, from the youngest on, and what was found so far.
    Size(segments::Size),
    Segments(i64),
    Unused(Unused),
    Months,
    Pages,
}

/// Prunes a store.
#[derive(Default)]
pub(super) struct Pruner {
    phase: Phase,
    /// This round prunes details that ended before this time.
    limit: Timestamp,
    /// The same of segments, and up to which of them there are too many.
    segment_limit: (Timestamp, i64),
    /// The same, as far as room was to be made.
    for_room: Option<Timestamp>,
    /// When the next round is due.
    next: Timestamp,
    /// By which time something is old: the latest that is not in doubt.
    certain: Timestamp,
    /// What makes hours of what was moved long ago.
    pub(super) hours: HourMaker,
    /// When recordings that are over ended.
    ends: HashMap<i64, Option<Timestamp>>,
    pace: Pace,
    /// Connections and lookups that were pruned since it was last looked for what nothing refers to any more.
    pruned: u64,
    pruned_in_round: u64,
}

/// What is pruned: a store, the recording that is written to it, if one is, and what its writer remembers of rows.
pub(super) struct PruneTarget<'a> {
    pub(super) db: &'a mut Database,
    /// Zero without a recording.
    pub(super) run: i64,
    pub(super) living: &'a HashSet<i64>,
    pub(super) endpoints: &'a mut HashMap<IpAddr, i64>,
}

/// The number of rows of a step.
struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(ROWS)
    }
}

impl Pace {
    /// As many rows as take about half of the time that a step may take.
    fn adapt(&mut self, took: Duration) {
        let fitting = self.0 as u128 * (STEP.as_micros() / 2) / took.as_micros().max(1);
        let fitting = usize::try_from(fitting).unwrap_or(MAX_ROWS);
        self.0 = fitting.min(self.0 * 2).clamp(MIN_ROWS, MAX_ROWS);
    }
}

impl Pruner {
    /// One that looks at everything, also for what nothing refers to any more.
    pub(super) fn thorough() -> Self {
        Self { pruned: u64::MAX / 2, ..Self::default() }
    }

    /// Steps become as long as they may be, by how long one took.
    pub(super) fn adapt(&mut self, took: Option<Duration>) {
        took.into_iter().for_each(|took| self.pace.adapt(took));
    }

    /// Nobody waits: steps are as long as they can be.
    pub(super) fn hurry(&mut self) {
        self.pace = Pace(MAX_ROWS);
    }

    /// The number of rows of a step.
    pub(super) fn rows(&self) -> usize {
        self.pace.0
    }

    /// The next round is due.
    pub(super) fn be_due(&mut self) {
        self.next = Timestamp::default();
    }

    /// A step failed, and what the round has found out may have been undone.
    pub(super) fn begin_anew(&mut self) {
        self.phase = Phase::Rest;
    }

    /// The connections that this round has pruned.
    pub(super) fn pruned_in_round(&self) -> u64 {
        self.pruned_in_round
    }

    /// One step of the round, in one transaction.
    pub(super) fn step(
        &mut self,
        target: &mut PruneTarget<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> rusqlite::Result<Progress> {
        let rows = self.pace.0;
        match &mut self.phase {
            Phase::Rest => return self.begin(target, policy, now),
            Phase::Connections(after) => {
                let done = connections::prune(target, policy, (*after, rows), self.limit, &self.ends)?;
                self.pruned = self.pruned.saturating_add(done.pruned);
                self.pruned_in_round += done.pruned;
                match done.next {
                    Some(next) => *after = next,
                    None => self.phase = Phase::Lookups,
                }
            }
            Phase::Lookups => {
                let pruned = connections::prune_lookups(target, rows, self.limit)?;
                self.pruned = self.pruned.saturating_add(pruned);
                if pruned < rows as u64 {
                    self.phase = Phase::Size(segments::Size::default());
                }
            }
            Phase::Size(size) => match policy.segments_max_bytes {
                Some(most) if !size.look(target.db, most, rows * SIZES)? => {}
                _ => {
                    self.segment_limit.1 = size.too_many();
                    self.phase = Phase::Segments(0);
                }
            },
            Phase::Segments(after) => match segments::prune(target, (*after, rows), self.segment_limit)? {
                Some(next) => *after = next,
                None => {
                    // To look through all that refers to something pays once there is much to find.
                    let pays = self.pruned > connections::count_about(target.db)? / 10;
                    self.phase = if pays { Phase::Unused(Unused::default()) } else { Phase::Months };
                }
            },
            Phase::Unused(unused) => {
                if unused.step(target, rows)? {
                    (self.pruned, self.phase) = (0, Phase::Months);
                }
            }
            Phase::Months => {
                let transaction = target.db.transaction()?;
                let more = sums::fold(&transaction, self.certain.0.div_euclid(DAY_NS) - DAYS)?;
                transaction.commit()?;
                if !more {
                    self.phase = Phase::Pages;
                }
            }
            Phase::Pages => {
                let (before, _) = pages(target.db, "freelist_count")?;
                target.db.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
                let (after, _) = pages(target.db, "freelist_count")?;
                // What is written next finds room in what is left.
                if after == before || after < u64::from(4 * PAGES) {
                    self.phase = Phase::Rest;
                }
            }
        }
        Ok(Progress::More)
    }

    /// Begins a round if one is due.
    fn begin(
        &mut self,
        target: &PruneTarget<'_>,
        policy: &Policy,
        now: Timestamp,
    ) -> rusqlite::Result<Progress> {
        let most = policy.max_bytes.map(|most| {
            // Else each new row would begin a round.
            if self.for_room.is_some() { most - most / FREE } else { most }
        });
        let is_too_large = match most {
            Some(most) => {
                let (used, page) = used(target.db)?;
                used * page > most
            }
            None => false,
        };
        // Where the clock was set back, what was due by it can be far off.
        let is_due = now >= self.next || self.next.0.saturating_sub(now.0) > LONGEST;
        if !is_too_large && (!is_due || policy.is_everything()) {
            self.for_room = None;
            return Ok(Progress::Done);
        }
        let nanos = |age: Duration| i64::try_from(age.as_nanos()).unwrap_or(i64::MAX);
        let going_on = target.run != 0;
        let runs = runs::runs(target.db, going_on)?;
        // Whoever prunes by hand says how old is old.
        self.certain = before_leap(&runs, now).filter(|_| going_on).unwrap_or(now);
        let certain = self.certain.0;
        let before = |age: Duration| Timestamp(certain.saturating_sub(nanos(age)));
        let of_age = policy.max_age.map(before);
        self.for_room = match is_too_large {
            true => {
                let oldest = match self.for_room {
                    Some(limit) => limit,
                    None => connections::oldest(target.db)?.unwrap_or(now),
                };
                if oldest >= now {
                    self.for_room = None;
                    self.next = Timestamp(now.0.saturating_add(SHORTEST * 60));
                    return Ok(Progress::Full);
                }
                let newest = if oldest.0 < certain { certain } else { now.0 };
                let more = (newest.saturating_sub(oldest.0) / PARTS).max(SHORTEST);
                Some(Timestamp(oldest.0.saturating_add(more)).min(now))
            }
            false => None,
        };
        // Nothing is that old.
        let never = Timestamp(i64::MIN);
        self.limit = self.for_room.max(of_age).unwrap_or(never);
        let segments = policy.segments_max_age.map(before).or(of_age);
        self.segment_limit = (self.for_room.max(segments).unwrap_or(never), 0);
        let shortest = policy.max_age.into_iter().chain(policy.segments_max_age).min();
        let pause = shortest.map_or(LONGEST, |age| (nanos(age) / ROUNDS).clamp(SHORTEST, LONGEST));
        let pause = if policy.segments_max_bytes.is_some() { pause.min(SIZE_PAUSE) } else { pause };
        self.next = Timestamp(now.0.saturating_add(pause));
        self.ends = runs.into_iter().map(|run| (run.id, run.cut())).collect();
        // What is known of these is not all in the rows yet.
        for debt in super::segments::debts(target.db)? {
            self.ends.insert(debt.run, None);
        }
        self.phase = Phase::Connections(0);
        Ok(Progress::More)
    }
}

/// What the time of these recordings was before it went far forward at once, if it is not known yet that this is right: the clock
/// may have been set wrongly, or the host began with a wrong one. It is known once it has been recorded for a day since.
fn before_leap(runs: &[Run], now: Timestamp) -> Option<Timestamp> {
    let mut last: Option<Timestamp> = None;
    let mut doubt: Option<(Timestamp, i64)> = None;
    for (place, run) in runs.iter().enumerate() {
        let is_last = place + 1 == runs.len();
        let end = if is_last { run.known_end().max(now) } else { run.known_end() };
        for (from, to) in run.spans(end) {
            if let Some(last) = last.filter(|last| from.0.saturating_sub(last.0) > LEAP) {
                doubt = Some((doubt.map_or(last, |(before, _)| before), 0));
            }
            if let Some((_, recorded)) = &mut doubt {
                *recorded = recorded.saturating_add(to.0.saturating_sub(from.0).max(0));
            }
            doubt = doubt.filter(|(_, recorded)| *recorded < DOUBT);
            last = Some(to);
        }
    }
    doubt.map(|(before, _)| before)
}

/// Pages of the store that hold something, and bytes of a page.
pub(super) fn used(db: &Database) -> rusqlite::Result<(u64, u64)> {
    let (all, page) = pages(db, "page_count")?;
    let (free, _) = pages(db, "freelist_count")?;
    Ok((all.saturating_sub(free), page))
}

/// A count of pages, and bytes of a page.
fn pages(db: &Database, which: &str) -> rusqlite::Result<(u64, u64)> {
    let of = |name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok((of(which)?.cast_unsigned(), of("page_size")?.cast_unsigned()))
}
