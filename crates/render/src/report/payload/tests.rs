//! What the page's script has to know of its data is written from the tables here.

use std::path::Path;

use serde_json::{Map, json};

use super::column::HEADERS;
use super::row::FLAGS;
use connmon_record::facts::{Unit, paged};
use connmon_record::{Direction, End, STILL_OPEN, service_port};

#[test]
fn the_page_knows_the_same_columns() {
    let flags: Map<String, _> =
        (0..).zip(FLAGS).map(|(bit, (name, _))| (name.into(), json!(1 << bit))).collect();
    let of = |addresses: bool| {
        let facts = paged().filter(move |(fact, _)| (fact.unit == Unit::Address) == addresses);
        facts.map(|(_, page)| page.name).collect::<Vec<_>>()
    };
    let ends: Vec<&str> = End::ALL.iter().map(|end| end.words()).chain([STILL_OPEN]).collect();
    // Which of two ports it is, told by what the rule says of them.
    let rule = |direction| match [service_port(direction, 1, 2), service_port(direction, 2, 1)] {
        [1, 2] => "local",
        [2, 1] => "remote",
        _ => "lower",
    };
    let rules = [Direction::Out, Direction::In, Direction::Unknown].map(rule);
    let text = format!(
        "// @ts-check
// What the data of a page means, as in report/payload. Generated: BLESS=1 cargo test -p connmon-render the_page_knows_the_same_columns

/** What the bits of `flags` say. */
export const FLAGS = {};
/** Columns of figures that some rows have: what says so is a flag. */
export const FACT_FIGURES = {};
/** Columns of addresses that some rows have, places in `locals`. */
export const FACT_ADDRESSES = {};
/** Bytes of headers of a packet, as they mostly are: the writer takes them off. */
export const HEADERS = {HEADERS};
/** Why a connection ended, in words. */
export const END_WORDS = {};
/** Which port is that of the service, by the direction. */
export const SERVICE_PORT = {};
",
        json!(flags),
        json!(of(false)),
        json!(of(true)),
        json!(ends),
        json!(rules),
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/js/columns.js");
    connmon_fixtures::golden::compare(&file, &text);
}
