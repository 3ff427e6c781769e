//! What a writer does beside writing: it prunes by its policy, and sums up what there is, in small steps.

use std::time::Duration;

use super::super::StoreError;
use super::super::retention::{HourMaker, Policy, Progress, PruneTarget, Pruner};
use super::super::stretches::Summer;
use super::Writer;
use connmon_record::Timestamp;

impl Writer {
    /// The same, but details are pruned as the policy wants, whenever [`Writer::tidy`] is called.
    #[must_use]
    pub fn with_retention(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// Does one small step of what the policy wants, in one transaction. Times are compared with `now`; how long the step before
    /// `took` says how large this one is.
    ///
    /// # Errors
    /// The store cannot be written; nothing of the step is done then.
    pub fn prune_step(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        took: Option<Duration>,
    ) -> Result<Progress, StoreError> {
        let mut pruner = std::mem::take(&mut self.pruner);
        pruner.adapt(took);
        let Self { db, run, living, endpoints, .. } = self;
        let done = pruner.step(&mut PruneTarget { db, run: *run, living, endpoints }, policy, now);
        self.pruner = pruner;
        done.map_err(|source| {
            self.pruner.begin_anew();
            self.after_failure(source)
        })
    }

    /// Keeps what another policy wants from now on.
    pub fn keep_by(&mut self, policy: Policy) {
        self.policy = policy;
        // A round that goes on ends by what it began with, but for what is to be kept; the next one is due.
        self.pruner.be_due();
    }

    /// Does one small step of what is due and not urgent: what the policy wants that it was opened with, and sums of what there is.
    /// The time is that of what was written last; how long the step before `took` says how large this one is.
    ///
    /// # Errors
    /// As [`Writer::prune_step`].
    pub fn tidy(&mut self, took: Option<Duration>) -> Result<Progress, StoreError> {
        if self.latest == Timestamp::default() {
            return Ok(Progress::Done);
        }
        let policy = std::mem::take(&mut self.policy);
        let done = match policy.is_everything() {
            true => Ok(Progress::Done),
            false => self.prune_step(&policy, self.latest, took),
        };
        self.policy = policy;
        match done? {
            Progress::More => Ok(Progress::More),
            _ if self.sum_step(took)? || self.hour_step(took)? => Ok(Progress::More),
            end => Ok(end),
        }
    }

    /// Does one small step of making hours of what was moved long ago; whether there is more to do.
    fn hour_step(&mut self, took: Option<Duration>) -> Result<bool, StoreError> {
        self.pruner.adapt(took);
        let mut hours = std::mem::take(&mut self.pruner.hours);
        let done = hours.step(&mut self.db, self.latest, self.pruner.rows());
        // What one that failed knew is not in the store.
        self.pruner.hours = if done.is_ok() { hours } else { HourMaker::default() };
        done.map_err(|source| self.after_failure(source))
    }

    /// Does one small step of summing up what is in the store; whether there is more to do.
    fn sum_step(&mut self, took: Option<Duration>) -> Result<bool, StoreError> {
        self.pruner.adapt(took);
        let mut summer = std::mem::take(&mut self.summer);
        let done = summer.step(&mut self.db, (self.run, self.latest), self.pruner.rows());
        // What one that failed knew is not in the store.
        self.summer = if done.is_ok() { summer } else { Summer::default() };
        done.map_err(|source| self.after_failure(source))
    }

    /// Sums up all that can be.
    ///
    /// # Errors
    /// The store cannot be written.
    pub fn sum_up(&mut self) -> Result<(), StoreError> {
        self.pruner.hurry();
        self.summer.look_again();
        while self.sum_step(None)? {}
        Ok(())
    }

    /// Does everything that the policy wants; `each` is told after every step how many connections have been pruned, and tells how
    /// long the step took.
    ///
    /// # Errors
    /// As [`Writer::prune_step`].
    pub fn prune_all(
        &mut self,
        policy: &Policy,
        now: Timestamp,
        mut each: impl FnMut(u64) -> Duration,
    ) -> Result<Progress, StoreError> {
        self.pruner = Pruner::thorough();
        let mut took = None;
        loop {
            match self.prune_step(policy, now, took)? {
                Progress::More => took = Some(each(self.pruner.pruned_in_round())),
                end => return Ok(end),
            }
        }
    }
}
