//! Lines of a recorder's socket, and what a viewer shows of them.
#![no_main]

use connmon_filter::Filter;
use connmon_live::{Board, Update, save};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut board = Board::new(16, true);
    for update in text.lines().filter_map(|line| serde_json::from_str::<Update>(line).ok()) {
        board.apply(&update);
    }
    save::write(&board, &Filter::default(), 100, &mut std::io::sink()).expect("a sink takes everything");
});
