//! The IPv4 addresses on a Hilbert curve, one cell a /16: what is near in number is near here.

use std::collections::BTreeMap;
use std::net::IpAddr;

use svg::Document;
use svg::node::element::{Definitions, Description, Group, Path, Pattern, Rectangle, Style, Text, Title};

use super::furniture::{background, heading};
use super::projection::WIDTH;
use super::{STYLE, unit};
use connmon_analysis::format::{bytes, count};
use connmon_analysis::{GroupFigures, Summary};

const TOP: f64 = 62.0;
const LEFT: f64 = 14.0;
/// Cells along a side: 65 536 in all.
const SIDE: u32 = 256;
const CELL: f64 = 2.75;
const SHADES: f64 = 6.0;
/// First octets that no host on the Internet has, and what they are for (RFC 6890, RFC 5771, RFC 1112).
const RESERVED: [(std::ops::RangeInclusive<u32>, &str); 5] = [
    (0..=0, "this network"),
    (10..=10, "private"),
    (127..=127, "loopback"),
    (224..=239, "multicast"),
    (240..=255, "reserved"),
];
/// Blocks that are listed beside the square.
const LISTED: usize = 18;

/// The square of a summary.
pub fn hilbert(summary: &Summary) -> String {
    let blocks = blocks(summary);
    let side = f64::from(SIDE) * CELL;
    let height = TOP + side + 16.0;
    let words = format!("{} of 65 536 blocks of 16 bits have a remote address.", blocks.len());
    Document::new()
        .set("class", "cm-map")
        .set("viewBox", format!("0 0 {} {}", unit(WIDTH), unit(height)))
        .set("role", "img")
        .set("aria-labelledby", "space-title space-desc")
        .add(Title::new("IPv4 address space").set("id", "space-title"))
        .add(Description::new().set("id", "space-desc").add(svg::node::Text::new(words)))
        .add(Style::new(STYLE))
        .add(hatch())
        .add(background(height))
        .add(heading(summary))
        .add(eighths())
        .add(cells(&blocks))
        .add(list(&blocks, LEFT + side + 30.0))
        .to_string()
}

/// The figures and the number of addresses of each /16.
fn blocks(summary: &Summary) -> BTreeMap<u32, (GroupFigures, u64)> {
    let mut blocks: BTreeMap<u32, (GroupFigures, u64)> = BTreeMap::new();
    for row in summary.remotes.iter() {
        if let IpAddr::V4(ip) = row.ip {
            let (figures, addresses) = blocks.entry(u32::from(ip) >> 16).or_default();
            *figures += row.figures;
            *addresses += 1;
        }
    }
    blocks
}

fn hatch() -> Definitions {
    let line = Path::new().set("d", "M-1 7L7 -1M5 7L7 5M-1 1L1 -1").set("class", "hatch");
    let pattern = Pattern::new().set("id", "hatch").set("width", 6).set("height", 6);
    Definitions::new().add(pattern.set("patternUnits", "userSpaceOnUse").add(line))
}

/// The /8 blocks with their numbers.
fn eighths() -> Group {
    let size = f64::from(SIDE) * CELL / 16.0;
    let mut group = Group::new().set("class", "eighths");
    for octet in 0..256 {
        let (x, y) = place(octet, 16);
        let (x, y) = (LEFT + f64::from(x) * size, TOP + f64::from(y) * size);
        let reserved = RESERVED.iter().find(|(range, _)| range.contains(&octet));
        let frame = |class: &str| {
            let frame = Rectangle::new().set("class", class).set("x", unit(x)).set("y", unit(y));
            frame.set("width", unit(size)).set("height", unit(size))
        };
        group = group.add(frame("eighth").add(Title::new(format!(
            "{octet}.0.0.0/8{}",
            reserved.map_or_else(String::new, |(_, what)| format!(": {what}"))
        ))));
        if reserved.is_some() {
            group = group.add(frame("reserved").set("fill", "url(#hatch)"));
        }
        group = group.add(
            Text::new(octet.to_string())
                .set("class", "octet")
                .set("x", unit(x + 3.0))
                .set("y", unit(y + 9.5)),
        );
    }
    group
}

fn cells(blocks: &BTreeMap<u32, (GroupFigures, u64)>) -> Group {
    let most = blocks.values().map(|(figures, _)| figures.connections).max().unwrap_or(1);
    let mut group = Group::new().set("class", "cells");
    for (block, (figures, addresses)) in blocks {
        let (x, y) = place(*block, SIDE);
        let share = super::log_share(figures.connections, 1, most.max(2));
        let size = CELL * (1.4 + share * 1.8);
        let shade = 1 + (share * (SHADES - 1.0)).round() as u8;
        let middle = |n: u32| (f64::from(n) + 0.5) * CELL - size / 2.0;
        let cell = Rectangle::new()
            .set("class", format!("s{shade}"))
            .set("x", unit(LEFT + middle(x)))
            .set("y", unit(TOP + middle(y)));
        group = group.add(cell.set("width", unit(size)).set("height", unit(size)).add(Title::new(format!(
            "{}: {}, {}, {}",
            name(*block),
            count(*addresses, "address", "addresses"),
            count(figures.connections, "connection", "connections"),
            bytes(figures.bytes())
        ))));
    }
    group
}

/// The blocks with the most bytes, as text.
fn list(blocks: &BTreeMap<u32, (GroupFigures, u64)>, x: f64) -> Group {
    let mut ranked: Vec<_> = blocks.iter().collect();
    ranked.sort_by_key(|(block, (figures, _))| (figures.rank(), **block));
    let mut group = Group::new()
        .add(Text::new("Most bytes").set("class", "title").set("x", unit(x)).set("y", unit(TOP + 12.0)));
    for (nth, (block, (figures, addresses))) in ranked.into_iter().take(LISTED).enumerate() {
        let y = TOP + 40.0 + nth as f64 * 36.0;
        let words = format!("{} · {}", bytes(figures.bytes()), count(*addresses, "address", "addresses"));
        group = group
            .add(Text::new(name(*block)).set("class", "name").set("x", unit(x)).set("y", unit(y)))
            .add(Text::new(words).set("class", "figures").set("x", unit(x)).set("y", unit(y + 13.0)));
    }
    group
}

/// A block as people write it.
fn name(block: u32) -> String {
    format!("{}.{}.0.0/16", block >> 8, block & 255)
}

/// The place of a number on a Hilbert curve that fills a square of `side` cells, a power of two.
fn place(number: u32, side: u32) -> (u32, u32) {
    let (mut x, mut y, mut rest, mut size) = (0, 0, number, 1);
    while size < side {
        let right = 1 & (rest >> 1);
        let down = 1 & (rest ^ right);
        if down == 0 {
            if right == 1 {
                (x, y) = (size - 1 - x, size - 1 - y);
            }
            (x, y) = (y, x);
        }
        (x, y) = (x + size * right, y + size * down);
        (rest, size) = (rest >> 2, size * 2);
    }
    (x, y)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_in_number_are_neighbours_in_place() {
        let mut seen = std::collections::HashSet::from([place(0, 16)]);
        for number in 1..256 {
            let ((x, y), (before_x, before_y)) = (place(number, 16), place(number - 1, 16));
            assert_eq!(x.abs_diff(before_x) + y.abs_diff(before_y), 1, "{number}");
            assert!(seen.insert((x, y)) && x < 16 && y < 16);
        }
    }
}
