//! Everything that can be asked about: the one table of fields. A plain fact of a connection needs no line here: where the table
//! of facts names a field that this one does not have, it follows from the fact. Others are one line here, and a member of
//! [`Row`] if their data is new too.
//!
//! Each line says where the data is in a [`Row`] and where in the store: both must give the same. A column that a
//! store does not have is not known for all its rows.

use std::sync::LazyLock;

use super::ends::END;
use super::pattern::{Pattern, Shape};
use super::row::{FilterProcess, FilterRow};
use connmon_record::End;
use connmon_record::facts::{self, Cell, FACTS, Fact, Seen};

/// A field.
pub struct Field {
    /// The name, which is written before the colon.
    pub name: &'static str,
    /// The description of the field.
    pub about: &'static str,
    /// Its data.
    pub data: Data,
    /// The only words that make sense for it; empty if there are too many to list.
    pub words: &'static [&'static str],
}

/// The kinds of data of a field.
pub enum Data {
    /// Text.
    Text(TextField),
    /// A number.
    Number(NumberField),
    /// Addresses and networks.
    Network(NetworkFrom),
    /// Open at this time or later.
    Since,
    /// Opened before this time.
    Until,
}

/// A field with text.
pub struct TextField {
    /// The meaning of a plain word.
    pub shape: Shape,
    /// Whether free text looks here too.
    pub free: bool,
    /// The source of the text.
    pub from: TextFrom,
}

