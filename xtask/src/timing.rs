//! What took how long: the end-to-end test prints a line for each of its longer tests, which this adds up over guests.

use std::collections::BTreeMap;

use crate::table;

/// How such a line begins.
pub const MARK: &str = "took ";
/// Tests that are shown.
const SHOWN: usize = 25;

/// A line of the end-to-end test: `took 12.3 s, 2 starts 5.1 s: edges`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Took {
    /// Seconds.
    whole: f64,
    /// Recorders that were started.
    starts: u64,
    /// Seconds until they were ready.
    starting: f64,
}

fn parse(line: &str) -> Option<(&str, Took)> {
    let (took, test) = line.strip_prefix(MARK)?.split_once(": ")?;
    let (whole, starts) = took.strip_suffix(" s")?.split_once(" s, ")?;
    let (starts, starting) = starts.split_once(" starts ")?;
    let took =
        Took { whole: whole.parse().ok()?, starts: starts.parse().ok()?, starting: starting.parse().ok()? };
    Some((test, took))
}

/// The table of the tests that took longest in all of these outputs together.
pub fn slowest<'a>(outputs: impl Iterator<Item = &'a str>) -> String {
    let mut tests: BTreeMap<&str, Took> = BTreeMap::new();
    let mut all = Took::default();
    for (test, took) in outputs.flat_map(str::lines).filter_map(parse) {
        for sum in [tests.entry(test).or_default(), &mut all] {
            sum.whole += took.whole;
            sum.starts += took.starts;
            sum.starting += took.starting;
        }
    }
    let mut tests: Vec<(&str, Took)> = tests.into_iter().collect();
    tests.sort_by(|a, b| b.1.whole.total_cmp(&a.1.whole));
    tests.truncate(SHOWN);
    tests.push(("all", all));
    let mut rows = vec![["test", "time", "starts", "starting"].map(str::to_owned).to_vec()];
    rows.extend(tests.iter().map(|(test, took)| {
        let seconds = |time: f64| format!("{time:.0} s");
        vec![(*test).to_owned(), seconds(took.whole), took.starts.to_string(), seconds(took.starting)]
    }));
    table::render(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guests_are_added_up() {
        let took = Took { whole: 12.5, starts: 2, starting: 5.25 };
        assert_eq!(parse("took 12.5 s, 2 starts 5.25 s: edges"), Some(("edges", took)));
        assert_eq!(parse("took long"), None);
        let (one, other) = (
            "took 2.0 s, 1 starts 1.0 s: a\nok\ntook 3.0 s, 0 starts 0.0 s: b::c",
            "x\ntook 4.4 s, 1 starts 1.2 s: a",
        );
        let table = slowest([one, other].into_iter());
        let rows: Vec<Vec<&str>> =
            table.lines().skip(2).map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["a", "6", "s", "2", "2", "s"]);
        assert_eq!(rows[1], ["b::c", "3", "s", "0", "0", "s"]);
        assert_eq!(rows[2], ["all", "9", "s", "2", "2", "s"]);
    }
}
