//! Prunes the store in small steps while nothing else is to be written.

use std::time::{Duration, Instant};

use connmon_record::display_safe;
use connmon_store::{Progress, Writer};

/// How long it rests when there is nothing to be pruned, and when the store cannot be written.
const REST: Duration = Duration::from_secs(1);
const AFTER_FAILURE: Duration = Duration::from_secs(60);

/// What is to be known from one step to the next.
#[derive(Default)]
pub(super) struct Retention {
    took: Option<Duration>,
    rest: Duration,
    /// That there is nothing to be pruned and still too much has been told.
    told: bool,
}

impl Retention {
    /// How long the next step may be waited for.
    pub(super) fn rest(&self) -> Duration {
        self.rest
    }

    /// Whether there is more to be pruned at once.
    pub(super) fn is_behind(&self) -> bool {
        self.took.is_some()
    }

    /// Does a step. What cannot be pruned now is tried again later: nothing of the recording depends on it.
    pub(super) fn step(&mut self, store: &mut Writer) {
        let began = Instant::now();
        let done = store.tidy(self.took.take());
        self.took = Some(began.elapsed()).filter(|_| matches!(done, Ok(Progress::More)));
        self.rest = match done {
            Ok(Progress::More) => Duration::ZERO,
            Ok(_) => REST,
            Err(_) => AFTER_FAILURE,
        };
        let full = matches!(done, Ok(Progress::Full));
        match done {
            Err(error) => tracing::warn!("nothing can be pruned now: {}", display_safe(&error.to_string())),
            Ok(Progress::Full) if !self.told => tracing::warn!(
                "the store exceeds its limit, and the rest belongs to open connections or is to be kept: the store goes on growing"
            ),
            Ok(_) => {}
        }
        self.told |= full;
    }
}
