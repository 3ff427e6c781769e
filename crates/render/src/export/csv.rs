//! Comma-separated values that a spreadsheet can open without harm.

use std::borrow::Cow;
use std::io;

use super::columns::cells;
use super::{Closing, Out, Sink};
use connmon_record::facts::Cell;
use connmon_record::{Connection, Run, Untrusted, display_safe};

/// Every connection on a line.
pub struct Csv<'a> {
    out: Out<'a>,
}

impl<'a> Csv<'a> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// The writer's.
    pub fn new(out: Out<'a>) -> io::Result<Self> {
        let names: Vec<&str> = cells(None).map(|(name, _)| name).collect();
        writeln!(out, "{}", names.join(","))?;
        Ok(Self { out })
    }
}

impl Sink for Csv<'_> {
    fn connection(&mut self, _: Option<&Run>, connection: &Connection) -> io::Result<()> {
        let row: Vec<String> = cells(Some(connection)).map(|(_, cell)| fact(&cell)).collect();
        writeln!(self.out, "{}", row.join(","))
    }

    /// Nothing: every line is a row.
    fn finish(self: Box<Self>, _: &Closing<'_>) -> io::Result<()> {
        Ok(())
    }
}

/// A fact's cell as it is in a line; empty where it is not known.
pub(super) fn fact(value: &Cell<'_>) -> String {
    fn shown(value: Option<impl ToString>) -> String {
        value.map(|value| value.to_string()).unwrap_or_default()
    }
    match value {
        Cell::Text(text) => text.as_ref().map(cell).unwrap_or_default(),
        Cell::Count(count) => shown(*count),
        Cell::Number(number) => shown(*number),
        Cell::Flag(flag) => shown(*flag),
        Cell::Time(time) => shown(*time),
    }
}

/// Characters that make a spreadsheet take a cell for a formula. Some sources also name tab, carriage return and line feed, but those never
/// come first: they are written visibly.
const FORMULA: [char; 8] = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];

/// Characters that require a cell to be quoted, wherever they are; so does a space at its start.
const QUOTED: [char; 5] = [',', '"', '\'', ';', '\t'];

/// A cell from captured text: made visible, kept from being a formula, and quoted where needed.
pub fn cell<'a>(text: impl Into<Untrusted<&'a str>>) -> String {
    let safe = guarded(display_safe(text));
    if safe.contains(QUOTED) || safe.starts_with(' ') {
        format!("\"{}\"", safe.replace('"', "\"\""))
    } else {
        safe.into_owned()
    }
}

/// The text with an apostrophe before everything that would begin a formula: at the start, even after blanks, and after each semicolon,
/// where spreadsheets in many languages split a line even within quotes.
fn guarded(text: Cow<'_, str>) -> Cow<'_, str> {
    if !text.contains(FORMULA) {
        return text;
    }
    let (mut out, mut begins) = (String::with_capacity(text.len() + 1), true);
    for c in text.chars() {
        if begins && FORMULA.contains(&c) {
            out.push('\'');
        }
        begins = c == ';' || begins && c.is_whitespace();
        out.push(c);
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use connmon_record::facts::FACTS;

    use super::{FORMULA, QUOTED, cell};

    const HOSTILE: &str =
        include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/hostile.json"));

    /// The page's cells are held to the same table.
    #[test]
    fn cells_are_safe() {
        for case in serde_json::from_str::<Vec<serde_json::Value>>(HOSTILE).unwrap() {
            assert_eq!(
                cell(case["text"].as_str().unwrap()),
                case["cell"].as_str().unwrap(),
                "{}",
                case["name"]
            );
        }
    }

    #[test]
    fn the_page_writes_the_same_cells() {
        let class =
            |of: &[char]| of.iter().map(|c| format!("\\u{{{:x}}}", u32::from(*c))).collect::<String>();
        let columns = FACTS.iter().filter(|fact| !fact.csv.is_empty()).map(|fact| format!("{:?}", fact.csv));
        let text = format!(
            "// @ts-check
// Cells of CSV, as in export/csv. Generated: BLESS=1 cargo test -p connmon-render the_page_writes_the_same_cells

/** Where a spreadsheet would begin a formula. */
export const FORMULA = /(^|;)(\\s*)(?=[{}])/gu;
/** What has to be quoted. */
export const QUOTED = /[{}]|^ /u;
/** @typedef {{{}}} CsvColumn a column of an export */
",
            class(&FORMULA),
            class(&QUOTED),
            columns.collect::<Vec<_>>().join(" | "),
        );
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/js/cells.js");
        connmon_fixtures::golden::compare(&file, &text);
    }
}
