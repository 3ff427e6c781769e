//! How to read the counters of the interfaces beside the bytes of the applications.

use super::{InterfaceComparison, InterfaceTraffic};
use connmon_analysis::format::{clock, date};

/// Every sentence, what was sampled first.
pub fn sentences(comparison: &InterfaceComparison) -> Vec<String> {
    let mut words = vec![covers(comparison)];
    if comparison.covers.is_none() {
        return words;
    }
    words.extend(comparison.interfaces.iter().flat_map(events));
    words.extend(
        [
            "The interface counters also include: headers and \
             acknowledgements, retransmissions, ARP, other protocols than TCP and UDP, and forwarded traffic.",
            "Only interfaces of the recorder's own network namespace are read, but applications of all namespaces: traffic \
             of containers can be missing here, or be counted on several interfaces (bridge, veth).",
            "Counters are read about once a minute: interfaces that existed only in between are not listed.",
            "Bytes that applications sent but that were never delivered are on no interface.",
            "Loopback counts each packet as both sent and received.",
        ]
        .map(String::from),
    );
    words
}

/// Which time the samples cover.
pub fn covers(comparison: &InterfaceComparison) -> String {
    if comparison.filtered {
        return "Interface counters cannot be filtered, so they are not shown with a filter.".into();
    }
    let Some((from, to)) = comparison.covers else {
        return "The counters of the interfaces were not read twice in this time: there is nothing to compare the \
                applications' bytes with."
            .into();
    };
    let reach = format!("from {} {} to {} {} UTC", date(from), clock(from), date(to), clock(to));
    match comparison.recordings {
        0 | 1 => format!("Interface counters were sampled {reach}."),
        n => format!(
            "Interface counters were sampled {reach}, in {n} recordings; the time between them is not counted."
        ),
    }
}

fn events(row: &InterfaceTraffic) -> Vec<String> {
    let name = row.counted.name.shown();
    let mut events = Vec::new();
    if row.restarts > 0 {
        let times = if row.restarts == 1 { "once".into() } else { format!("{} times", row.restarts) };
        events.push(format!("{name} reset its counters {times}: the figures are a lower bound."));
    }
    if row.appeared {
        events.push(format!(
            "{name} appeared during the recording: its figures are everything it has counted."
        ));
    }
    if row.vanished {
        events.push(format!("{name} disappeared: traffic after its last sample is not in its figures."));
    }
    events
}
