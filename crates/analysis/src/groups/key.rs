//! Keys by which connections are grouped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use connmon_record::{
    AddressKind, Connection, Container, Process, ProcessId, Run, Timestamp, Untrusted, service_of,
};

/// A kind of key by which connections are grouped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is named after what it groups by")]
pub enum GroupBy {
    Process,
    Exe,
    User,
    Unit,
    Container,
    Host,
    Remote,
    Country,
    Asn,
    Org,
    Label,
    Port,
    Month,
    Day,
    Hour,
}

impl GroupBy {
    /// The name in machine output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Exe => "exe",
            Self::User => "user",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Host => "host",
            Self::Remote => "remote",
            Self::Country => "country",
            Self::Asn => "asn",
            Self::Org => "org",
            Self::Label => "label",
            Self::Port => "port",
            Self::Month => "month",
            Self::Day => "day",
            Self::Hour => "hour",
        }
    }

    /// Whether what is grouped by comes from geo databases.
    pub fn is_place(self) -> bool {
        matches!(self, Self::Country | Self::Asn | Self::Org)
    }

    /// For groupings by when: the time of the group that a moment is in, from when to before when.
    pub fn period(self, time: Timestamp) -> Option<(Timestamp, Timestamp)> {
        let length = match self {
            Self::Month => return Some(time.month()),
            Self::Day => 86_400_000_000_000,
            Self::Hour => 3_600_000_000_000,
            _ => return None,
        };
        let start = time.0.div_euclid(length).saturating_mul(length);
        Some((Timestamp(start), Timestamp(start.saturating_add(length))))
    }

    /// Whether groups are times.
    pub fn is_time(self) -> bool {
        matches!(self, Self::Month | Self::Day | Self::Hour)
    }
}

/// The value that the connections of a group have in common. Values are ordered as by `--sort name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GroupKey {
    /// A process of a boot; its name comes first, so that it is sorted by it.
    Process(Arc<str>, ProcessId),
    /// An executable, a user, a label, a country, an organisation, a day or an hour.
    Text(String),
    /// A remote address.
    Remote(IpAddr),
    /// An autonomous system.
    Network(u32),
    /// A service's port.
    Port(u16),
    /// No process is known that owns these connections.
    Nobody,
    /// Connections that were pruned: what they are grouped by has gone with them.
    Pruned,
}

/// The boot of each recording, by which processes of different boots are told apart.
pub struct Boots(HashMap<i64, Arc<str>>);

impl Boots {
    /// Reads the boots of these recordings.
    pub fn new(runs: &[Run]) -> Self {
        Self(runs.iter().map(|run| (run.id, run.boot_id.raw().into())).collect())
    }

    /// The boot of a recording. One that is not known stands for itself.
    pub fn of_run(&self, run: i64) -> Arc<str> {
        self.0.get(&run).cloned().unwrap_or_else(|| format!("recording {run}").into())
    }
}

/// The values from which a key is made: a connection, a process that owns or used it, if one is known, and a moment.
pub struct Member<'a> {
    /// The boot tells apart processes of different boots.
    pub boot: &'a Arc<str>,
    /// The connection.
    pub connection: &'a Connection,
    /// The process that owns the connection, or moved the bytes.
    pub process: Option<&'a Arc<Process>>,
    /// When it was opened, or the bytes were moved.
    pub time: Timestamp,
}

/// The key of a member.
pub fn group_key(by: GroupBy, member: &Member<'_>) -> GroupKey {
    let connection = member.connection;
    match by {
        GroupBy::Process | GroupBy::Exe | GroupBy::User | GroupBy::Unit | GroupBy::Container => {
            member.process.map_or(GroupKey::Nobody, |process| of_process(by, member.boot, process))
        }
        GroupBy::Host => match connection.host() {
            Some(host) => GroupKey::Text(host.shown().into_owned()),
            None => GroupKey::Remote(connection.remote.ip),
        },
        GroupBy::Remote => GroupKey::Remote(connection.remote.ip),
        GroupBy::Country => {
            GroupKey::Text(known_or_kind(connection.country.as_deref().map(Untrusted::from), connection))
        }
        GroupBy::Asn => match connection.place.as_ref().and_then(|place| place.asn) {
            Some(asn) => GroupKey::Network(asn),
            None => GroupKey::Text(known_or_kind(None, connection)),
        },
        GroupBy::Org => {
            let org = connection.place.as_ref().and_then(|place| place.org.as_ref());
            GroupKey::Text(known_or_kind(org.map(Untrusted::borrowed), connection))
        }
        GroupBy::Label => GroupKey::Text(match &connection.label {
            Some(label) => label.shown().into_owned(),
            None => "(no label)".into(),
        }),
        GroupBy::Port => GroupKey::Port(service_of(connection).port),
        GroupBy::Month | GroupBy::Day | GroupBy::Hour => of_time(by, member.time),
    }
}

/// For groupings by who: the key of a process.
fn of_process(by: GroupBy, boot: &Arc<str>, process: &Process) -> GroupKey {
    let text = |known: Option<&Untrusted>, none: &str| {
        GroupKey::Text(known.map_or_else(|| none.into(), |known| known.shown().into_owned()))
    };
    match by {
        GroupBy::Process => GroupKey::Process(boot.clone(), process.id),
        GroupBy::User => text(process.user.as_ref(), &process.uid.to_string()),
        GroupBy::Unit => text(process.place.unit.as_ref(), "(no unit)"),
        GroupBy::Container => {
            let container = process.place.container.as_ref().map(Container::title);
            text(container.as_ref(), "(the host)")
        }
        _ => GroupKey::Text(process_name(process)),
    }
}

/// The known fact about the remote address, or in brackets the reason why there is none.
fn known_or_kind(known: Option<Untrusted<&str>>, connection: &Connection) -> String {
    match (known, AddressKind::of_address(connection.remote.ip)) {
        (Some(known), _) => known.shown().into_owned(),
        (None, AddressKind::Public) => "(unknown)".into(),
        (None, kind) => format!("({})", kind.name()),
    }
}

/// For groupings by when: the key of a moment, in UTC.
pub(super) fn of_time(by: GroupBy, time: Timestamp) -> GroupKey {
    let time = time.to_string();
    let (length, rest) = match by {
        GroupBy::Month => (7, ""),
        GroupBy::Day => (10, ""),
        _ => (13, ":00Z"),
    };
    GroupKey::Text(format!("{}{rest}", time.get(..length).unwrap_or(&time)))
}

/// The name of a process among others: its executable, or what the kernel calls it where it has none.
pub fn process_name(process: &Process) -> String {
    let exe = &process.exe;
    if exe.is_empty() { format!("[{}]", process.comm.shown()) } else { exe.shown().into_owned() }
}
