//! The detectors, one file each: its card, its state, and when it finds something. Their scenarios are in `scenarios/`.

mod beacon;
mod direct;
mod dns;
mod dns_tunnel;
mod failures;
mod first_seen;
mod generated_names;
mod inbound;
mod list_hits;
mod long;
mod masquerade;
mod odd_executable;
mod per_group;
mod policy;
mod shell;
mod upload;

use connmon_record::{Connection, Lookup, Timestamp};
use serde::{Deserialize, Serialize};

use crate::card::Card;
use crate::draft::View;
use crate::event::Moment;
use crate::finding::Finding;
use crate::findings::Findings;
use crate::program::Program;
use crate::settings::Settings;
use crate::world::{Group, Moved, Place, World};

pub use policy::{Policy, PolicyError};

/// The cards of all detectors, in order.
pub static CARDS: &[&Card] = &[
    &beacon::CARD,
    &long::CARD,
    &first_seen::CARD,
    &odd_executable::CARD,
    &upload::CARD,
    &direct::CARD,
    &shell::CARD,
    &list_hits::CARD,
    &dns_tunnel::CARD,
    &generated_names::CARD,
    &failures::CARD,
    &masquerade::CARD,
    &inbound::CARD,
    &policy::CARD,
];

/// The card of a detector, by its number or name; case does not matter.
pub fn card(name: &str) -> Option<&'static Card> {
    let is_meant =
        |card: &&Card| card.code.eq_ignore_ascii_case(name) || card.name.eq_ignore_ascii_case(name);
    CARDS.iter().copied().find(is_meant)
}

impl Finding {
    /// The name of its detector, as in the query language; empty for one of another version.
    pub fn detector_name(&self) -> &'static str {
        card(&self.detector).map_or("", |card| card.name)
    }
}

/// An event of a connection, as detectors see it.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) moment: Moment,
    /// When it happened.
    pub(crate) time: Timestamp,
    pub(crate) place: Place,
    pub(crate) view: View<'a>,
}

impl<'a> Seen<'a> {
    pub(crate) fn group(&self) -> &'a Group {
        self.view.world.group(self.place.group)
    }

    pub(crate) fn program(&self) -> &'a Program {
        self.view.world.program(self.place.program)
    }
}

/// A detector: it is told everything in order of time, and puts what it finds among the findings.
pub(crate) trait Detector {
    /// A connection was opened, lasts, or ended.
    fn connection(&mut self, _seen: &Seen<'_>, _findings: &mut Findings) {}

    /// A question to DNS was answered, or given up.
    fn lookup(&mut self, _lookup: &Lookup, _view: View<'_>, _findings: &mut Findings) {}

    /// Time has passed.
    fn advance(&mut self, _view: View<'_>, _findings: &mut Findings) {}

    /// Groups, programs and destinations have other places, or none any more.
    fn forget(&mut self, _moved: &Moved) {}
}

/// All detectors with their states.
#[derive(Serialize, Deserialize)]
pub(crate) struct Detectors {
    beacon: beacon::Beacon,
    long: long::Long,
    first_seen: first_seen::FirstSeen,
    odd_executable: odd_executable::OddExecutable,
    upload: upload::Upload,
    direct: direct::Direct,
    shell: shell::Shell,
    list_hits: list_hits::ListHits,
    dns_tunnel: dns_tunnel::DnsTunnel,
    generated_names: generated_names::GeneratedNames,
    failures: failures::Failures,
    masquerade: masquerade::Masquerade,
    inbound: inbound::Inbound,
    pub(crate) policies: policy::Policies,
}

impl Detectors {
    pub(crate) fn new(settings: &Settings) -> Self {
        Self {
            beacon: beacon::Beacon::new(settings.max_samples),
            long: Default::default(),
            first_seen: Default::default(),
            odd_executable: Default::default(),
            upload: Default::default(),
            direct: Default::default(),
            shell: Default::default(),
            list_hits: Default::default(),
            dns_tunnel: Default::default(),
            generated_names: Default::default(),
            failures: Default::default(),
            masquerade: Default::default(),
            inbound: Default::default(),
            policies: Default::default(),
        }
    }

    /// Whether the states go with the world.
    pub(crate) fn is_sound(&self, world: &World) -> bool {
        self.beacon.is_sound(world.groups()) && self.odd_executable.is_sound(world.programs())
    }

    /// Each, in the order of their cards.
    pub(crate) fn all(&mut self) -> [&mut dyn Detector; 14] {
        [
            &mut self.beacon,
            &mut self.long,
            &mut self.first_seen,
            &mut self.odd_executable,
            &mut self.upload,
            &mut self.direct,
            &mut self.shell,
            &mut self.list_hits,
            &mut self.dns_tunnel,
            &mut self.generated_names,
            &mut self.failures,
            &mut self.masquerade,
            &mut self.inbound,
            &mut self.policies,
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::{CARDS, card as card_of};

    #[test]
    fn every_card_is_filled_in_and_found() {
        let mut seen = std::collections::BTreeSet::new();
        for card in CARDS {
            assert!(seen.insert(card.code) && seen.insert(card.name), "{} is there twice", card.code);
            assert!(!card.does.is_empty() && !card.formula.is_empty(), "{}", card.code);
            assert!(!card.innocent.is_empty() && !card.refuted_by.is_empty(), "{}", card.code);
            assert!(card_of(&card.code.to_lowercase()).is_some_and(|found| found.code == card.code));
            assert!(card_of(&card.name.to_uppercase()).is_some_and(|found| found.code == card.code));
        }
        assert!(card_of("D0").is_none());
    }
}
