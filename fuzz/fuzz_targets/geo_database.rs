//! Geo databases of every kind, as bytes of a file.
#![cfg_attr(feature = "fuzzer", no_main)]

use std::path::Path;

use connmon_enrich::geo::{Database, Ranges};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for name in ["a.mmdb", "a.cgeo"] {
        if let Ok(database) = Database::from_bytes(Path::new(name), data.to_vec()) {
            let _ = database.verify();
        }
    }
    if let Ok((ranges, _)) = Ranges::new(data.to_vec()) {
        ranges.lookup([8, 8, 8, 8].into());
    }
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
