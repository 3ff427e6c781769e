//! How to read the counters of the interfaces beside the bytes of the applications.

use super::{Comparison, Metered};
use crate::model::display_safe;
use crate::summary::format::{clock, date};

/// Every sentence, what was sampled first.
pub fn all(comparison: &Comparison) -> Vec<String> {
    let mut words = vec![covers(comparison)];
    if comparison.covers.is_none() {
        return words;
    }
    words.extend(comparison.interfaces.iter().flat_map(events));
    words.extend(
        [
            "The interfaces also count what is on the wire and is not the applications' bytes: headers and \
             acknowledgements, retransmissions, ARP, other protocols than TCP and UDP, and forwarded traffic.",
            "Only interfaces of the recorder's own network namespace are read, but applications of all namespaces: bytes \
             of containers can be missing on the interfaces, or pass several (bridge, veth) and count on each.",
            "They are read about once a minute: an interface that came and went in between is not in here.",
            "What was handed over and never delivered is in the applications' bytes, and on no interface.",
            "Loopback counts each packet both as sent and as received.",
        ]
        .map(String::from),
    );
    words
}

/// Which time the samples cover.
pub fn covers(comparison: &Comparison) -> String {
    if comparison.filtered {
        return "The interfaces count everything, so they are not compared with what a filter chose.".into();
    }
    let Some((from, to)) = comparison.covers else {
        return "The counters of the interfaces were not read twice in this time: there is nothing to compare the \
                applications' bytes with."
            .into();
    };
    let reach = format!("from {} {} to {} {} UTC", date(from), clock(from), date(to), clock(to));
    match comparison.recordings {
        0 | 1 => format!("The samples of the interfaces reach {reach}."),
        n => format!(
            "The samples of the interfaces reach {reach}, in {n} recordings; between those nothing is counted."
        ),
    }
}

fn events(row: &Metered) -> Vec<String> {
    let name = display_safe(&row.counted.name);
    let mut events = Vec::new();
    if row.restarts > 0 {
        let times = if row.restarts == 1 { "once".into() } else { format!("{} times", row.restarts) };
        events.push(format!("{name} began to count anew {times}: it moved at least as much as is shown."));
    }
    if row.appeared {
        events.push(format!("{name} was not there at first: all that it ever counted is in its figures."));
    }
    if row.vanished {
        events.push(format!("{name} went away: what it moved after its last sample is not in its figures."));
    }
    events
}
