//! A filter as a tree of tests, and what it says of a row.

use std::cmp::Ordering;

use super::fields::{self, NumberField, NumberFrom, TextField, TextFrom};
use super::networks::Networks;
use super::pattern::Pattern;
use super::row::FilterRow;
use connmon_record::Timestamp;
use connmon_record::facts::{Cell, Fact};

/// A tree of tests. There is no third answer besides yes and no: what is not known does not fit, so its negation does.
#[derive(Clone)]
pub enum Expr {
    /// Every part fits; with no part, everything does.
    All(Vec<Self>),
    /// At least one part fits.
    Any(Vec<Self>),
    /// It does not fit.
    Not(Box<Self>),
    /// One question.
    Test(Test),
}

/// One question to a connection.
#[derive(Clone)]
pub enum Test {
    /// A text fits.
    Text(&'static TextField, Pattern),
    /// Any text that people would look for fits.
    Free(Pattern),
    /// A number compares so with one of these.
    Number(&'static NumberField, Compare, Vec<i64>),
    /// The remote address is in one of these networks.
    Remote(Networks),
    /// A fact that is an address is in one of these networks.
    Address(&'static Fact, Networks),
    /// The remote address is a public one, or is not.
    Public(bool),
    /// It was open at this time or later.
    Since(Timestamp),
    /// It was opened before this time.
    Until(Timestamp),
}

/// The comparisons of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    /// Equal.
    Equal,
    /// Less.
    Less,
    /// Less or equal.
    AtMost,
    /// Greater.
    Greater,
    /// Greater or equal.
    AtLeast,
}

impl Compare {
    /// As SQL writes it.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }

    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Less => order.is_lt(),
            Self::AtMost => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::AtLeast => order.is_ge(),
        }
    }
}

impl Expr {
    /// Whether a row fits.
    pub fn fits(&self, row: &FilterRow<'_>) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.fits(row)),
            Self::Any(parts) => parts.iter().any(|part| part.fits(row)),
            Self::Not(part) => !part.fits(row),
            Self::Test(test) => test.fits(row),
        }
    }

    /// The latest `since` and the earliest `until` that everything must fit.
    pub fn interval(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        match self {
            Self::All(parts) => parts.iter().map(Self::interval).fold((None, None), |all, part| {
                (all.0.max(part.0), [all.1, part.1].into_iter().flatten().min())
            }),
            Self::Test(Test::Since(time)) => (Some(*time), None),
            Self::Test(Test::Until(time)) => (None, Some(*time)),
            Self::Any(_) | Self::Not(_) | Self::Test(_) => (None, None),
        }
    }
}

impl Test {
    fn fits(&self, row: &FilterRow<'_>) -> bool {
        match self {
            Self::Text(text, pattern) => text_fits(text, pattern, row),
            Self::Free(pattern) => fields::free().any(|text| text_fits(text, pattern, row)),
            Self::Number(number, compare, values) => {
                let holds = |found: i64| values.iter().any(|value| compare.holds(found.cmp(value)));
                match &number.from {
                    NumberFrom::Process(_, get) => row.processes.iter().filter_map(get).any(holds),
                    NumberFrom::Fact(fact) => fields::number_of(fact, row).is_some_and(holds),
                    NumberFrom::Connection(_, get) | NumberFrom::Endpoint(_, get) => {
                        get(row).is_some_and(holds)
                    }
                }
            }
            Self::Remote(networks) => networks.contains(row.remote),
            Self::Address(fact, networks) => match fact.seen().map(|seen| seen.cell(&row.facts)) {
                Some(Cell::Text(Some(text))) => text.parse().is_ok_and(|ip| networks.contains(ip)),
                _ => false,
            },
            Self::Public(public) => row.public == *public,
            Self::Since(time) => row.closed.is_none_or(|closed| closed >= time.0),
            Self::Until(time) => row.opened < time.0,
        }
    }
}

fn text_fits(text: &TextField, pattern: &Pattern, row: &FilterRow<'_>) -> bool {
    match &text.from {
        TextFrom::Process(_, fits) => row.processes.iter().any(|process| fits(process, pattern)),
        TextFrom::Connection(_, fits)
        | TextFrom::Endpoint(_, fits)
        | TextFrom::Name(fits)
        | TextFrom::Hit(_, fits) => fits(row, pattern),
    }
}
