//! One connection, as a filter sees it: plain data.

use std::borrow::Cow;
use std::net::IpAddr;

use connmon_record::{
    AddressKind, Connection, Container, ExeHash, Facts, Process, Service, Timestamp, service_of,
};

/// A connection with everything that can be asked about it. What is `None` or empty is not known: no test fits it.
#[derive(Clone, Debug)]
#[cfg_attr(test, derive(serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct FilterRow<'a> {
    /// The owner, and every process that moved bytes: a test of a process fits if it fits one of them.
    pub processes: Vec<FilterProcess<'a>>,
    /// The name of the protocol.
    pub proto: Cow<'a, str>,
    /// `out`, `in` or `unknown`.
    pub direction: Cow<'a, str>,
    /// Why it ended; `None` while it lasts.
    pub end: Option<Cow<'a, str>>,
    /// The other end's address.
    pub remote: IpAddr,
    /// Whether that address is a public one.
    pub public: bool,
    /// The port of the side that was called; 0 where there is none.
    pub port: u16,
    /// The name that is usual for that port: see [`Service::word`](connmon_record::Service::word).
    pub service: Option<Cow<'a, str>>,
    /// When it began, nanoseconds since 1970.
    pub opened: i64,
    /// Up to when it was open, or is known to have been; `None` while it lasts.
    pub closed: Option<i64>,
    /// Up to when it was watched: its end, or the recording's last word.
    pub watched: i64,
    /// Application bytes sent.
    pub tx: u64,
    /// Application bytes received.
    pub rx: u64,
    /// The country in which the remote address is registered.
    pub country: Option<Cow<'a, str>>,
    /// The number of the network that the remote address belongs to.
    pub asn: Option<u32>,
    /// The organisation that has the network.
    pub org: Option<Cow<'a, str>>,
    /// The city, where a database knew one.
    pub city: Option<Cow<'a, str>>,
    /// Names of the remote address.
    pub hosts: Vec<Cow<'a, str>>,
    /// The label of the first rule that fits.
    pub label: Option<Cow<'a, str>>,
    /// Indicators that it matches, and the names of their lists.
    pub ioc: Vec<Cow<'a, str>>,
    /// The facts that the recorder saw on the connection; fields that follow from facts read these.
    pub facts: Cow<'a, Facts>,
}

/// A connection of which nothing is known.
impl Default for FilterRow<'_> {
    fn default() -> Self {
        Self {
            processes: Vec::new(),
            proto: "".into(),
            direction: "".into(),
            end: None,
            remote: [0, 0, 0, 0].into(),
            public: false,
            port: 0,
            service: None,
            opened: 0,
            closed: None,
            watched: 0,
            tx: 0,
            rx: 0,
            country: None,
            asn: None,
            org: None,
            city: None,
            hosts: Vec::new(),
            label: None,
            ioc: Vec::new(),
            facts: Cow::Owned(Facts::default()),
        }
    }
}

/// A process, as a filter sees it.
#[derive(Clone, Debug, Default)]
#[cfg_attr(test, derive(serde::Deserialize), serde(default, deny_unknown_fields))]
pub struct FilterProcess<'a> {
    /// The thread group id.
    pub pid: u32,
    /// The kernel's name.
    pub comm: Cow<'a, str>,
    /// Path of the executable, empty where unknown.
    pub exe: Cow<'a, str>,
    /// The arguments.
    pub cmdline: Cow<'a, str>,
    /// Real user id.
    pub uid: u32,
    /// The user's name.
    pub user: Option<Cow<'a, str>>,
    /// The systemd unit.
    pub unit: Option<Cow<'a, str>>,
    /// Name, id, image and runtime of the container, and what is shown of it.
    pub container: Vec<Cow<'a, str>>,
    /// SHA-256 of the executable, in hexadecimal.
    pub sha256: Option<Cow<'a, str>>,
}

impl<'a> FilterRow<'a> {
    /// The row of a connection: for each column of the store that [`FIELDS`](super::FIELDS) names, the same data.
    /// `last_flush` is its recording's: up to then an open connection was watched.
    pub fn from_connection(connection: &'a Connection, last_flush: Timestamp) -> Self {
        let service = service_of(connection);
        let shares = connection.traffic.iter().map(|share| &share.process);
        let place = connection.place.as_deref();
        Self {
            processes: connection
                .owner
                .iter()
                .chain(shares)
                .map(|process| FilterProcess::from_process(process))
                .collect(),
            proto: connection.proto.name().into(),
            direction: connection.direction.name().into(),
            end: connection.end.map(|end| end.name().into()),
            remote: connection.remote.ip,
            public: is_public(connection.remote.ip),
            port: service.port,
            service: service.name.map(|name| Service::word(name).into()),
            opened: connection.opened.0,
            closed: connection.known_end().map(|time| time.0),
            watched: connection.known_end().unwrap_or(last_flush).0,
            tx: connection.tx_bytes(),
            rx: connection.rx_bytes(),
            country: connection.country.as_deref().map(Into::into),
            asn: place.and_then(|place| place.asn),
            org: place.and_then(|place| place.org.as_ref()).map(|org| org.raw().into()),
            city: place.and_then(|place| place.city.as_ref()).map(|city| city.raw().into()),
            hosts: connection.names.iter().map(|name| name.name.raw().into()).collect(),
            label: connection.label.as_ref().map(|label| label.raw().into()),
            ioc: connection
                .hits
                .iter()
                .flat_map(|hit| [hit.list.name.raw(), hit.indicator.raw()])
                .map(Into::into)
                .collect(),
            facts: Cow::Borrowed(&connection.facts),
        }
    }
}

impl<'a> FilterProcess<'a> {
    fn from_process(process: &'a Process) -> Self {
        Self {
            pid: process.id.pid,
            comm: process.comm.raw().into(),
            exe: process.exe.raw().into(),
            cmdline: process.cmdline.raw().into(),
            uid: process.uid,
            user: process.user.as_ref().map(|user| user.raw().into()),
            unit: process.place.unit.as_ref().map(|unit| unit.raw().into()),
            container: process.place.container.iter().flat_map(container).collect(),
            sha256: match &process.exe_hash {
                ExeHash::Sha256(hash) => Some(hash.as_str().into()),
                _ => None,
            },
        }
    }
}

fn container(container: &Container) -> impl Iterator<Item = Cow<'_, str>> {
    let Container { runtime, id, name, image } = container;
    let parts = [name.as_ref(), Some(id), image.as_ref(), Some(runtime)].into_iter().flatten();
    parts.map(|part| part.raw().into()).chain([container.title().into_raw().into()])
}

/// Whether an address means the same everywhere.
pub fn is_public(ip: IpAddr) -> bool {
    AddressKind::of_address(ip) == AddressKind::Public
}
