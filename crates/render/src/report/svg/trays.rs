//! What has no place on the map: private networks, this host itself, multicast, and countries not known.

use svg::node::element::{Group, Rectangle, Text};

use super::unit;
use connmon_analysis::format::{bytes, count};
use connmon_analysis::{GroupFigures, Summary};
use connmon_record::AddressKind;

/// One tray.
#[derive(Clone, Debug, PartialEq)]
pub struct Tray {
    /// What lies in it.
    pub label: &'static str,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Distinct addresses.
    pub remotes: u64,
}

/// The trays of a summary, in the order of the kinds.
pub fn trays_of(summary: &Summary) -> Vec<Tray> {
    let unknown = summary.countries.iter().filter(|row| row.code.is_none());
    let unknown = unknown.map(|row| ("Public, country unknown", row.figures, row.remotes));
    let local = summary.kinds.iter().filter(|row| row.kind != AddressKind::Public);
    let local = local.map(|row| (row.kind.label(), row.figures, row.remotes));
    unknown.chain(local).map(|(label, figures, remotes)| Tray { label, figures, remotes }).collect()
}

const COLUMNS: usize = 5;
const WIDTH: f64 = 186.4;
const STEP: f64 = 194.4;
const ROW: f64 = 46.0;

/// The trays below the map, and the height that they take.
pub(super) fn trays(summary: &Summary, top: f64) -> (Group, f64) {
    let trays = trays_of(summary);
    let mut group = Group::new().set("class", "trays");
    for (i, tray) in trays.iter().enumerate() {
        let (x, y) = (14.0 + (i % COLUMNS) as f64 * STEP, top + 8.0 + (i / COLUMNS) as f64 * ROW);
        let line = |words: String, class: &str, dy: f64| {
            Text::new(words).set("class", class).set("x", unit(x + 10.0)).set("y", unit(y + dy))
        };
        let frame = Rectangle::new().set("x", unit(x)).set("y", unit(y)).set("rx", 5);
        group = group
            .add(frame.set("width", unit(WIDTH)).set("height", unit(ROW - 8.0)))
            .add(line(tray.label.to_owned(), "name", 15.5))
            .add(line(
                format!("{} · {}", bytes(tray.figures.bytes()), count(tray.remotes, "address", "addresses")),
                "figures",
                29.5,
            ));
    }
    let rows = trays.len().div_ceil(COLUMNS);
    (group, if rows == 0 { 0.0 } else { 14.0 + rows as f64 * ROW })
}