/// Sources of text: columns or expressions of the store, and the same in a row.
pub enum TextFrom {
    /// Columns of `process`; one process that fits is enough.
    Process(&'static [&'static str], fn(&FilterProcess<'_>, &Pattern) -> bool),
    /// Columns of `connection`, which is `c`.
    Connection(&'static [&'static str], fn(&FilterRow<'_>, &Pattern) -> bool),
    /// Columns of `endpoint`.
    Endpoint(&'static [&'static str], fn(&FilterRow<'_>, &Pattern) -> bool),
    /// The names of the other end, in their own tables; one that fits is enough.
    Name(fn(&FilterRow<'_>, &Pattern) -> bool),
    /// Columns of `hit` and of its list; one hit that fits is enough.
    Hit(&'static [&'static str], fn(&FilterRow<'_>, &Pattern) -> bool),
}

/// A field with a number.
pub struct NumberField {
    /// The notation of the number.
    pub unit: FieldUnit,
    /// The source of the number.
    pub from: NumberFrom,
}

/// Sources of a number: as for [`TextFrom`].
pub enum NumberFrom {
    /// A column of `process`.
    Process(&'static str, fn(&FilterProcess<'_>) -> Option<i64>),
    /// A column of `connection`, which is `c`.
    Connection(&'static str, fn(&FilterRow<'_>) -> Option<i64>),
    /// A column of `endpoint`.
    Endpoint(&'static str, fn(&FilterRow<'_>) -> Option<i64>),
    /// A fact that is a whole number.
    Fact(&'static Fact),
}

/// Sources of an address.
#[derive(Clone, Copy)]
pub enum NetworkFrom {
    /// The remote one.
    Remote,
    /// A fact that is an address.
    Fact(&'static Fact),
}

/// Notations of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldUnit {
    /// Digits, of at most this number.
    Plain(i64),
    /// A port, also as the name of a service.
    Port,
    /// The number of a network, also as `AS15169`.
    Asn,
    /// Bytes: `1500`, `1M`, `1.5Mi`.
    Bytes,
    /// A length of time, kept in nanoseconds: `250ms`, `1h30m`.
    Time,
}

use Data::{Network, Since, Until};
use NumberFrom as N;
use Shape::{Domain, Part, Whole};
use TextFrom as T;

/// The service's port of a connection.
const PORT: &str = "service_port(c.direction, c.local_port, c.remote_port)";

/// The name of the service of a connection.
const SERVICE: &str = "service_name(c.proto, service_port(c.direction, c.local_port, c.remote_port), \
                       (SELECT service FROM observed WHERE connection_id = c.id), \
                       (SELECT alpn FROM observed WHERE connection_id = c.id))";
/// A container as it is shown.
const CONTAINER: &str = "container_runtime || ':' || coalesce(container_name, substr(container_id, 1, 12))";
/// The name of the list of a hit.
const LIST_NAME: &str = "(SELECT name FROM indicator_list WHERE id = list_id)";

const PROTOS: &[&str] = &["tcp", "udp", "icmp", "icmp6", "mptcp", "sctp", "udplite", "packet", "raw"];
const DIRECTIONS: &[&str] = &["out", "in", "unknown"];
/// The value of `end` while a connection lasts.
pub(super) const OPEN: &str = "open";
const ENDS: [&str; End::ALL.len() + 1] = {
    let (mut ends, mut place) = ([OPEN; End::ALL.len() + 1], 0);
    while place < End::ALL.len() {
        ends[place] = End::ALL[place].name();
        place += 1;
    }
    ends
};

/// The table: fields with rules of their own, and then those that follow from facts.
pub static FIELDS: LazyLock<Vec<&'static Field>> = LazyLock::new(|| OWN.iter().chain(&*OF_FACTS).collect());

/// Fields that follow from facts.
static OF_FACTS: LazyLock<Vec<Field>> = LazyLock::new(|| {
    let plain = FACTS.iter().filter(|fact| OWN.iter().all(|field| field.name != fact.field));
    plain.filter_map(of_fact).collect()
});

/// The field that a fact names, if it is a number or an address.
fn of_fact(fact: &'static Fact) -> Option<Field> {
    let data = match (fact.seen()?, fact.unit) {
        _ if fact.field.is_empty() => return None,
        (Seen::Text(..), facts::Unit::Address) => Network(NetworkFrom::Fact(fact)),
        (Seen::Count(..), unit) => {
            let unit = match unit {
                facts::Unit::Bytes => FieldUnit::Bytes,
                facts::Unit::Port => FieldUnit::Port,
                _ => FieldUnit::Plain(u32::MAX.into()),
            };
            Data::Number(NumberField { unit, from: N::Fact(fact) })
        }
        _ => return None,
    };
    Some(field(fact.field, fact.about, data))
}

/// Fields with rules of their own.
static OWN: &[Field] = &[
    text(
        "proc",
        "process: its name, or the file name of its executable",
        Part,
        T::Process(&["comm", "base_name(exe)"], |p, t| t.fits(&p.comm) || t.fits(base_name(&p.exe))),
    ),
    text("exe", "path of the executable", Part, T::Process(&["exe"], |p, t| t.fits(&p.exe))),
    text("cmd", "command line", Part, T::Process(&["cmdline"], |p, t| t.fits(&p.cmdline))),
    number(
        "pid",
        "process number",
        FieldUnit::Plain(u32::MAX as i64),
        N::Process("pid", |p| Some(p.pid.into())),
    ),
    text(
        "user",
        "user: name or number",
        Whole,
        T::Process(&["user", "uid"], |p, t| t.fits_some(p.user.as_deref()) || t.fits(&p.uid.to_string())),
    ),
    text("unit", "systemd unit", Part, T::Process(&["unit"], |p, t| t.fits_some(p.unit.as_deref()))),
    text(
        "container",
        "container: name, id, image, runtime, or runtime:name such as docker:web",
        Part,
        T::Process(
            &["container_name", "container_id", "container_image", "container_runtime", CONTAINER],
            |p, t| p.container.iter().any(|part| t.fits(part)),
        ),
    ),
    text(
        "hash",
        "SHA-256 of the executable",
        Part,
        T::Process(&["sha256"], |p, t| t.fits_some(p.sha256.as_deref())),
    ),
    code(
        "country",
        "country in which the remote address is registered: code or name",
        &[],
        T::Endpoint(&["country"], |r, t| t.fits_some(r.country.as_deref())),
    ),
    number(
        "asn",
        "number of the remote network, such as AS15169",
        FieldUnit::Asn,
        N::Endpoint("asn", |r| r.asn.map(i64::from)),
    ),
    text(
        "org",
        "organisation that runs the remote network",
        Part,
        T::Endpoint(&["org"], |r, t| t.fits_some(r.org.as_deref())),
    ),
    text(
        "city",
        "city of the remote address, as estimated by a geo database",
        Part,
        T::Endpoint(&["city"], |r, t| t.fits_some(r.city.as_deref())),
    ),
    text(
        "host",
        "name of the remote address, or a parent domain",
        Domain,
        T::Name(|r, t| r.hosts.iter().any(|host| t.fits(host))),
    ),
    field("ip", "remote address", Network(NetworkFrom::Remote)),
    field("net", "network of the remote address, such as 8.8.8.0/24", Network(NetworkFrom::Remote)),
    number(
        "port",
        "port of the service: the remote one of outbound connections, the local one of inbound ones",
        FieldUnit::Port,
        N::Connection(PORT, |r| Some(r.port.into())),
    ),
    text(
        "service",
        "observed protocol, else the usual name of that port, such as https",
        Whole,
        T::Connection(&[SERVICE], |r, t| t.fits_some(r.service.as_deref())),
    ),
    code("proto", "protocol", PROTOS, T::Connection(&["proto_name(c.proto)"], |r, t| t.fits(&r.proto))),
    code(
        "dir",
        "direction: out, in or unknown",
        DIRECTIONS,
        T::Connection(&["c.direction"], |r, t| t.fits(&r.direction)),
    ),
    code(
        "end",
        "how it ended, or open",
        &ENDS,
        T::Connection(&[END], |r, t| t.fits(r.end.as_deref().unwrap_or(OPEN))),
    ),
    number(
        "bytes",
        "application bytes sent and received",
        FieldUnit::Bytes,
        N::Connection(
            "(SELECT coalesce(sum(tx_bytes + rx_bytes), 0) FROM traffic WHERE connection_id = c.id)",
            |r| Some(figure(r.tx.saturating_add(r.rx))),
        ),
    ),
    number(
        "tx",
        "application bytes sent",
        FieldUnit::Bytes,
        N::Connection("(SELECT coalesce(sum(tx_bytes), 0) FROM traffic WHERE connection_id = c.id)", |r| {
            Some(figure(r.tx))
        }),
    ),
    number(
        "rx",
        "application bytes received",
        FieldUnit::Bytes,
        N::Connection("(SELECT coalesce(sum(rx_bytes), 0) FROM traffic WHERE connection_id = c.id)", |r| {
            Some(figure(r.rx))
        }),
    ),
    number(
        "dur",
        "duration, so far if it is open",
        FieldUnit::Time,
        N::Connection(
            "coalesce(c.closed, (SELECT last_flush FROM run WHERE run.id = c.run_id)) - c.opened",
            |r| Some(r.watched - r.opened),
        ),
    ),
    field("since", "open at this time or later", Since),
    field("until", "opened before this time", Until),
    text(
        "label",
        "label of a rule",
        Part,
        T::Connection(&["c.label"], |r, t| t.fits_some(r.label.as_deref())),
    ),
    field(
        "ioc",
        "a matched indicator, or the list it is on",
        Data::Text(TextField {
            shape: Part,
            free: false,
            from: T::Hit(&["indicator", LIST_NAME], |r, t| r.ioc.iter().any(|text| t.fits(text))),
        }),
    ),
];

/// The remote address as text: free text looks here too.
pub static ADDRESS: TextField =
    TextField { shape: Part, free: true, from: T::Endpoint(&["ip"], |r, t| t.fits(&r.remote.to_string())) };

const fn field(name: &'static str, about: &'static str, data: Data) -> Field {
    Field { name, about, data, words: &[] }
}

/// Text that free text finds.
const fn text(name: &'static str, about: &'static str, shape: Shape, from: TextFrom) -> Field {
    field(name, about, Data::Text(TextField { shape, free: true, from }))
}

/// One of a few short words, which free text does not find.
const fn code(
    name: &'static str,
    about: &'static str,
    words: &'static [&'static str],
    from: TextFrom,
) -> Field {
    Field { name, about, words, data: Data::Text(TextField { shape: Whole, free: false, from }) }
}

const fn number(name: &'static str, about: &'static str, unit: FieldUnit, from: NumberFrom) -> Field {
    field(name, about, Data::Number(NumberField { unit, from }))
}

/// The field of a name.
pub fn find(name: &str) -> Option<&'static Field> {
    FIELDS.iter().copied().find(|field| field.name.eq_ignore_ascii_case(name))
}

/// The fields that are searched for free text.
pub fn free() -> impl Iterator<Item = &'static TextField> {
    let texts = FIELDS.iter().filter_map(|field| match &field.data {
        Data::Text(text) => Some(text),
        _ => None,
    });
    texts.filter(|text| text.free).chain([&ADDRESS])
}

/// The last part of a path.
pub fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The value of a connection's fact, as a number.
pub(super) fn number_of(fact: &Fact, row: &FilterRow<'_>) -> Option<i64> {
    match fact.seen()?.cell(&row.facts) {
        Cell::Count(count) => count.map(figure),
        _ => None,
    }
}

/// A figure as the store keeps it.
fn figure(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
