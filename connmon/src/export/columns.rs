//! A connection as a flat row: the columns that CSV, Parquet and Timesketch share.
//!
//! The names are a contract: columns may be added at the end, and none renamed.

use std::borrow::Cow;

use super::process;
use crate::model::{
    Connection, KernelTotals, Location, Timestamp, Wire, community_id, display_safe, service_of,
};

/// What one column holds of one row; nothing where it is not known.
pub(super) enum Cell<'a> {
    /// As it was captured: whoever prints it makes it safe.
    Text(Option<Cow<'a, str>>),
    Count(Option<u64>),
    Number(Option<f64>),
    Flag(Option<bool>),
    Time(Option<Timestamp>),
}

/// How a column is read.
enum Read<T> {
    Text(for<'a> fn(&'a T) -> Option<Cow<'a, str>>),
    Count(fn(&T) -> Option<u64>),
    Number(fn(&T) -> Option<f64>),
    Flag(fn(&T) -> Option<bool>),
    Time(fn(&T) -> Option<Timestamp>),
}

/// A column of rows made from `T`.
pub(super) struct Column<T> {
    /// Its name in every format.
    pub(super) name: &'static str,
    read: Read<T>,
}

impl<T> Column<T> {
    pub(super) const fn text(name: &'static str, read: for<'a> fn(&'a T) -> Option<Cow<'a, str>>) -> Self {
        Self { name, read: Read::Text(read) }
    }

    pub(super) const fn count(name: &'static str, read: fn(&T) -> Option<u64>) -> Self {
        Self { name, read: Read::Count(read) }
    }

    pub(super) const fn time(name: &'static str, read: fn(&T) -> Option<Timestamp>) -> Self {
        Self { name, read: Read::Time(read) }
    }

    const fn number(name: &'static str, read: fn(&T) -> Option<f64>) -> Self {
        Self { name, read: Read::Number(read) }
    }

    const fn flag(name: &'static str, read: fn(&T) -> Option<bool>) -> Self {
        Self { name, read: Read::Flag(read) }
    }

    /// The cell of a row; one without a value, where there is no row.
    pub(super) fn cell<'a>(&self, row: Option<&'a T>) -> Cell<'a> {
        match self.read {
            // An empty text is how the model says that nothing is known.
            Read::Text(read) => Cell::Text(row.and_then(read).filter(|text| !text.is_empty())),
            Read::Count(read) => Cell::Count(row.and_then(read)),
            Read::Number(read) => Cell::Number(row.and_then(read)),
            Read::Flag(read) => Cell::Flag(row.and_then(read)),
            Read::Time(read) => Cell::Time(row.and_then(read)),
        }
    }
}

impl Cell<'_> {
    /// As JSON, made visible; nothing where it is not known.
    pub(super) fn json(&self) -> Option<serde_json::Value> {
        match self {
            Self::Text(text) => text.as_deref().map(|text| display_safe(text).into()),
            Self::Count(count) => count.map(Into::into),
            Self::Number(number) => number.map(Into::into),
            Self::Flag(flag) => flag.map(Into::into),
            Self::Time(time) => time.map(|time| time.to_string().into()),
        }
    }
}

/// The columns before those of the process.
const HEAD: &[Column<Connection>] = &[
    Column::count("id", |c| u64::try_from(c.id).ok()),
    Column::text("proto", |c| Some(c.proto.name().into())),
    Column::text("direction", |c| Some(c.direction.name().into())),
    Column::text("local_ip", |c| Some(c.local.ip.to_string().into())),
    Column::count("local_port", |c| Some(c.local.port.into())),
    Column::text("remote_ip", |c| Some(c.remote.ip.to_string().into())),
    Column::count("remote_port", |c| Some(c.remote.port.into())),
    Column::time("opened", |c| Some(c.opened)),
    Column::time("closed", |c| c.closed),
    Column::text("end", |c| c.end.map(|end| end.name().into())),
    Column::flag("preexisting", |c| Some(c.preexisting)),
    Column::flag("exact", |c| Some(c.inexact.is_none())),
];

