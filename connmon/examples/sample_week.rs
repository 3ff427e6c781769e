//! A made week of an ordinary host in which eight things are planted, as a capture file and the list of indicators of which one is a hit:
//! `connmon replay week.cap --ioc list.txt --db week.db` makes a store of it.
//!
//! `cargo run --example sample_week -- week.cap list.txt`

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use connmon_fixtures::week::{self, INDICATOR, WEEK};
use connmon_fixtures::{frames, rows};

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [capture, list] = &args[..] else {
        return Err(Error::new(ErrorKind::InvalidInput, "name the capture and the list"));
    };
    let (planted, questions) = week::planted();
    let series = [week::ordinary(), planted].concat();
    rows::capture(Path::new(capture), &frames::frames("demo", &series, &questions, WEEK));
    std::fs::write(list, format!("{INDICATOR}\n"))
}
