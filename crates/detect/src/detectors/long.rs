//! D2: long connections.

use std::collections::HashMap;

use connmon_record::{AddressKind, HOUR_NS, Timestamp};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::finding::{Figure, Severity};
use crate::findings::Findings;
use crate::stats::rounded;
use crate::world::Moved;

/// Connections that last, of which it is known how far they were counted.
const MOST: usize = 65_536;
/// A shorter connection does not count.
const SHORTEST: i64 = HOUR_NS / 60;
/// Hours of the window.
const HOURS: usize = 24;
/// Hours in total, and the score from there on.
const STEPS: [(i64, f64); 4] = [(12, 0.8), (8, 0.6), (4, 0.4), (1, 0.2)];

/// Programs for remote logins.
const LOGINS: [&str; 4] = ["ssh", "sftp", "mosh-client", "telnet"];

pub(crate) static CARD: Card = Card {
    code: "D2",
    name: "long",
    title: "Long connections",
    does: "Adds up how long a program is connected to one destination within a day, and notes single connections of more than a \
           day. Remote control and tunnels keep connections open.",
    formula: "Durations of connections of a minute or more, within the last 24 hours, all connections of a program to one destination \
              together: 1, 4, 8, 12 hours score 0.2, 0.4, 0.6, 0.8. A single connection of more than 24 hours scores 0.9. Below 4 \
              hours the severity is info; else it is that of the program and its destination, at most medium. ssh, sftp, mosh and \
              telnet to a destination with a name: info below 0.9.",
    innocent: &[
        "remote logins, VPNs, mail (IMAP IDLE), chat, push notifications, databases and message queues keep connections open",
        "a browser keeps connections to servers that it uses a lot",
    ],
    refuted_by: &[
        "the program is meant to keep this connection, and its user knows it",
        "the destination is a server of your own",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Long {
    groups: PerPlace<Option<Box<Lasted>>>,
    /// Of connections that last, up to when they were counted.
    counted: HashMap<i64, i64>,
}

/// How long the connections of a group lasted.
#[derive(Default, Serialize, Deserialize)]
struct Lasted {
    /// The latest hour, since 1970.
    latest: i64,
    /// Nanoseconds in each hour, by hour modulo 24.
    hours: [i64; HOURS],
    /// The longest connection, nanoseconds.
    longest: i64,
    connections: u64,
    /// The score that was told last.
    told: f64,
}

impl Detector for Long {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if seen.moment == Moment::Opened {
            return;
        }
        let lasted = seen.time.0.saturating_sub(connection.opened.0).saturating_sub(connection.clock_set_ns);
        if lasted < SHORTEST || AddressKind::of_address(connection.remote.ip) == AddressKind::Loopback {
            return;
        }
        let from = match seen.moment {
            Moment::Ended => self.counted.remove(&connection.id),
            _ if self.counted.len() < MOST => self.counted.insert(connection.id, seen.time.0),
            // It is counted when it ends.
            _ => return,
        };
        let group = self.groups.at(seen.place.group).get_or_insert_default();
        group.connections += u64::from(from.is_none());
        group.longest = group.longest.max(lasted);
        group.add(from.unwrap_or(connection.opened.0), seen.time.0);
        let (score, hours) = group.score(seen.time);
        if score > group.told {
            group.told = score;
            tell(seen, group, score, hours, findings);
        }
    }

    fn forget(&mut self, moved: &Moved) {
        self.groups.forget(&moved.groups, drop);
    }
}

impl Lasted {
    /// Adds the time from one moment to another, as far as it is within the last day.
    fn add(&mut self, from: i64, to: i64) {
        let hour = to.div_euclid(HOUR_NS);
        if hour > self.latest {
            let passed = (hour - self.latest).min(HOURS as i64);
            (0..passed).for_each(|back| self.hours[Self::place(hour - back)] = 0);
            self.latest = hour;
        }
        let mut from = from.max((self.latest - HOURS as i64 + 1).saturating_mul(HOUR_NS));
        while from < to {
            let end = (from.div_euclid(HOUR_NS) + 1).saturating_mul(HOUR_NS).min(to);
            self.hours[Self::place(from.div_euclid(HOUR_NS))] += end - from;
            from = end;
        }
    }

    fn place(hour: i64) -> usize {
        hour.rem_euclid(HOURS as i64) as usize
    }

    /// The score, and the hours of the last day.
    fn score(&self, _now: Timestamp) -> (f64, f64) {
        let total: i64 = self.hours.iter().sum();
        let step = STEPS.iter().find(|(hours, _)| total >= hours * HOUR_NS);
        let score = step.map_or(0.0, |(_, score)| *score);
        let hours = total as f64 / HOUR_NS as f64;
        (if self.longest > HOURS as i64 * HOUR_NS { 0.9 } else { score }, hours)
    }
}

fn tell(seen: &Seen<'_>, group: &Lasted, score: f64, hours: f64, findings: &mut Findings) {
    let mut finding = seen.view.about_group(&CARD, "", seen.group());
    let (program, other) = finding.subject.words();
    finding.what = format!("{program} was connected to {other} for {hours:.1} hours within a day").into();
    // What logins are for.
    let is_login = LOGINS.contains(&seen.program().name().raw()) && finding.subject.host.is_some();
    let most = if score < 0.4 || is_login && score < 0.9 { Severity::Info } else { Severity::Medium };
    finding.severity = finding.severity.min(most);
    finding.score = score;
    finding.connections = group.connections;
    finding.figures = vec![
        Figure::score("score", score),
        Figure::seconds("total", rounded(hours * 3600.0)),
        Figure::seconds("longest", rounded(group.longest as f64 / 1e9)),
        Figure::count("long_connections", group.connections),
    ];
    finding.evidence = connmon_record::Untrusted::from(format!("{} dur>=1m", finding.evidence.raw()));
    findings.put(finding);
}
