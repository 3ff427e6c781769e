//! Findings while it records: when nothing else is to be written, the engine is fed with what is new in the store, and what it finds is
//! written into it. It takes at most a tenth of the time, and none while there is something to seal.

use std::time::{Duration, Instant};

use connmon_detect::{Finding, Policy};
use connmon_live::findings::LiveFindings;
use connmon_record::display_safe;
use connmon_store::{Store, StoreError, Writer};

use crate::follow::Follow;
use crate::ownership::{Ownership, owners};

/// Connections that are told in one step.
const STEP: usize = 2_048;
/// The shortest pause between two steps, the part of the time that they may take, and the pause after a failure.
const REST: Duration = Duration::from_millis(250);
const SHARE: u32 = 10;
/// How long it is looked after new rows whether names and digests have come that their findings wait for; and how often after that.
const FRESH: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(10);
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How often what the engine knows is kept; a recorder that is killed reads again what came since.
const KEEP: Duration = Duration::from_secs(900);
/// How long the end of a recording waits for findings.
const LAST: Duration = Duration::from_secs(2);

/// The engine, and the reader that feeds it.
pub(super) struct Findings {
    reading: Option<(Store, Follow)>,
    policies: Vec<Policy>,
    packages: Ownership,
    /// What viewers are to be told.
    told: Option<LiveFindings>,
    next: Option<Instant>,
    /// There may be more to read at once.
    more: bool,
    /// When rows were last made.
    rows: Option<Instant>,
    kept: Option<Instant>,
    /// When the store began to be read.
    began: Option<Instant>,
}

impl Findings {
    /// With rules of the user's own.
    pub(super) fn new(policies: Vec<Policy>) -> Self {
        Self {
            reading: None,
            policies,
            packages: Ownership::here(),
            told: None,
            next: None,
            more: true,
            rows: None,
            kept: None,
            began: None,
        }
    }

    /// Goes by other rules of the user's own from now on.
    pub(super) fn judge_by(&mut self, policies: Vec<Policy>) {
        self.policies = policies;
        self.forget();
    }

    /// Says that there are new rows.
    pub(super) fn note_rows(&mut self) {
        self.rows = Some(Instant::now());
    }

    /// How long the next step may be waited for.
    pub(super) fn rest(&self) -> Duration {
        if !self.more && self.rows.is_none_or(|rows| rows.elapsed() > FRESH) {
            return IDLE;
        }
        self.next.map_or(REST, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Does a step if it is time; what is news is returned. What fails now is tried again later: nothing of the recording depends on it.
    pub(super) fn step(&mut self, store: &mut Writer) -> Vec<Finding> {
        let began = Instant::now();
        if self.next.is_some_and(|next| began < next) {
            return Vec::new();
        }
        let done = self.try_step(store, began);
        self.packages.release();
        let took = began.elapsed();
        let (news, rest) = match done {
            Ok((news, more)) => {
                self.more = more;
                (news, (took * SHARE).max(REST))
            }
            Err(error) => {
                tracing::warn!("findings cannot be made now: {}", display_safe(&error.to_string()));
                self.forget();
                (Vec::new(), AFTER_FAILURE)
            }
        };
        self.next = Some(began + took + rest);
        news
    }

    /// Does what is left at the end of a recording, unless that is too much, and keeps what the engine knows.
    pub(super) fn finish(&mut self, store: &mut Writer) -> Vec<Finding> {
        let began = Instant::now();
        let mut all = Vec::new();
        self.kept = None;
        loop {
            match self.try_step(store, began) {
                Ok((news, more)) => {
                    all.extend(news);
                    if !more || began.elapsed() > LAST {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!("findings cannot be made now: {}", display_safe(&error.to_string()));
                    break;
                }
            }
        }
        self.forget();
        all
    }

    /// What has become of findings since this was last called, for viewers.
    pub(super) fn take_told(&mut self) -> Option<LiveFindings> {
        self.told.take()
    }

    /// Begins anew with the next step: what was read is not what is there.
    pub(super) fn forget(&mut self) {
        self.reading = None;
        self.more = true;
    }

    fn try_step(&mut self, store: &mut Writer, now: Instant) -> Result<(Vec<Finding>, bool), StoreError> {
        let begins = self.reading.is_none();
        if begins {
            let reader = store.reader()?;
            let owners = owners(Some(self.packages.clone()));
            let Some(follow) = Follow::open(&reader, owners, self.policies.clone())? else {
                return Ok((Vec::new(), false));
            };
            self.reading = Some((reader, follow));
            self.began = Some(now);
        }
        let Some((reader, follow)) = &mut self.reading else { return Ok((Vec::new(), false)) };
        let more = follow.step(reader, STEP)?;
        // At first when all has been read; but what takes long to read is not to be read again.
        let is_due = self.kept.max(self.began).is_none_or(|since| now.duration_since(since) >= KEEP);
        let keep = is_due || self.kept.is_none() && !more;
        let changes = follow.write(store, keep)?;
        if keep {
            self.kept = Some(now);
        }
        if begins || !changes.is_empty() {
            self.told = Some(LiveFindings::of_engine(follow.engine()));
        }
        let news = changes.findings.into_iter().filter_map(|(finding, is_news)| is_news.then_some(finding));
        Ok((news.collect(), more))
    }
}
