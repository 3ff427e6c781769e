//! D3: what was never seen before.

use std::collections::HashMap;

use connmon_record::{AddressKind, Direction, Timestamp};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::concern::Concern;
use crate::event::Moment;
use crate::finding::{Figure, Finding, Severity, Subject};
use crate::findings::Findings;
use crate::program::Trust;
use crate::world::{FORGOTTEN, Moved};

/// A program with as many destinations goes wherever it is sent: another one says nothing.
const ROAMS: u32 = 30;
/// Ports that are remembered, and countries of one program.
const PORTS: usize = 65_536;
const COUNTRIES: usize = 24;
/// The first port that the kernel hands out by itself: a lower one was chosen.
const EPHEMERAL: u16 = 32_768;

pub(crate) static CARD: Card = Card {
    code: "D3",
    name: "first-seen",
    title: "Seen for the first time",
    does: "Notes a program that uses the network for the first time, a destination that a program contacts for the first time, a \
           port on which a program is called for the first time, and a country that a program exchanges data with for the first \
           time.",
    formula: "First means: not in the 14 days before; of a country: never. In the first 14 days nothing is called new; the output says \
              \"learning since\" instead. A program with 30 destinations or more goes wherever it is sent, so its destinations and \
              countries are not told. The severity is that of the program and its destination; of destinations and countries it is at \
              most low, of programs and ports at most medium.",
    innocent: &[
        "an update: a new version is another executable with another hash",
        "a package was installed, a service was set up, a user tried something",
        "a service moved to another provider",
    ],
    refuted_by: &[
        "an installation or update at that time, in the package manager's log",
        "the service's documentation names the destination",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct FirstSeen {
    /// When a program was last called on a port.
    ports: HashMap<(u32, u16), i64>,
    /// Countries of each program.
    countries: PerPlace<Vec<[u8; 2]>>,
}

impl Detector for FirstSeen {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let new_port = self.is_new_port(seen);
        let new_country = self.new_country(seen);
        let group = seen.group();
        if seen.view.learning_since().is_some() || is_here(seen) {
            return;
        }
        let long = seen.view.settings.learning_ns;
        let is_new = seen.place.before.is_none_or(|before| seen.time.0.saturating_sub(before.0) > long);
        if seen.place.is_new_program {
            let concern = seen.view.concern(group);
            tell(seen, "program", None, concern, Severity::Medium, findings);
        } else if is_new && seen.program().destinations < ROAMS && !group.inbound {
            let concern = seen.view.concern(group);
            tell(seen, "destination", None, concern, Severity::Low, findings);
        }
        if new_port {
            let mut concern = seen.view.concern(group);
            // That the other end opened it is what this is about.
            concern.steps += i32::from(seen.view.world.trust(group) != Trust::Ordinary);
            tell(seen, "port", Some(group.port.to_string()), concern, Severity::Medium, findings);
        }
        if let Some(country) = new_country.filter(|_| seen.program().destinations < ROAMS) {
            let concern = seen.view.concern(group);
            tell(seen, "country", Some(country), concern, Severity::Low, findings);
        }
    }

    fn forget(&mut self, moved: &Moved) {
        let ports = std::mem::take(&mut self.ports).into_iter();
        let kept = ports.map(|((program, port), last)| ((moved.program(program), port), last));
        self.ports = kept.filter(|((program, _), _)| *program != FORGOTTEN).collect();
        self.countries.forget(&moved.programs, drop);
    }
}

impl FirstSeen {
    fn is_new_port(&mut self, seen: &Seen<'_>) -> bool {
        let connection = seen.connection;
        if seen.moment != Moment::Opened || connection.direction != Direction::In {
            return false;
        }
        let port = connection.local.port;
        if port == 0 || port >= EPHEMERAL {
            return false;
        }
        let key = (seen.place.program, port);
        if self.ports.len() >= PORTS && !self.ports.contains_key(&key) {
            return false;
        }
        let before = self.ports.insert(key, seen.time.0);
        before.is_none_or(|before| seen.time.0.saturating_sub(before) > seen.view.settings.learning_ns)
    }

    fn new_country(&mut self, seen: &Seen<'_>) -> Option<String> {
        let country = seen.connection.country.as_deref()?;
        let code: [u8; 2] = country.as_bytes().try_into().ok()?;
        let known = self.countries.at(seen.place.program);
        if known.contains(&code) {
            return None;
        }
        if known.len() >= COUNTRIES {
            return None;
        }
        known.push(code);
        // The first country of a program is as new as the program.
        (known.len() > 1).then(|| country.to_owned())
    }
}

/// Whether the other end is this host, or nobody in particular.
fn is_here(seen: &Seen<'_>) -> bool {
    use AddressKind::{Broadcast, LinkLocal, Loopback, Multicast, Unspecified};
    let kind = AddressKind::of_address(seen.connection.remote.ip);
    matches!(kind, Loopback | Multicast | Broadcast | Unspecified | LinkLocal)
}

fn tell(
    seen: &Seen<'_>,
    aspect: &'static str,
    part: Option<String>,
    concern: Concern,
    most: Severity,
    findings: &mut Findings,
) {
    let (view, group) = (seen.view, seen.group());
    let mut finding = if aspect == "destination" {
        view.about_group(&CARD, aspect, group)
    } else {
        let program = seen.program();
        let mut finding = view.about_program(&CARD, aspect, program);
        finding.id = Finding::id_of(CARD.code, aspect, [program.key(), part.as_deref().unwrap_or_default()]);
        let Subject { host, network, address, .. } = view.about_group(&CARD, aspect, group).subject;
        finding.subject = Subject { host, network, address, ..finding.subject };
        finding
    };
    let (program, other) = finding.subject.words();
    let (what, evidence) = match (aspect, part.as_deref()) {
        ("program", _) => {
            (format!("{program} uses the network for the first time, with {other}"), String::new())
        }
        ("port", Some(port)) => (
            format!("{program} is called on port {port} for the first time, by {other}"),
            format!(" dir:in port:{port}"),
        ),
        ("country", Some(country)) => (
            format!("{program} exchanges data with {country} for the first time: {other}"),
            format!(" country:{country}"),
        ),
        _ => (format!("{program} contacts {other} for the first time"), String::new()),
    };
    finding.what = what.into();
    finding.evidence = format!("{}{evidence}", finding.evidence.raw()).into();
    finding.severity = Severity::above_info(concern.steps).min(most);
    finding.context = concern.words;
    finding.score = 0.5;
    finding.connections = finding.connections.max(1);
    finding.first = seen.time;
    finding.last = seen.time;
    let since: Timestamp = view.world.since.unwrap_or(seen.time);
    let days = seen.time.0.saturating_sub(since.0) as f64 / 86_400e9;
    finding.figures = vec![
        Figure::count("days_watched", days as u64),
        Figure::count("program_destinations", u64::from(seen.program().destinations)),
    ];
    if let Some(part) = part {
        let name = if aspect == "port" { "port" } else { "country" };
        finding.figures.push(Figure::text(name, part));
    }
    findings.put(finding);
}
