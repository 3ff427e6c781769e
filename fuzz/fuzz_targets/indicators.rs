//! Lists of indicators in every format: read, and made ready for matching.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_filter::FilterRow;
use connmon_filter::ioc::{Lists, read};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(list) = read("fuzz", bytes, None)
        && let Ok(lists) = Lists::new(vec![list])
    {
        let name = String::from_utf8_lossy(bytes);
        drop(lists.matches(&FilterRow { hosts: vec![name], ..FilterRow::default() }, 443));
    }
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
