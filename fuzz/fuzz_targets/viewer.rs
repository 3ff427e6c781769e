//! Lines of a recorder's socket, and what a viewer shows of them.
#![cfg_attr(feature = "fuzzer", no_main)]

use connmon_filter::Filter;
use connmon_live::{LiveState, Update, save};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut live = LiveState::new(16, true);
    for update in text.lines().filter_map(|line| serde_json::from_str::<Update>(line).ok()) {
        live.apply(&update);
    }
    save::write(&live, &Filter::default(), 100, &mut std::io::sink()).expect("a sink takes everything");
});

/// Without the fuzzer, which brings its own, there is nothing to run: lints and the compiler are what it is built for.
#[cfg(not(feature = "fuzzer"))]
fn main() {}
