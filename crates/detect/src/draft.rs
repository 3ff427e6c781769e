//! How a finding is begun: everything in it that follows from whom it is about.

use std::borrow::Cow;

use connmon_record::Timestamp;

use crate::card::Card;
use crate::concern::{self, Concern};
use crate::evidence::Evidence;
use crate::finding::{Finding, Severity, Subject};
use crate::program::{Owner, Program};
use crate::settings::Settings;
use crate::world::{Destination, Group, World};

/// What a detector sees of the engine beside its own state.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) world: &'a World,
    pub(crate) settings: &'a Settings,
}

impl View<'_> {
    /// Since when the engine learns, if it still does.
    pub(crate) fn learning_since(&self) -> Option<Timestamp> {
        let since = self.world.since?;
        (self.world.now.0.saturating_sub(since.0) < self.settings.learning_ns).then_some(since)
    }

    /// The concern about a group.
    pub(crate) fn concern(&self, group: &Group) -> Concern {
        concern::of_group(self.world, self.settings.learning_ns, group)
    }

    /// The id of a finding about a group.
    pub(crate) fn id_of_group(&self, card: &Card, aspect: &'static str, group: &Group) -> String {
        let key = self.world.program(group.program).key();
        let direction = if group.inbound { "in" } else { "out" };
        let destination = match self.world.destination(group.destination) {
            Destination::Name(name) => Cow::Borrowed(name.raw()),
            Destination::Network(number, _) => format!("AS{number}").into(),
            Destination::Address(ip) => ip.to_string().into(),
        };
        Finding::id_of(card.code, aspect, [key, direction, destination.as_ref()])
    }

    /// A finding about a group, without score, words and figures.
    pub(crate) fn about_group(&self, card: &Card, aspect: &'static str, group: &Group) -> Finding {
        let program = self.world.program(group.program);
        let destination = self.world.destination(group.destination);
        let mut subject = subject_of(program);
        match destination {
            Destination::Name(name) => subject.host = Some(name.clone()),
            Destination::Network(number, organisation) => {
                let space = if organisation.is_empty() { "" } else { " " };
                subject.network = Some(organisation.map(|text| format!("AS{number}{space}{text}")));
            }
            Destination::Address(ip) => subject.address = Some(*ip),
        }
        let direction = if group.inbound { "dir:in" } else { "dir:out" };
        let evidence = Evidence::of_program(program).with(destination).word(direction);
        let Concern { steps, words } = self.concern(group);
        Finding {
            first: group.first,
            last: group.last,
            connections: group.connections,
            severity: Severity::above_info(steps),
            context: words,
            ..self.about(card, aspect, self.id_of_group(card, aspect, group), subject, evidence)
        }
    }

    /// A finding about a program, whatever its destinations.
    pub(crate) fn about_program(&self, card: &Card, aspect: &'static str, program: &Program) -> Finding {
        let id = Finding::id_of(card.code, aspect, [program.key()]);
        self.about(card, aspect, id, subject_of(program), Evidence::of_program(program))
    }

    /// A finding of a subject.
    pub(crate) fn about(
        &self,
        card: &Card,
        aspect: &'static str,
        id: String,
        subject: Subject,
        evidence: Evidence,
    ) -> Finding {
        Finding {
            id,
            first: self.world.now,
            last: self.world.now,
            learning_since: self.learning_since(),
            ..Finding::new(card.code, aspect, subject, evidence.into_filter())
        }
    }
}

/// A program as the subject of a finding.
fn subject_of(program: &Program) -> Subject {
    Subject {
        sha256: program.sha256.clone(),
        exe: program.path.clone(),
        comm: program.comm.clone(),
        package: match &program.owner {
            Owner::Package(name) | Owner::Altered(name) => Some(name.clone()),
            Owner::Unknown | Owner::Nobody => None,
        },
        ..Subject::default()
    }
}

impl Subject {
    /// The program and its other end in a few words, with captured text in them.
    pub(crate) fn words(&self) -> (String, String) {
        let exe = self.exe.raw();
        let program = if exe.is_empty() { self.comm.raw() } else { exe };
        let other = match (&self.host, &self.network, self.address) {
            (Some(name), ..) | (None, Some(name), _) => name.raw().to_owned(),
            (None, None, Some(ip)) => ip.to_string(),
            (None, None, None) => String::new(),
        };
        (program.to_owned(), other)
    }
}
