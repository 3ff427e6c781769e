//! Configurations: read, and what is wrong with them told.
#![no_main]

use std::path::Path;

use connmon::config::File;
use connmon_record::Timestamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = File::read(text, "fuzz", Path::new("/"), Timestamp(1_750_000_000_000_000_000)) {
        drop(error.to_string());
    }
});
