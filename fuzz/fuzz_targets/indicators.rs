//! Lists of indicators in every format: read, and made ready for matching.
#![no_main]

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
