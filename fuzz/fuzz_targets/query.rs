//! Expressions of the query language: read, said again in words, and judged.
#![no_main]

use connmon_filter::Filter;
use connmon_record::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Filter::parse(text, Timestamp(1_750_000_000_000_000_000)) {
        Ok(filter) => drop(filter.condition(1, &|_, _| true)),
        Err(error) => drop(error.picture()),
    }
});
