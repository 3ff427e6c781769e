//! D6: connections to an address that no name led to.

use connmon_record::{AddressKind, Direction, Proto};
use serde::{Deserialize, Serialize};

use super::per_group::PerPlace;
use super::{Detector, Seen};
use crate::card::Card;
use crate::event::Moment;
use crate::finding::{Figure, Severity};
use crate::findings::Findings;
use crate::program::Trust;
use crate::world::{Destination, Moved};

/// The port of DNS over TLS and over QUIC.
const ENCRYPTED_DNS: u16 = 853;
/// Names of well-known resolvers that answer over HTTPS: part of the name is enough.
const RESOLVERS: [&str; 12] = [
    "dns.google",
    "cloudflare-dns.com",
    "one.one.one.one",
    "dns.quad9.net",
    "doh.opendns.com",
    "dns.adguard",
    "doh.cleanbrowsing.org",
    "dns.nextdns.io",
    "doh.mullvad.net",
    "mozilla.cloudflare-dns.com",
    "chrome.cloudflare-dns.com",
    "dns.alidns.com",
];
/// How long after its last use encrypted DNS still explains that a name is not known, nanoseconds.
const EXPLAINS: i64 = 3_600_000_000_000;
/// Addresses that were told of a program.
const TOLD: u32 = 8;

pub(crate) static CARD: Card = Card {
    code: "D6",
    name: "direct",
    title: "Public addresses without a name",
    does: "Notes a program that connects to a public address that nothing named: no DNS answer before (within its time to live and \
           300 s), no server name (SNI), no Host header. People and programs use names; addresses that are written into a program \
           are what droppers and remote controls use.",
    formula: "Outbound, public address, no name from any source, and at least one byte received. Where DNS over TLS, QUIC or HTTPS was \
              used on this host within the last hour, names may be unknown for that reason: the finding says so and is info. The \
              severity is that of the program and its destination, less one step; for programs of packages nothing is told. At most 8 \
              for each program; score 0.4.",
    innocent: &[
        "the name was resolved before the recording began, or by encrypted DNS",
        "peer-to-peer programs, games, calls and VPNs are told addresses by others",
        "time servers and name servers are configured by address",
    ],
    refuted_by: &[
        "the program's configuration has the address",
        "a recording without encrypted DNS shows the name",
    ],
};

/// The state of the detector.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Direct {
    groups: PerPlace<bool>,
    programs: PerPlace<u32>,
    /// When encrypted DNS was last used.
    encrypted: Option<i64>,
}

impl Detector for Direct {
    fn connection(&mut self, seen: &Seen<'_>, findings: &mut Findings) {
        let connection = seen.connection;
        if seen.moment != Moment::Ended || connection.direction == Direction::In {
            return;
        }
        if is_encrypted_dns(seen) {
            self.encrypted = Some(self.encrypted.map_or(seen.time.0, |last| last.max(seen.time.0)));
            return;
        }
        let group = seen.group();
        let nameless = !matches!(seen.view.world.destination(group.destination), Destination::Name(_));
        if !nameless || AddressKind::of_address(connection.remote.ip) != AddressKind::Public {
            return;
        }
        let is_stream = connection.proto == Proto::TCP
            || connection.proto == Proto::MPTCP
            || connection.proto == Proto::UDP;
        if !is_stream || connection.rx_bytes() == 0 || connection.preexisting {
            return;
        }
        if seen.view.world.trust(group) == Trust::Ordinary
            || std::mem::replace(self.groups.at(seen.place.group), true)
        {
            return;
        }
        let told = self.programs.at(seen.place.program);
        if *told >= TOLD {
            return;
        }
        *told += 1;
        let mut concern = seen.view.concern(group);
        concern.steps -= 1;
        let mut finding = seen.view.about_group(&CARD, "", group);
        finding.subject.address = Some(connection.remote.ip);
        let (program, _) = finding.subject.words();
        finding.what = format!("{program} connects to {}, to which no name led", connection.remote).into();
        finding.severity = Severity::above_info(concern.steps);
        let since = self.encrypted.map(|last| seen.time.0.saturating_sub(last));
        if since.is_some_and(|since| since <= EXPLAINS) {
            finding.severity = Severity::Info;
            concern.add(0, "encrypted DNS was used within the hour before, so the name may only be unknown");
        }
        finding.context = concern.words;
        finding.score = 0.4;
        finding.figures =
            vec![Figure::count("port", connection.remote.port), Figure::count("addresses_of_program", *told)];
        findings.put(finding);
    }

    fn forget(&mut self, moved: &Moved) {
        self.groups.forget(&moved.groups, drop);
        self.programs.forget(&moved.programs, drop);
    }
}

/// Whether a connection is to a resolver that answers encrypted.
fn is_encrypted_dns(seen: &Seen<'_>) -> bool {
    let connection = seen.connection;
    connection.remote.port == ENCRYPTED_DNS
        || connection.host().is_some_and(|name| RESOLVERS.iter().any(|known| name.raw().contains(known)))
}