/// The columns after those of the process. New ones come last.
const TAIL: &[Column<Connection>] = &[
    Column::count("tx_bytes", |c| Some(c.tx_bytes())),
    Column::count("rx_bytes", |c| Some(c.rx_bytes())),
    Column::count("kernel_tx_bytes", |c| kernel(c, |it| it.tx_bytes)),
    Column::count("kernel_rx_bytes", |c| kernel(c, |it| it.rx_bytes)),
    Column::count("retransmits", |c| kernel(c, |it| it.retransmits.into())),
    Column::count("retransmitted_bytes", |c| kernel(c, |it| it.retransmitted_bytes)),
    Column::count("rtt_us", |c| kernel(c, |it| it.rtt_us.into())),
    Column::count("wire_tx_bytes", |c| wire(c, |it| it.tx_bytes)),
    Column::count("wire_rx_bytes", |c| wire(c, |it| it.rx_bytes)),
    Column::count("wire_tx_packets", |c| wire(c, |it| it.tx_packets)),
    Column::count("wire_rx_packets", |c| wire(c, |it| it.rx_packets)),
    Column::text("country", |c| c.country.as_deref().map(Cow::Borrowed)),
    Column::text("city", |c| place(c)?.city.as_deref().map(Cow::Borrowed)),
    Column::text("region", |c| place(c)?.region.as_deref().map(Cow::Borrowed)),
    Column::number("latitude", |c| Some(place(c)?.coordinates?.latitude)),
    Column::number("longitude", |c| Some(place(c)?.coordinates?.longitude)),
    Column::count("asn", |c| place(c)?.asn.map(u64::from)),
    Column::text("org", |c| place(c)?.org.as_deref().map(Cow::Borrowed)),
    Column::text("geo_source", |c| Some(Cow::Borrowed(&*place(c)?.source))),
    Column::text("service", |c| service_of(c).name.map(Cow::Borrowed)),
    Column::text("observed", |c| c.observed.as_ref().map(|observed| Cow::Borrowed(&*observed.service))),
    Column::text("names", |c| Some(names(c).join(" ").into())),
    Column::text("community_id", |c| community_id(c).map(Cow::Owned)),
    Column::text("label", |c| c.label.as_deref().map(Cow::Borrowed)),
    Column::text("ioc", |c| Some(indicators(c).into())),
    Column::count("within_tx_bytes", |c| c.within.map(|[tx, _]| tx)),
    Column::count("within_rx_bytes", |c| c.within.map(|[_, rx]| rx)),
    Column::time("watched_until", |c| c.cut_off),
    Column::text("asked_ip", |c| c.asked.map(|asked| asked.ip.to_string().into())),
    Column::count("asked_port", |c| c.asked.map(|asked| asked.port.into())),
];

fn kernel(connection: &Connection, figure: fn(KernelTotals) -> u64) -> Option<u64> {
    connection.kernel.map(figure)
}

fn wire(connection: &Connection, figure: fn(Wire) -> u64) -> Option<u64> {
    connection.wire.map(figure)
}

/// The names of the other end, each once, what tells most first.
pub(super) fn names(connection: &Connection) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for name in &connection.names {
        if !names.contains(&&*name.name) {
            names.push(&name.name);
        }
    }
    names
}

/// The indicators that it matches, each with its list.
fn indicators(connection: &Connection) -> String {
    let each = connection.hits.iter().map(|hit| format!("{} ({})", hit.indicator, hit.list.name));
    each.collect::<Vec<_>>().join("; ")
}

fn place(connection: &Connection) -> Option<&Location> {
    connection.place.as_deref()
}

/// All columns with their cells; without a connection, the columns alone.
pub(super) fn cells(connection: Option<&Connection>) -> impl Iterator<Item = (&'static str, Cell<'_>)> {
    let owner = connection.and_then(|connection| connection.owner.as_deref());
    let of = move |column: &Column<Connection>| (column.name, column.cell(connection));
    HEAD.iter().map(of).chain(process::cells(owner)).chain(TAIL.iter().map(of))
}
