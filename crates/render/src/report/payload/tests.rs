//! What the page's script has to know of its data is written from the tables here.

use std::path::Path;

use serde_json::{Map, json};

use super::column::HEADERS;
use super::row::FLAGS;
use connmon_record::facts::{Fact, NOT_MEASURED, PageColumn, Unit, paged};
use connmon_record::{
    AddressKind, Direction, End, NameSource, PREEXISTING, REDIRECTED, STILL_OPEN, SUBFLOW, service_port,
};

#[test]
fn the_page_knows_the_same_columns() {
    let flags: Map<String, _> =
        (0..).zip(FLAGS).map(|(bit, (name, _))| (name.into(), json!(1 << bit))).collect();
    let figure = |(fact, _): &(&Fact, PageColumn)| fact.unit != Unit::Address;
    let addresses: Vec<&str> = paged().filter(|fact| !figure(fact)).map(|(_, page)| page.name).collect();
    let ends: Vec<&str> = End::ALL.iter().map(|end| end.words()).chain([STILL_OPEN]).collect();
    // Which of two ports it is, told by what the rule says of them.
    let rule = |direction| match [service_port(direction, 1, 2), service_port(direction, 2, 1)] {
        [1, 2] => "local",
        [2, 1] => "remote",
        _ => "lower",
    };
    let rules = Direction::ALL.map(rule);
    let counted = |(fact, page): (&Fact, PageColumn)| {
        (page.name.into(), json!({"group": page.group.name(), "unit": fact.unit.name()}))
    };
    let counted: Map<String, _> = paged().filter(figure).map(counted).collect();
    let mut units: Vec<String> =
        paged().filter(figure).map(|(fact, _)| format!("{:?}", fact.unit.name())).collect();
    units.sort();
    units.dedup();
    let members = paged().map(|(fact, page)| {
        let meaning = if fact.unit == Unit::Address { "; a place in `locals`" } else { "" };
        format!(" * @property {{ArrayLike<number>}} {} {}{meaning}\n", page.name, fact.about)
    });
    let text = format!(
        "// @ts-check
// What the data of a page means, as in report/payload. Generated: BLESS=1 cargo test -p connmon-render the_page_knows_the_same_columns

/** What the bits of `flags` say. */
export const FLAGS = {};
/**
 * @typedef {{object}} FactColumns facts that some rows have
{} */

/** The figures among them: the flag of the rows that have it, and what it counts. @type {{Record<FactFigure, {{group: keyof typeof FLAGS, unit: {}}}>}} */
export const FACT_FIGURES = {};
/** @typedef {{{}}} FactFigure */
/** Columns of addresses that some rows have, places in `locals`. */
export const FACT_ADDRESSES = {};
/** Bytes of headers of a packet, as they mostly are: the writer takes them off. */
export const HEADERS = {HEADERS};
/** Why a connection ended, in words. */
export const END_WORDS = {};
/** Which port is that of the service, by the direction. */
export const SERVICE_PORT = {};
/** The directions, for people. */
export const DIRECTION_WORDS = {};
/** The directions, as arrows from this host's end. */
export const ARROWS = {};
/** Kinds of addresses, for people. */
export const KINDS = new Map({});
/** Where a name comes from, for people. */
export const SOURCES = new Map({});
/** What is remarked of a row, by the flag that says it. */
export const REMARKS = {};
/** What is said of a round-trip time of 0. */
export const NOT_MEASURED = {};
",
        json!(flags),
        members.collect::<String>(),
        units.join(" | "),
        json!(counted),
        paged().filter(figure).map(|(_, page)| format!("{:?}", page.name)).collect::<Vec<_>>().join(" | "),
        json!(addresses),
        json!(ends),
        json!(rules),
        json!(Direction::ALL.map(Direction::words)),
        json!(Direction::ALL.map(Direction::arrow)),
        json!(AddressKind::ALL.map(|kind| [kind.name(), kind.label()])),
        json!(NameSource::ALL.map(|source| [source.name(), source.words()])),
        json!({"preexisting": PREEXISTING, "subflow": SUBFLOW, "asked": REDIRECTED}),
        json!(NOT_MEASURED),
    );
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/js/columns.js");
    connmon_fixtures::golden::compare(&file, &text);
}
