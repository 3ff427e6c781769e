//! Expressions of the query language: read, said again in words, and judged.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_filter::Filter;
use connmon_record::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Filter::parse(text, Timestamp(1_750_000_000_000_000_000)) {
        Ok(filter) => drop(filter.condition(1, &|_, _| true)),
        Err(error) => drop(error.picture()),
    }
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
