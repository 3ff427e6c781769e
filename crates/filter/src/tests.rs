//! The language against its contract, `golden/cases.json`, and what a file of cases cannot say.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::fields::{Data, FieldUnit, NetworkFrom, NumberFrom};
use super::{FIELDS, Field, Filter, FilterRow};
use connmon_record::facts::FACTS;
use connmon_record::{Proto, Service, Timestamp, display_safe};
use connmon_record::{country_named, country_names};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Golden {
    #[serde(rename = "about")]
    _about: String,
    now: String,
    rows: BTreeMap<String, FilterRow<'static>>,
    cases: Vec<Case>,
    errors: Vec<Wrong>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    filter: String,
    fit: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrong {
    filter: String,
    column: usize,
    says: String,
}

fn golden() -> (Golden, Timestamp) {
    let golden: Golden = serde_json::from_str(include_str!("golden/cases.json")).unwrap();
    let now = Timestamp::parse(&golden.now, Timestamp(0)).unwrap();
    (golden, now)
}

#[test]
fn expressions_choose_the_rows_of_the_contract() {
    let (golden, now) = golden();
    for Case { filter: text, fit } in &golden.cases {
        let filter = Filter::parse(text, now).unwrap_or_else(|error| panic!("{error}\n{}", error.picture()));
        let mut expected: Vec<&str> = fit.iter().map(String::as_str).collect();
        expected.sort_unstable();
        let fits = golden.rows.iter().filter(|(_, row)| filter.fits(row)).map(|(name, _)| name.as_str());
        assert_eq!(fits.collect::<Vec<_>>(), expected, "{text}");
    }
}

#[test]
fn errors_point_at_the_place_and_say_what_to_write() {
    let (golden, now) = golden();
    for Wrong { filter: text, column, says } in &golden.errors {
        let Err(error) = Filter::parse(text, now) else { panic!("{text} is accepted") };
        let sentence = error.to_string();
        assert!(error.column() == *column && sentence.contains(says), "{text}: {sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }
    let error = Filter::parse("ünï prot:tcp", now).unwrap_err();
    assert_eq!(error.to_string(), "column 5: unknown field `prot`; did you mean `proto:`?");
    assert_eq!(error.picture(), "  ünï prot:tcp\n      ^^^^");
}

#[test]
fn every_field_is_in_the_contract_and_in_the_documentation() {
    let (golden, _) = golden();
    let page = include_str!("../../../docs/queries.md");
    for field in FIELDS.iter() {
        let used = |text: &str| {
            text.match_indices(field.name).any(|(at, name)| {
                text[at + name.len()..].starts_with([':', '=', '<', '>', '!'])
                    && !text[..at].ends_with(|c: char| c.is_alphanumeric())
            })
        };
        assert!(golden.cases.iter().any(|case| used(&case.filter)), "{} has no case", field.name);
        assert!(page.contains(&format!("`{}", field.name)), "{} is not explained", field.name);
    }
}

#[test]
fn the_words_of_a_field_are_those_of_the_model() {
    let words = |name: &str| super::fields::find(name).unwrap().words;
    for name in words("proto") {
        assert!((0..0x400).any(|number| Proto(number).name() == *name), "{name}");
    }
}

#[test]
fn the_interval_is_what_must_fit() {
    let now = Timestamp(1_000_000_000_000);
    for (text, since, until) in [
        ("", None, None),
        ("since:100s until:50s", Some(900), Some(950)),
        ("(since:100s curl) since:80s until:50s until:60s", Some(920), Some(940)),
        ("since:100s or until:50s", None, None),
        ("-since:100s", None, None),
    ] {
        let at = |seconds: Option<i64>| seconds.map(|seconds| Timestamp(seconds * 1_000_000_000));
        assert_eq!(Filter::parse(text, now).unwrap().interval(), (at(since), at(until)), "{text}");
    }
}

/// What the page needs to know of names is written from the tables here.
#[test]
fn the_page_knows_the_same_names() {
    let mut text = String::from(
        "// @ts-check\n// Names that stand for ports and countries, as in filter/. Generated: \
         BLESS=1 cargo test -p connmon-filter the_page_knows_the_same_names\n\n\
         /** @type {ReadonlyMap<string, readonly number[]>} */\nexport const PORTS_BY_NAME = new Map([\n",
    );
    for name in Service::names() {
        text.push_str(&format!("  [\"{name}\", {:?}],\n", Service::ports_of(name)));
    }
    text.push_str(
        "]);\n\n/** @type {ReadonlyMap<string, string>} */\nexport const COUNTRIES_BY_NAME = new Map([\n",
    );
    for name in country_names() {
        text.push_str(&format!("  [\"{name}\", \"{}\"],\n", country_named(name).unwrap()));
    }
    text.push_str("]);\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/js/query/names.js");
    connmon_fixtures::golden::compare(&file, &text);
}

/// The table of fields, as the page has it: only where their data is, it says itself.
#[test]
fn the_page_knows_the_same_fields() {
    let words = |name: &str| super::fields::find(name).unwrap().words;
    let mut text = String::from(
        "// @ts-check\n// What can be asked, as in filter/. Generated: \
         BLESS=1 cargo test -p connmon-filter the_page_knows_the_same_fields\n\n",
    );
    for (name, words) in [("PROTOS", words("proto")), ("DIRECTIONS", words("dir")), ("ENDS", words("end"))] {
        text.push_str(&format!("export const {name} = {};\n", json!(words)));
    }
    text.push_str(&format!(
        "// What is shown escaped, as by `display_safe`.\nexport const UNSAFE = /[{}]/gu;\n",
        escaped()
    ));
    text.push_str("\n/** @type {readonly import(\"./fields.js\").Entry[]} */\nexport const ENTRIES = [\n");
    for field in FIELDS.iter() {
        text.push_str(&format!("  {},\n", entry(field)));
    }
    text.push_str("];\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../templates/js/query/entries.js");
    connmon_fixtures::golden::compare(&file, &text);
}

/// The ranges of characters that are not shown as they are, for an expression of the page.
fn escaped() -> String {
    let is_unsafe = |code: &u32| {
        char::from_u32(*code).is_some_and(|c| matches!(display_safe(&c.to_string()), Cow::Owned(_)))
    };
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for code in (0..=u32::from(char::MAX)).filter(is_unsafe) {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == code => *last = code,
            _ => ranges.push((code, code)),
        }
    }
    ranges.iter().map(|(first, last)| format!("\\u{{{first:x}}}-\\u{{{last:x}}}")).collect()
}

/// What the page has to know of a field.
fn entry(field: &Field) -> serde_json::Value {
    let mut entry = json!({"name": field.name, "about": field.about});
    if !field.words.is_empty() {
        entry["words"] = json!(field.words);
    }
    let fact = match &field.data {
        Data::Text(text) => {
            entry["kind"] = json!("text");
            entry["shape"] = json!(format!("{:?}", text.shape).to_lowercase());
            entry["free"] = json!(text.free);
            None
        }
        Data::Number(number) => {
            let (unit, most) = match number.unit {
                FieldUnit::Plain(most) => ("plain", Some(most)),
                FieldUnit::Port => ("port", Some(i64::from(u16::MAX))),
                FieldUnit::Asn => ("asn", Some(i64::from(u32::MAX))),
                FieldUnit::Bytes => ("bytes", None),
                FieldUnit::Time => ("time", None),
            };
            entry["kind"] = json!("number");
            entry["unit"] = json!(unit);
            if let Some(most) = most {
                entry["most"] = json!(most);
            }
            match number.from {
                NumberFrom::Fact(fact) => Some(fact),
                _ => None,
            }
        }
        Data::Network(from) => {
            entry["kind"] = json!("network");
            match from {
                NetworkFrom::Fact(fact) => Some(*fact),
                NetworkFrom::Remote => None,
            }
        }
        Data::Since => {
            entry["kind"] = json!("since");
            None
        }
        Data::Until => {
            entry["kind"] = json!("until");
            None
        }
    };
    if let Some(fact) = fact {
        let page = fact.page.expect("what can be asked for has a column in the page");
        entry["column"] = json!(page.name);
        entry["group"] = json!(page.group.name());
    }
    entry
}

/// Every fact that names a field has it.
#[test]
fn the_fields_of_facts_are_there() {
    for fact in FACTS.iter().filter(|fact| !fact.field.is_empty()) {
        let is_there = super::fields::find(fact.field).is_some() || super::findings::is_field(fact.field);
        assert!(is_there, "{}: {}", fact.json, fact.field);
    }
}

#[test]
fn hostile_expressions_have_limits() {
    let now = Timestamp(0);
    for (text, says) in [
        ("(".repeat(100_000), "nested"),
        ("-".repeat(100_000), "nested"),
        ("a ".repeat(10_000), "more than"),
        (format!("port:{}", vec!["1"; 10_000].join(",")), "more than"),
    ] {
        let error = Filter::parse(&text, now).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

proptest! {
    #[test]
    fn any_text_gives_a_filter_or_points_into_the_text(text in r#"([a-z:=<>!()"/*?,\\ .0-9-]|proc:|port:|ü| or | and ){0,40}"#) {
        if let Err(error) = Filter::parse(&text, Timestamp(0)) {
            prop_assert!(error.column() <= text.chars().count() + 1);
            prop_assert!(error.picture().lines().count() == 2);
        }
    }
}
