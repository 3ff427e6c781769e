//! A connection as a flat row: the columns that CSV, Parquet and Timesketch share.

use connmon_record::facts::{Cell, FACTS, Source};
use connmon_record::{Connection, Process};

/// A cell as JSON, made visible; nothing where it is not known.
pub(super) fn json(cell: &Cell<'_>) -> Option<serde_json::Value> {
    match cell {
        Cell::Text(text) => text.as_ref().map(|text| text.shown().into()),
        Cell::Count(count) => count.map(Into::into),
        Cell::Number(number) => number.map(Into::into),
        Cell::Flag(flag) => flag.map(Into::into),
        Cell::Time(time) => time.map(|time| time.to_string().into()),
    }
}

/// All columns with their cells; without a connection, the columns alone.
pub(super) fn cells(connection: Option<&Connection>) -> impl Iterator<Item = (&'static str, Cell<'_>)> {
    let columns = FACTS.iter().filter(|fact| !fact.csv.is_empty());
    columns.map(move |fact| (fact.csv, connection.map_or_else(|| fact.empty(), |of| fact.value_of(of))))
}

/// The columns of a process with their cells; without one, the columns alone.
pub(super) fn of_process(process: Option<&Process>) -> impl Iterator<Item = (&'static str, Cell<'_>)> {
    FACTS.iter().filter(|fact| !fact.csv.is_empty()).filter_map(move |fact| match &fact.source {
        Source::Owner(read) => Some((fact.csv, read.cell(process))),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::path::Path;

    use super::super::connections::record;
    use super::*;
    use connmon_fixtures::{connection, process};
    use connmon_record::facts::{Fact, members};
    use connmon_record::{End, Endpoint, Timestamp};
    use connmon_record::{KernelTotals, Wire};

    /// What kind of value it is.
    fn kind(fact: &Fact) -> &'static str {
        match (&fact.source, fact.empty()) {
            (Source::Structured, _) => "",
            (_, Cell::Text(_)) => "text",
            (_, Cell::Count(_)) => "whole number",
            (_, Cell::Number(_)) => "number",
            (_, Cell::Flag(_)) => "yes or no",
            (_, Cell::Time(_)) => "time",
        }
    }

    /// The page of the documentation is written from the table.
    #[test]
    fn the_documentation_tells_every_fact() {
        let mut text = String::from(
            "<!-- Generated: BLESS=1 cargo test -p connmon-render the_documentation_tells_every_fact -->
# What is known of a connection

Each fact with its name in JSON Lines (and below `connmon.` in ECS, where that schema has no field for it), its column in CSV, Parquet and
Timesketch, its column in the store, and the [field](queries.md) that asks for it. A value that is not known is absent, `null` or empty.
The store has times as nanoseconds since 1970 in UTC, texts have them in RFC 3339.

| JSON | CSV | store | asked by | kind | unit | what it is |
|---|---|---|---|---|---|---|
",
        );
        let code = |name: &str| if name.is_empty() { String::new() } else { format!("`{name}`") };
        for fact in FACTS {
            let cells = [code(fact.json), code(fact.csv), code(fact.sql), code(fact.field)];
            let [json, csv, sql, field] = cells;
            let (kind, unit) = (kind(fact), fact.unit.name());
            let unit = if unit == kind { "" } else { unit };
            text += &format!("| {json} | {csv} | {sql} | {field} | {kind} | {unit} | {} |\n", fact.about);
        }
        text += "\n## Why connections end\n\n| `end` | what it means | an error |\n|---|---|---|\n";
        for end in End::ALL {
            let error = if end.is_error() { "yes" } else { "" };
            text += &format!("| `{}` | {} | {error} |\n", end.name(), end.words());
        }
        text += "\nAn error is a failure if the connection had moved no byte; a refused connection always failed.\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/fields.md");
        connmon_fixtures::golden::compare(&file, &text);
    }

    #[test]
    fn names_stand_for_one_fact_each() {
        let names: [fn(&Fact) -> &'static str; 4] = [
            |fact| fact.json,
            |fact| fact.csv,
            |fact| fact.sql,
            |fact| fact.page.map_or("", |page| page.name),
        ];
        for name in names {
            let mut seen = HashSet::new();
            for name in FACTS.iter().map(name).filter(|name| !name.is_empty()) {
                assert!(seen.insert(name), "{name} stands for two facts");
            }
        }
    }

    /// Whatever the table says of JSON is there, and has the value of the column.
    #[test]
    fn json_has_every_fact() {
        let owner = process(7, 7, "curl");
        let mut one = connection(1, 0, &owner, "8.8.8.8:443", 1, 2);
        one.kernel = Some(KernelTotals { tx_bytes: 1, ..KernelTotals::default() });
        one.wire = Some(Wire { tx_bytes: 1, ..Wire::default() });
        one.asked = Some(Endpoint::new([10, 0, 0, 1].into(), 443));
        (one.within, one.cut_off) = (Some([1, 2]), Some(Timestamp(1)));
        let json = serde_json::to_value(record(&one)).unwrap();
        let at = |path: &str| json.pointer(&format!("/{}", path.replace('.', "/")));
        for fact in FACTS.iter().filter(|fact| !matches!(fact.source, Source::Structured)) {
            let value = super::json(&fact.value_of(&one));
            let found = at(fact.json).filter(|found| !found.is_null());
            // In JSON names and indicators are lists.
            let is_list = found.is_some_and(|found| found.is_array() || found.is_object());
            assert!(is_list || found == value.as_ref(), "{}: {found:?}, {value:?}", fact.json);
        }
        for object in ["kernel", "wire", "asked", "local", "remote", "within"] {
            let names: Vec<&str> = members(object).map(|(name, _)| name).collect();
            assert_eq!(at(object).unwrap().as_object().unwrap().len(), names.len(), "{names:?}");
        }
    }
}
