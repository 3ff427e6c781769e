//! The conditions of [`connmon_filter`] in SQLite: their functions, values and columns.

use std::collections::HashSet;
use std::net::IpAddr;

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::{ToSql, Value as SqlValue, ValueRef};
use rusqlite::{Connection, Result};

use super::names::observed;
use connmon_filter::sql::{SqlParameter, functions};
use connmon_filter::{Condition, Filter, Networks, Pattern, base_name, is_public};
use connmon_record::{Direction, Proto, Service, service_port};

/// The condition that a filter is in this store. Its parameters are numbered from `first`.
pub(super) fn condition(db: &Connection, filter: &Filter, first: usize) -> Result<Condition> {
    let mut columns = db.prepare(
        "SELECT t.name, c.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'",
    )?;
    let columns: Vec<(String, String)> =
        columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_>>()?;
    let has = |table: &str, column: &str| columns.iter().any(|(t, c)| t == table && c == column);
    Ok(filter.condition(first, &has))
}

/// The values of its parameters.
pub(super) fn values(condition: &Condition) -> impl Iterator<Item = SqlValue> {
    condition.values.iter().map(|value| match value {
        SqlParameter::Text(text) => SqlValue::Text(text.clone()),
        SqlParameter::Integer(number) => SqlValue::Integer(*number),
    })
}

/// The remote addresses that what fits can have, where that leaves many out. Parameters are numbered from `first`.
pub(super) fn remotes(db: &Connection, condition: &Condition, first: usize) -> Result<Option<HashSet<i64>>> {
    let Some(test) = &condition.remotes else { return Ok(None) };
    let mut statement = db.prepare(&format!("SELECT id FROM endpoint WHERE {test}"))?;
    let count = statement.parameter_count();
    for (place, value) in (first..=count).zip(values(condition)) {
        statement.raw_bind_parameter(place, value)?;
    }
    let ids = statement.raw_query().mapped(|row| row.get(0)).collect::<Result<HashSet<i64>>>()?;
    let all: i64 = db.query_row("SELECT coalesce(max(id), 0) FROM endpoint", [], |row| row.get(0))?;
    Ok((2 * ids.len() as i64 <= all).then_some(ids))
}

/// Makes the functions of conditions known to a database.
pub(super) fn provide(db: &Connection, going_on: bool) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function(functions::GOING_ON, 0, flags, move |_| Ok(going_on))?;
    scalar::<2, bool>(db, functions::FITS, |context| {
        let pattern =
            context.get_or_create_aux(0, |value| Pattern::from_source(value.as_str()?).map_err(boxed))?;
        Ok(match context.get_raw(1) {
            ValueRef::Null => false,
            ValueRef::Integer(number) => pattern.fits(&number.to_string()),
            text => pattern.fits(text.as_str()?),
        })
    })?;
    scalar::<2, bool>(db, functions::WITHIN, |context| {
        let networks =
            context.get_or_create_aux(0, |value| value.as_str()?.parse::<Networks>().map_err(boxed))?;
        Ok(address(context, 1)?.is_some_and(|ip| networks.contains(ip)))
    })?;
    scalar::<1, bool>(db, functions::IS_PUBLIC, |context| Ok(address(context, 0)?.is_some_and(is_public)))?;
    scalar::<1, String>(db, functions::BASE_NAME, |context| {
        Ok(base_name(context.get_raw(0).as_str()?).to_owned())
    })?;
    scalar::<1, String>(db, functions::PROTO_NAME, |context| Ok(Proto(context.get(0)?).name()))?;
    scalar::<3, u16>(db, functions::SERVICE_PORT, |context| {
        let direction = Direction::from_name(context.get_raw(0).as_str()?).unwrap_or(Direction::Unknown);
        Ok(service_port(direction, context.get(1)?, context.get(2)?))
    })?;
    scalar::<4, Option<&'static str>>(db, functions::SERVICE_NAME, |context| {
        let usual = Service::name_of(Proto(context.get(0)?), context.get(1)?);
        let observed = match context.get::<Option<String>>(2)? {
            Some(service) => Some(observed(service, context.get(3)?)),
            None => None,
        };
        let seen = observed.and_then(|observed| Service::name_seen(&observed, usual));
        Ok(seen.or(usual).map(Service::word))
    })
}

/// A function of `N` arguments that depends on nothing else.
fn scalar<const N: i32, T: ToSql + 'static>(
    db: &Connection,
    name: &str,
    function: fn(&Context<'_>) -> Result<T>,
) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    db.create_scalar_function(name, N, flags, function)
}

fn address(context: &Context<'_>, index: usize) -> Result<Option<IpAddr>> {
    Ok(context.get_raw(index).as_str()?.parse().ok())
}

fn boxed(error: impl std::error::Error + Send + Sync + 'static) -> Box<dyn std::error::Error + Send + Sync> {
    Box::new(error)
}
