//! An entry of the table of facts.

use std::borrow::Cow;

use crate::{Connection, Facts, Process, Timestamp, Untrusted};

/// One fact of a connection: its name in each place where it stands, and how it is read and kept. Empty names say that it does
/// not stand there.
#[derive(Clone, Copy)]
pub struct Fact {
    /// Its path in JSON Lines, and below `connmon` in ECS where that has no field of its own.
    pub json: &'static str,
    /// Its column in CSV, Parquet and Timesketch.
    pub csv: &'static str,
    /// Its column in the store, with the table.
    pub sql: &'static str,
    /// The schema of the store that has its column first: earlier stores lack it.
    pub since: i32,
    /// The field of the query language that asks for it.
    pub field: &'static str,
    /// Its column in the data of the page.
    pub page: Option<PageColumn>,
    /// The unit of a number.
    pub unit: Unit,
    /// The meaning of the fact, in a sentence.
    pub about: &'static str,
    /// The place of the fact's value.
    pub source: Source,
}

/// The place of a fact's value.
#[derive(Clone, Copy)]
pub enum Source {
    /// In what was seen of the connection: the store keeps it in a column of `connection`, and viewers are told.
    Seen(Seen),
    /// In what else is known of the connection.
    Known(Read<Connection>),
    /// In the process that owns the connection.
    Owner(Read<Process>),
    /// It is a list or an object; each output has its own form of it.
    Structured,
}

/// The function that reads a value of `T`.
pub enum Read<T: 'static> {
    /// A text, as it was captured: it leaves the table as untrusted.
    Text(for<'a> fn(&'a T) -> Option<Cow<'a, str>>),
    /// A whole number.
    Count(fn(&T) -> Option<u64>),
    /// A number.
    Number(fn(&T) -> Option<f64>),
    /// Yes or no.
    Flag(fn(&T) -> Option<bool>),
    /// A time.
    Time(fn(&T) -> Option<Timestamp>),
}

/// The functions that read a value of [`Facts`] and write it.
#[derive(Clone, Copy)]
pub enum Seen {
    /// A text.
    Text(for<'a> fn(&'a Facts) -> Option<Cow<'a, str>>, fn(&mut Facts, &str)),
    /// A whole number.
    Count(fn(&Facts) -> Option<u64>, fn(&mut Facts, u64)),
    /// Yes or no.
    Flag(fn(&Facts) -> Option<bool>, fn(&mut Facts, bool)),
    /// A time.
    Time(fn(&Facts) -> Option<Timestamp>, fn(&mut Facts, Timestamp)),
}

/// A value; nothing where it is not known.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell<'a> {
    /// As it was captured.
    Text(Option<Untrusted<Cow<'a, str>>>),
    /// A whole number.
    Count(Option<u64>),
    /// A number.
    Number(Option<f64>),
    /// Yes or no.
    Flag(Option<bool>),
    /// A time.
    Time(Option<Timestamp>),
}

/// A column in the data of the page: a number, or the place of an address in its dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageColumn {
    /// Its name there.
    pub name: &'static str,
    /// The column that it is mostly near to, and the one of the packets whose headers it has besides: only the difference is
    /// written, and no value is the same as none. Empty where there is none.
    pub beside: [&'static str; 2],
    /// The condition under which the value of a row means anything.
    pub group: Group,
}

impl PageColumn {
    /// Whether it is written as the difference from another.
    pub fn is_beside(&self) -> bool {
        !self.beside[0].is_empty()
    }
}

/// Facts of a connection that are known together or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// The kernel's totals.
    Kernel,
    /// The wire plane.
    Wire,
    /// The address that was asked for.
    Asked,
}

/// The unit of a number, or the notation of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: a text, a yes or no, or a number that is a name.
    None,
    /// Bytes.
    Bytes,
    /// Packets.
    Packets,
    /// Segments of TCP.
    Segments,
    /// Microseconds.
    Microseconds,
    /// A time: nanoseconds since 1970 in the store, RFC 3339 in UTC in texts.
    Time,
    /// A port.
    Port,
    /// An IP address.
    Address,
    /// Degrees of latitude or longitude.
    Degrees,
}

impl Group {
    /// Its name in the page.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kernel => "kernel",
            Self::Wire => "wire",
            Self::Asked => "asked",
        }
    }
}

impl Unit {
    /// Its name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Bytes => "bytes",
            Self::Packets => "packets",
            Self::Segments => "segments",
            Self::Microseconds => "microseconds",
            Self::Time => "time",
            Self::Port => "port",
            Self::Address => "address",
            Self::Degrees => "degrees",
        }
    }
}

