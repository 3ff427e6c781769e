//! Configurations: read, and what is wrong with them told.
#![cfg_attr(feature = "fuzzer", no_main)]

use std::path::Path;

use connmon::config::File;
use connmon_record::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = File::read(text, "fuzz", Path::new("/"), Timestamp(1_750_000_000_000_000_000)) {
        drop(error.to_string());
    }
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
