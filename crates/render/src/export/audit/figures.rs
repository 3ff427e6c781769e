//! The figures of a group in machine output.

use serde::ser::{Serialize, SerializeMap, Serializer};

use connmon_analysis::groups::{FiguresByProtocol, GroupFigures};

/// The name of a column, and its figure.
pub type FigureColumn = (&'static str, fn(&GroupFigures) -> u64);

/// Every figure, by its name. Connections, and what they put on the wire, are counted for their owner only.
pub const COLUMNS: [FigureColumn; 6] = [
    ("connections", |f| f.connections),
    ("tx_bytes", |f| f.tx_bytes),
    ("rx_bytes", |f| f.rx_bytes),
    ("wire_tx_bytes", |f| f.wire_tx_bytes),
    ("wire_rx_bytes", |f| f.wire_rx_bytes),
    ("wire_unknown", |f| f.wire_unknown),
];

/// Figures as an object: those of everything, and those of the two protocols in objects of their own.
pub(super) struct Fields(pub FiguresByProtocol);

/// The same without protocols.
struct Plain<'a>(&'a GroupFigures);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        put(&self.0.all, &mut map)?;
        map.serialize_entry("tcp", &Plain(&self.0.tcp))?;
        map.serialize_entry("udp", &Plain(&self.0.udp))?;
        map.end()
    }
}

impl Serialize for Plain<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(Some(COLUMNS.len()))?;
        put(self.0, &mut map)?;
        map.end()
    }
}

fn put<M: SerializeMap>(figures: &GroupFigures, map: &mut M) -> Result<(), M::Error> {
    COLUMNS.iter().try_for_each(|(name, figure)| map.serialize_entry(name, &figure(figures)))
}
