//! Tables of places and networks as CSV, and the file that they become.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_enrich::geo::{Ranges, import};
use connmon_record::GeoDatabase;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok((file, _)) = import(data, GeoDatabase::default()) {
        let (ranges, _) = Ranges::new(file).expect("what was just made can be read");
        for ip in ["0.0.0.0", "8.8.8.8", "255.255.255.255", "2001:db8::1"] {
            ranges.lookup(ip.parse().expect("an address"));
        }
    }
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
