//! The query language, one for every command and view: `proc:curl country:DE,HK bytes>1M -org:google`.
//!
//! Text → `syntax` (words) → `meaning` (tests, with `fields`, the table of everything that can be asked) →
//! [`Expr`]. An expression answers for a [`Row`] in memory, and as a [`Condition`] in SQL, the same. `golden/cases.json`
//! is the contract for other implementations. Nothing here reads a clock, a file or a store.

mod ends;
mod error;
mod evidence;
mod expr;
mod fields;
mod figure;
mod findings;
pub mod ioc;
mod meaning;
mod networks;
mod pattern;
mod row;
pub mod rules;
mod spelling;
pub mod sql;
mod syntax;
#[cfg(test)]
mod tests;
mod value;

use std::fmt;

use connmon_record::Timestamp;

pub use ends::KNOWN_END;
pub use error::FilterError;
pub use evidence::Evidence;
pub use expr::{Compare, Expr, Test};
pub use fields::{FIELDS, Field, base_name};
pub use figure::bytes as bytes_of;
pub use findings::{FindingSource, KnownFinding, SEVERITIES};
pub use networks::{Networks, ParseNetworkError, network};
pub use pattern::Pattern;
pub use row::{FilterProcess, FilterRow, is_public};
pub use spelling::alike;
pub use sql::Condition;

/// A choice of connections, with the text it was made from.
#[derive(Clone)]
pub struct Filter {
    text: String,
    expr: Expr,
}

impl Filter {
    /// Reads an expression; an empty one chooses everything. Times of the day and lengths of time refer to `now`.
    ///
    /// # Errors
    /// Says what is wrong, where, and what to write instead.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, FilterError> {
        Self::parse_with(text, now, None)
    }

    /// The same where findings are known, for which it may ask; they are asked for only if it does.
    ///
    /// # Errors
    /// As [`Filter::parse`], or the findings cannot be known.
    pub fn parse_with(
        text: &str,
        now: Timestamp,
        findings: Option<FindingSource<'_>>,
    ) -> Result<Self, FilterError> {
        let syntax = syntax::parse(text).map_err(|fault| FilterError::new(text, fault))?;
        let expr = syntax.map_or(Ok(Expr::All(Vec::new())), |syntax| meaning::expr(&syntax, now, findings));
        let expr = expr.map_err(|fault| FilterError::new(text, fault))?;
        Ok(Self { text: text.trim().to_owned(), expr })
    }

    /// Connections whose remote address is in a set, or is not. `text` names the set to people.
    pub fn of_remotes(networks: Networks, inside: bool, text: String) -> Self {
        let test = Expr::Test(Test::Remote(networks));
        Self { text, expr: if inside { test } else { Expr::Not(Box::new(test)) } }
    }

    /// The filter that selects what both select.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self.is_everything(), other.is_everything()) {
            (true, _) => other,
            (_, true) => self,
            _ => Self {
                text: format!("({}) ({})", self.text, other.text),
                expr: Expr::All(vec![self.expr, other.expr]),
            },
        }
    }

    /// Whether nothing is left out.
    pub fn is_everything(&self) -> bool {
        matches!(&self.expr, Expr::All(parts) if parts.is_empty())
    }

    /// The text as it was typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The latest `since:` and the earliest `until:` that everything must fit: no row outside is chosen.
    pub fn interval(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        self.expr.interval()
    }

    /// Whether a row fits.
    pub fn fits(&self, row: &FilterRow<'_>) -> bool {
        self.expr.fits(row)
    }

    /// The same as a condition in SQL: see [`sql::condition`].
    pub fn condition(&self, first: usize, has: &dyn Fn(&str, &str) -> bool) -> Condition {
        sql::condition(&self.expr, first, has)
    }
}

impl Default for Filter {
    fn default() -> Self {
        Self { text: String::new(), expr: Expr::All(Vec::new()) }
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({:?})", self.text)
    }
}