impl Fact {
    /// The value of a connection.
    pub fn value_of<'a>(&self, connection: &'a Connection) -> Cell<'a> {
        match &self.source {
            Source::Seen(seen) => seen.cell(&connection.facts),
            Source::Known(read) => read.cell(Some(connection)),
            Source::Owner(read) => read.cell(connection.owner.as_deref()),
            Source::Structured => Cell::Text(None),
        }
    }

    /// No value, of the kind that it has.
    pub fn empty(&self) -> Cell<'static> {
        match &self.source {
            Source::Seen(Seen::Text(..)) | Source::Structured => Cell::Text(None),
            Source::Seen(Seen::Count(..)) => Cell::Count(None),
            Source::Seen(Seen::Flag(..)) => Cell::Flag(None),
            Source::Seen(Seen::Time(..)) => Cell::Time(None),
            Source::Known(read) => read.cell(None),
            Source::Owner(read) => read.cell(None),
        }
    }

    /// How the fact is stored, if the recorder itself saw it on the connection.
    pub fn seen(&self) -> Option<Seen> {
        match self.source {
            Source::Seen(seen) => Some(seen),
            _ => None,
        }
    }

    /// The name of its column in its table.
    pub fn column(&self) -> &'static str {
        self.sql.split_once('.').map_or(self.sql, |(_, column)| column)
    }
}

impl<T> Clone for Read<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Read<T> {}

impl<T> Read<T> {
    /// The value of something; none where there is nothing.
    pub fn cell<'a>(&self, of: Option<&'a T>) -> Cell<'a> {
        match self {
            // An empty text is how the model says that nothing is known.
            Self::Text(read) => {
                Cell::Text(of.and_then(read).filter(|text| !text.is_empty()).map(Untrusted::from))
            }
            Self::Count(read) => Cell::Count(of.and_then(read)),
            Self::Number(read) => Cell::Number(of.and_then(read)),
            Self::Flag(read) => Cell::Flag(of.and_then(read)),
            Self::Time(read) => Cell::Time(of.and_then(read)),
        }
    }
}

impl Seen {
    /// The value.
    pub fn cell<'a>(&self, facts: &'a Facts) -> Cell<'a> {
        match self {
            Self::Text(get, _) => Cell::Text(get(facts).map(Untrusted::from)),
            Self::Count(get, _) => Cell::Count(get(facts)),
            Self::Flag(get, _) => Cell::Flag(get(facts)),
            Self::Time(get, _) => Cell::Time(get(facts)),
        }
    }
}

const fn fact(json: &'static str, sql: &'static str, about: &'static str, source: Source) -> Fact {
    Fact { json, csv: "", sql, since: 1, field: "", page: None, unit: Unit::None, about, source }
}

pub(super) const fn seen(json: &'static str, sql: &'static str, about: &'static str, seen: Seen) -> Fact {
    fact(json, sql, about, Source::Seen(seen))
}

pub(super) const fn known(
    json: &'static str,
    sql: &'static str,
    about: &'static str,
    read: Read<Connection>,
) -> Fact {
    fact(json, sql, about, Source::Known(read))
}

pub(super) const fn owner(
    json: &'static str,
    sql: &'static str,
    about: &'static str,
    read: Read<Process>,
) -> Fact {
    fact(json, sql, about, Source::Owner(read))
}

pub(super) const fn structured(json: &'static str, sql: &'static str, about: &'static str) -> Fact {
    fact(json, sql, about, Source::Structured)
}

impl Fact {
    pub(super) const fn csv(self, csv: &'static str) -> Self {
        Self { csv, ..self }
    }

    /// The schema of the store that has its column first, if that is not the first one.
    pub(super) const fn since(self, since: i32) -> Self {
        Self { since, ..self }
    }

    pub(super) const fn unit(self, unit: Unit) -> Self {
        Self { unit, ..self }
    }

    pub(super) const fn field(self, field: &'static str) -> Self {
        Self { field, ..self }
    }

    pub(super) const fn page(self, name: &'static str, group: Group) -> Self {
        self.beside(name, ["", ""], group)
    }

    /// A column of the page's data whose values are mostly those of another, and of the headers of packets.
    pub(super) const fn beside(self, name: &'static str, beside: [&'static str; 2], group: Group) -> Self {
        Self { page: Some(PageColumn { name, beside, group }), ..self }
    }
}
