//! What the interfaces counted in the same interval, beside what the applications moved.

mod grown;
pub mod words;

use std::collections::{BTreeMap, HashMap};

use connmon_analysis::groups::GroupFigures;
use connmon_record::{Interface, InterfaceSample, Timestamp, Untrusted};
use grown::grown;

/// What one interface counted between two samples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceTraffic {
    /// The sum of the differences between samples. Its number is that of the last one.
    pub counted: Interface,
    /// The first sample.
    pub from: Timestamp,
    /// The last sample.
    pub to: Timestamp,
    /// How often its counters restarted; what was counted between the last sample and a restart is lost.
    pub restarts: u64,
    /// It came in the meantime; all that it ever counted is in here.
    pub appeared: bool,
    /// It went in the meantime; what it counted after its last sample is not in here.
    pub vanished: bool,
}

/// The traffic of the interfaces beside the application bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfaceComparison {
    /// Whether a filter chose only a part of the connections, so that the two cannot be compared.
    pub filtered: bool,
    /// The first and the last sample; `None` without two samples of the same recording.
    pub covers: Option<(Timestamp, Timestamp)>,
    /// Recordings with two samples at least; between recordings nothing is counted.
    pub recordings: u64,
    /// The interfaces, by name.
    pub interfaces: Vec<InterfaceTraffic>,
    /// Application bytes to this host's own addresses.
    pub loopback: GroupFigures,
    /// All other application bytes.
    pub elsewhere: GroupFigures,
}

/// Follows the samples; keeps the last one only.
#[derive(Default)]
pub(super) struct InterfaceComparer {
    last: Option<(i64, InterfaceSample)>,
    /// The recording that was counted last.
    counted: Option<i64>,
    rows: BTreeMap<Untrusted, InterfaceTraffic>,
    comparison: InterfaceComparison,
}

impl InterfaceComparer {
    /// Counts application bytes; `own` says whether the other end of the connection is this host itself.
    pub(super) fn add_figures(&mut self, own: bool, figures: GroupFigures) {
        let InterfaceComparison { loopback, elsewhere, .. } = &mut self.comparison;
        *(if own { loopback } else { elsewhere }) += figures;
    }

    pub(super) fn add_sample(&mut self, run: i64, sample: InterfaceSample) {
        if let Some((_, before)) = self.last.take().filter(|(last, _)| *last == run) {
            self.step(&before, &sample);
            let (first, last) = self.comparison.covers.unwrap_or((before.time, sample.time));
            self.comparison.covers = Some((first.min(before.time), last.max(sample.time)));
            self.comparison.recordings += u64::from(self.counted.replace(run) != Some(run));
        }
        self.last = Some((run, sample));
    }

    pub(super) fn finish(self) -> InterfaceComparison {
        InterfaceComparison { interfaces: self.rows.into_values().collect(), ..self.comparison }
    }

    /// Adds what every interface counted from one sample to the next.
    fn step(&mut self, before: &InterfaceSample, after: &InterfaceSample) {
        let known = by_identity(before);
        let still = by_identity(after);
        let has =
            |sample: &InterfaceSample, name: &Untrusted| sample.interfaces.iter().any(|i| i.name == *name);
        for now in &after.interfaces {
            let (counted, restarted) = match known.get(&identity(now)) {
                Some(then) => grown(then, now),
                // Made anew under a name that was there already: its counters began at 0.
                None => (now.clone(), has(before, &now.name)),
            };
            let row = self.row(now, before.time);
            row.appeared |= !known.contains_key(&identity(now)) && !restarted;
            row.restarts += u64::from(restarted);
            row.to = after.time;
            row.counted.index = now.index;
            add(&mut row.counted, &counted);
        }
        for then in &before.interfaces {
            if !still.contains_key(&identity(then)) && !has(after, &then.name) {
                self.row(then, before.time).vanished = true;
            }
        }
    }

    fn row(&mut self, interface: &Interface, from: Timestamp) -> &mut InterfaceTraffic {
        self.rows.entry(interface.name.clone()).or_insert_with(|| InterfaceTraffic {
            counted: Interface {
                name: interface.name.clone(),
                index: interface.index,
                ..Interface::default()
            },
            from,
            to: from,
            restarts: 0,
            appeared: false,
            vanished: false,
        })
    }
}

/// What identifies an interface across samples: its number, which a renamed interface keeps; its name if the number is not known.
type Identity<'a> = (u32, Untrusted<&'a str>);

fn by_identity(sample: &InterfaceSample) -> HashMap<Identity<'_>, &Interface> {
    sample.interfaces.iter().map(|interface| (identity(interface), interface)).collect()
}

fn identity(interface: &Interface) -> Identity<'_> {
    match interface.index {
        0 => (0, interface.name.borrowed()),
        index => (index, "".into()),
    }
}

fn add(sum: &mut Interface, more: &Interface) {
    sum.rx_bytes = sum.rx_bytes.saturating_add(more.rx_bytes);
    sum.rx_packets = sum.rx_packets.saturating_add(more.rx_packets);
    sum.tx_bytes = sum.tx_bytes.saturating_add(more.tx_bytes);
    sum.tx_packets = sum.tx_packets.saturating_add(more.tx_packets);
}
