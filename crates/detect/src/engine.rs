//! The engine: events in, findings out.

use connmon_record::{Connection, Process, Timestamp, Untrusted};

use crate::detectors::{Detectors, Policy, Seen};
use crate::draft::View;
use crate::event::{Event, Moment};
use crate::finding::{Acknowledgement, Finding};
use crate::findings::{Changes, Findings};
use crate::program::Owner;
use crate::settings::Settings;
use crate::world::{Ownership, World};

/// The engine of findings. It reads no clock and no file: time is that of what it is fed with.
pub struct Engine {
    pub(crate) settings: Settings,
    pub(crate) world: World,
    pub(crate) detectors: Detectors,
    pub(crate) findings: Findings,
    owner_of: Ownership,
}

/// What an engine has found, and what has to be known to read it.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The findings: those that nobody has acknowledged first, and of these the most severe.
    pub findings: Vec<Finding>,
    /// Since when the engine learns, while it does.
    pub learning_since: Option<Timestamp>,
    /// Groups that were forgotten, because there were too many.
    pub groups_forgotten: u64,
    /// Findings that had no room.
    pub findings_omitted: u64,
}

impl Engine {
    /// An engine that knows nothing yet.
    pub fn new(settings: Settings) -> Self {
        let findings = Findings::new(settings.max_findings);
        let detectors = Detectors::new(&settings);
        Self {
            settings,
            world: World::default(),
            detectors,
            findings,
            owner_of: Box::new(|_| Owner::Unknown),
        }
    }

    /// The same; `owner_of` is asked once for each program, whom its file belongs to.
    #[must_use]
    pub fn with_owners(self, owner_of: impl FnMut(&Process) -> Owner + Send + 'static) -> Self {
        Self { owner_of: Box::new(owner_of), ..self }
    }

    /// The same, with the user's own rules in place of those that it had.
    #[must_use]
    pub fn with_policies(mut self, policies: Vec<Policy>) -> Self {
        self.detectors.policies.set(policies);
        self
    }

    /// Takes note of an event. Events come in order of time; those that are late, or whose clock was set back, count all the same.
    pub fn feed(&mut self, event: Event<'_>) {
        let time = event.time();
        self.world.since.get_or_insert(time);
        self.world.now = self.world.now.max(time);
        match event {
            Event::Recording(_) => (),
            Event::Opened(connection) => self.see(connection, Moment::Opened, time),
            Event::Lasts(connection, _) => self.see(connection, Moment::Lasts, time),
            Event::Ended(connection) => self.see(connection, Moment::Ended, time),
            Event::Lookup(lookup) => {
                let view = View { world: &self.world, settings: &self.settings };
                for detector in self.detectors.all() {
                    detector.lookup(lookup, view, &mut self.findings);
                }
            }
        }
    }

    /// Lets time pass without an event: what is due by then is found.
    pub fn advance(&mut self, now: Timestamp) {
        self.world.now = self.world.now.max(now);
        let view = View { world: &self.world, settings: &self.settings };
        for detector in self.detectors.all() {
            detector.advance(view, &mut self.findings);
        }
    }

    /// What has become of findings since this was last called.
    pub fn take(&mut self) -> Changes {
        self.findings.take()
    }

    /// All findings: those that nobody has acknowledged first, and of these the most severe.
    pub fn findings(&self) -> Vec<&Finding> {
        self.findings.ranked()
    }

    /// Notes that somebody has seen a finding: it stays acknowledged until its severity or its score grows. Returns whether the finding is
    /// known; if it comes later, it is acknowledged then.
    pub fn acknowledge(&mut self, id: &str, acknowledgement: Acknowledgement) -> bool {
        self.findings.acknowledge(id, acknowledgement)
    }

    /// Since when the engine learns, while it does.
    pub fn learning_since(&self) -> Option<Timestamp> {
        View { world: &self.world, settings: &self.settings }.learning_since()
    }

    /// What the engine knows.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// All that was found and is wanted.
    pub fn found(&self, is_wanted: impl Fn(&Finding) -> bool) -> Found {
        Found {
            findings: self.findings().into_iter().filter(|finding| is_wanted(finding)).cloned().collect(),
            learning_since: self.learning_since(),
            groups_forgotten: self.world.forgotten,
            findings_omitted: self.findings.omitted,
        }
    }

    fn see(&mut self, connection: &Connection, moment: Moment, time: Timestamp) {
        if connection.subflow {
            return;
        }
        let counts = moment == Moment::Opened;
        let Some(place) = self.world.place(connection, time, counts, &mut self.owner_of) else { return };
        let view = View { world: &self.world, settings: &self.settings };
        let seen = Seen { connection, moment, time, place, view };
        for detector in self.detectors.all() {
            detector.connection(&seen, &mut self.findings);
        }
        if let Some(moved) = self.world.forget(&self.settings) {
            for detector in self.detectors.all() {
                detector.forget(&moved);
            }
        }
    }
}

/// For a finding that somebody has seen.
impl Acknowledgement {
    /// An acknowledgement of a finding as it is.
    pub fn of(finding: &Finding, time: Timestamp, by: Untrusted, note: Option<Untrusted>) -> Self {
        Self { time, by, note, severity: finding.severity, score: finding.score }
    }
}
