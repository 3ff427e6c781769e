//! A filter as a condition in SQL, with its values apart. The store binds and runs it, and provides the functions.

use std::net::IpAddr;

use super::ends::KNOWN_END;
use super::expr::{Compare, Expr, Test};
use super::fields::{self, NumberField, NumberFrom, TextField, TextFrom};
use super::pattern::Pattern;

/// A condition on `connection`, which is `c`. It is true or false, never null.
pub struct Condition {
    /// The SQL.
    pub text: String,
    /// The values of the parameters, in the order of their numbers.
    pub values: Vec<SqlParameter>,
    /// A condition on `endpoint` that every remote address fits of what fits all of it, if there is one, with the same parameters.
    pub remotes: Option<String>,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlParameter {
    /// A text.
    Text(String),
    /// A number.
    Integer(i64),
}

/// The functions that the store provides to a [`Condition`].
pub mod functions {
    /// `fits(pattern, text)`: [`Pattern::fits`](crate::Pattern::fits).
    pub const FITS: &str = "fits";
    /// `within(networks, ip)`: [`Networks::contains`](crate::Networks::contains).
    pub const WITHIN: &str = "within";
    /// `is_public(ip)`: [`is_public`](crate::is_public).
    pub const IS_PUBLIC: &str = "is_public";
    /// `base_name(path)`: [`base_name`](crate::base_name).
    pub const BASE_NAME: &str = "base_name";
    /// `proto_name(number)`: [`Proto::name`](connmon_record::Proto::name).
    pub const PROTO_NAME: &str = "proto_name";
    /// `service_port(direction, local, remote)`: [`service_port`](connmon_record::service_port).
    pub const SERVICE_PORT: &str = "service_port";
    /// `going_on()`: whether the recording without an end goes on.
    pub const GOING_ON: &str = "going_on";
    /// `service_name(proto, port)`: [`Service::name_of`](connmon_record::Service::name_of), as
    /// [`Service::word`](connmon_record::Service::word).
    pub const SERVICE_NAME: &str = "service_name";
}

/// The condition of a filter. Parameters are numbered from `first`; `has` tells whether a table of the store has a
/// column.
pub fn condition(expr: &Expr, first: usize, has: &dyn Fn(&str, &str) -> bool) -> Condition {
    let mut sql = Sql { first, has, values: Vec::new() };
    let (text, remotes) = sql.whole(expr);
    let remotes = (!remotes.is_empty()).then(|| remotes.join(" AND "));
    Condition { text, values: sql.values, remotes }
}

/// For data that the store does not have.
const UNKNOWN: &str = "0";

struct Sql<'a> {
    first: usize,
    has: &'a dyn Fn(&str, &str) -> bool,
    values: Vec<SqlParameter>,
}

