//! What connections are grouped by.

use std::net::IpAddr;
use std::sync::Arc;

use super::By;
use crate::export::process::name;
use crate::model::{Connection, Process, ProcessId, Timestamp, display_safe};
use crate::summary::{AddressKind, service_of};

/// What the connections of a group have in common. The order is that of `--sort name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
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
}

/// For groupings by who: the key of a process. `boot` tells apart processes of different boots.
pub fn of_process(by: By, boot: &Arc<str>, process: &Process) -> Option<Key> {
    match by {
        By::Process => Some(Key::Process(boot.clone(), process.id)),
        By::Exe => Some(Key::Text(name(process))),
        By::User => Some(Key::Text(match &process.user {
            Some(user) => display_safe(user).into_owned(),
            None => process.uid.to_string(),
        })),
        By::Unit => Some(Key::Text(match &process.place.unit {
            Some(unit) => display_safe(unit).into_owned(),
            None => "(no unit)".into(),
        })),
        By::Container => Some(Key::Text(match &process.place.container {
            Some(container) => display_safe(&container.to_string()).into_owned(),
            None => "(the host)".into(),
        })),
        By::Host
        | By::Remote
        | By::Country
        | By::Asn
        | By::Org
        | By::Label
        | By::Port
        | By::Day
        | By::Hour => None,
    }
}

/// For groupings by what: the key of a connection.
pub fn of_connection(by: By, connection: &Connection) -> Option<Key> {
    match by {
        By::Process | By::Exe | By::User | By::Unit | By::Container | By::Day | By::Hour => None,
        By::Host => Some(match connection.host() {
            Some(host) => Key::Text(display_safe(host).into_owned()),
            None => Key::Remote(connection.remote.ip),
        }),
        By::Remote => Some(Key::Remote(connection.remote.ip)),
        By::Country => Some(Key::Text(known_or_kind(connection.country.as_deref(), connection))),
        By::Asn => Some(match connection.place.as_ref().and_then(|place| place.asn) {
            Some(asn) => Key::Network(asn),
            None => Key::Text(known_or_kind(None, connection)),
        }),
        By::Org => {
            let org = connection.place.as_ref().and_then(|place| place.org.as_deref());
            Some(Key::Text(known_or_kind(org, connection)))
        }
        By::Label => Some(Key::Text(match connection.label.as_deref() {
            Some(label) => display_safe(label).into_owned(),
            None => "(no label)".into(),
        })),
        By::Port => Some(Key::Port(service_of(connection).port)),
    }
}

/// What is known of the remote, or why nothing is, in brackets.
fn known_or_kind(known: Option<&str>, connection: &Connection) -> String {
    match (known, AddressKind::of(connection.remote.ip)) {
        (Some(known), _) => display_safe(known).into_owned(),
        (None, AddressKind::Public) => "(unknown)".into(),
        (None, kind) => format!("({})", kind.name()),
    }
}

/// For groupings by when: the key of a moment, in UTC.
pub fn of_time(by: By, time: Timestamp) -> Key {
    let time = time.to_string();
    let (length, rest) = if by == By::Day { (10, "") } else { (13, ":00Z") };
    Key::Text(format!("{}{rest}", time.get(..length).unwrap_or(&time)))
}