impl Sql<'_> {
    /// An expression that everything must fit, and those of its tests that are of remote addresses alone.
    fn whole(&mut self, expr: &Expr) -> (String, Vec<String>) {
        let parts = match expr {
            Expr::All(parts) if !parts.is_empty() => parts,
            _ => {
                let text = self.expr(expr);
                let remote = text.strip_prefix(ENDPOINT).and_then(|rest| rest.strip_suffix(')'));
                let remote = remote.map(|test| format!("({test})"));
                return (text, remote.into_iter().collect());
            }
        };
        let (texts, remotes): (Vec<_>, Vec<_>) = parts.iter().map(|part| self.whole(part)).unzip();
        (format!("({})", texts.join(" AND ")), remotes.concat())
    }

    fn expr(&mut self, expr: &Expr) -> String {
        match expr {
            Expr::All(parts) => self.joined(parts, " AND ", "1"),
            Expr::Any(parts) => self.joined(parts, " OR ", "0"),
            Expr::Not(part) => format!("NOT {}", self.expr(part)),
            Expr::Test(test) => self.test(test),
        }
    }

    fn joined(&mut self, parts: &[Expr], word: &str, none: &str) -> String {
        let parts: Vec<String> = parts.iter().map(|part| self.expr(part)).collect();
        if parts.is_empty() { none.into() } else { format!("({})", parts.join(word)) }
    }

    fn test(&mut self, test: &Test) -> String {
        match test {
            Test::Text(text, pattern) => self.texts([*text].into_iter(), pattern),
            Test::Free(pattern) => self.texts(fields::free(), pattern),
            Test::Number(number, compare, values) => self.number(number, *compare, values),
            Test::Remote(networks) => {
                endpoint(&match networks.addresses() {
                    // There is an index on them.
                    Some(all) if all.len() <= FEW => self.one_of(&all),
                    _ => format!("within({}, ip)", self.bind(SqlParameter::Text(networks.to_string()))),
                })
            }
            Test::Address(fact, networks) => {
                let column = format!("c.{}", fact.column());
                if !self.known("connection", &column) {
                    return UNKNOWN.into();
                }
                let networks = self.bind(SqlParameter::Text(networks.to_string()));
                format!("({column} IS NOT NULL AND within({networks}, {column}))")
            }
            Test::Public(public) => endpoint(&format!("is_public(ip) = {}", i32::from(*public))),
            Test::Since(time) => {
                let time = self.bind(SqlParameter::Integer(time.0));
                format!("coalesce({KNOWN_END} >= {time}, 1)")
            }
            Test::Until(time) => format!("(c.opened < {})", self.bind(SqlParameter::Integer(time.0))),
        }
    }

    /// The condition that a column `ip` is one of these addresses. The store may have IPv4 within IPv6.
    fn one_of(&mut self, addresses: &[IpAddr]) -> String {
        let texts = addresses.iter().flat_map(|ip| match ip {
            IpAddr::V4(ip) => vec![ip.to_string(), ip.to_ipv6_mapped().to_string()],
            IpAddr::V6(ip) => vec![ip.to_string()],
        });
        let texts: Vec<String> = texts.map(|text| self.bind(SqlParameter::Text(text))).collect();
        format!("ip IN ({})", texts.join(", "))
    }

    /// The name of a new parameter.
    fn bind(&mut self, value: SqlParameter) -> String {
        self.values.push(value);
        format!("?{}", self.first + self.values.len() - 1)
    }

    /// One of these texts fits: what is in the same table is asked together.
    fn texts(&mut self, texts: impl Iterator<Item = &'static TextField>, pattern: &Pattern) -> String {
        let parameter = format!("?{}", self.first + self.values.len());
        let (mut processes, mut connections, mut endpoints, mut hits) =
            (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut names = Vec::new();
        for text in texts {
            let (table, columns, tests) = match &text.from {
                TextFrom::Process(columns, _) => ("process", columns, &mut processes),
                TextFrom::Connection(columns, _) => ("connection", columns, &mut connections),
                TextFrom::Endpoint(columns, _) => ("endpoint", columns, &mut endpoints),
                TextFrom::Name(_) => {
                    names.push(named(&format!("fits({parameter}, name)")));
                    continue;
                }
                TextFrom::Hit(columns, _) => ("hit", columns, &mut hits),
            };
            let known = columns.iter().filter(|column| self.known(table, column));
            tests.extend(known.map(|column| format!("fits({parameter}, {column})")));
        }
        if processes.is_empty() && connections.is_empty() && hits.is_empty() && names.is_empty() {
            if endpoints.is_empty() {
                return UNKNOWN.into();
            }
            self.bind(SqlParameter::Text(pattern.source().into_owned()));
            return endpoint(&endpoints.join(" OR "));
        }
        let ask = |tests: Vec<String>, ask: fn(&str) -> String| {
            (!tests.is_empty()).then(|| ask(&tests.join(" OR ")))
        };
        let asked = [
            ask(processes, process),
            ask(connections, str::to_owned),
            ask(endpoints, endpoint),
            ask(hits, |test| format!("c.id IN (SELECT connection_id FROM hit WHERE {test})")),
        ];
        let asked: Vec<String> = asked.into_iter().flatten().chain(names).collect();
        self.bind(SqlParameter::Text(pattern.source().into_owned()));
        format!("({})", asked.join(" OR "))
    }

    fn number(&mut self, number: &NumberField, compare: Compare, values: &[i64]) -> String {
        let (table, column) = match &number.from {
            NumberFrom::Process(column, _) => ("process", (*column).to_owned()),
            NumberFrom::Connection(column, _) => ("connection", (*column).to_owned()),
            NumberFrom::Endpoint(column, _) => ("endpoint", (*column).to_owned()),
            NumberFrom::Fact(fact) => ("connection", format!("c.{}", fact.column())),
        };
        if !self.known(table, &column) {
            return UNKNOWN.into();
        }
        let test = match (compare, values) {
            (compare, [value]) => {
                format!("{column} {} {}", compare.symbol(), self.bind(SqlParameter::Integer(*value)))
            }
            _ => {
                let values: Vec<String> =
                    values.iter().map(|value| self.bind(SqlParameter::Integer(*value))).collect();
                format!("{column} IN ({})", values.join(", "))
            }
        };
        match number.from {
            NumberFrom::Process(..) => process(&test),
            NumberFrom::Connection(..) | NumberFrom::Fact(..) => format!("coalesce({test}, 0)"),
            NumberFrom::Endpoint(..) => endpoint(&test),
        }
    }

    /// Whether the store has what an entry of the table of fields names. Expressions are over columns that every store has.
    fn known(&self, table: &str, column: &str) -> bool {
        let name = column.strip_prefix("c.").unwrap_or(column);
        // The one table that stores of earlier versions lack as a whole.
        if table == "hit" {
            return (self.has)(table, "connection_id");
        }
        !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') || (self.has)(table, name)
    }
}

/// Addresses that are asked for one by one.
const FEW: usize = 64;

/// The beginning of a test of the remote address.
const ENDPOINT: &str = "c.remote_id IN (SELECT id FROM endpoint WHERE ";

/// A test of the remote address, asked once an address.
fn endpoint(test: &str) -> String {
    format!("{ENDPOINT}{test})")
}

/// A test of names: the connection's own, asked of each connection, or the address's, asked once a name.
fn named(test: &str) -> String {
    format!(
        "EXISTS (SELECT 1 FROM connection_name WHERE connection_id = c.id AND {test}) \
         OR c.remote_id IN (SELECT endpoint_id FROM endpoint_name WHERE {test})"
    )
}

/// A test of processes, asked once a process: the owner, or one that moved bytes. Of a process that ran several
/// programs on a connection, the latest counts, as everywhere.
fn process(test: &str) -> String {
    format!(
        "(coalesce(c.owner_id IN (SELECT id FROM process WHERE {test}), 0) OR EXISTS (\
         SELECT 1 FROM traffic t WHERE t.connection_id = c.id \
         AND t.process_id IN (SELECT id FROM process WHERE {test}) AND NOT EXISTS (\
         SELECT 1 FROM traffic u JOIN process later ON later.id = u.process_id \
         JOIN process this ON this.id = t.process_id \
         WHERE u.connection_id = t.connection_id AND later.id > this.id \
         AND later.pid = this.pid AND later.start_ns = this.start_ns)))"
    )
}
