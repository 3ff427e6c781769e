//! What stands around the countries: the sea, the host's mark, the legend and the heading.

use svg::node::element::{Circle, Group, Path, Rectangle, Text, Title};

use super::arc::{self, Step};
use super::projection::{NORTH, SOUTH, WIDTH, project};
use super::{text_safe, unit};
use connmon_analysis::format::{bytes, count};
use connmon_analysis::{Level, Summary};
use connmon_record::{HostLocation, Untrusted};

/// Where lines begin if the host's place is not known: off the map, below its southern edge.
pub(super) const DOCK: (f64, f64) = (WIDTH / 2.0, 452.0);
/// The distance between the starts of two lines there, as a fraction of the distance between their ends.
pub(super) const DOCK_SPREAD: f64 = 0.3;

/// The sea, with meridians and parallels.
pub(super) fn sheet() -> Group {
    let degrees = |from: f64, to: f64| (0..=48).map(move |i| from + (to - from) * f64::from(i) / 48.0);
    let path = |points: Vec<(f64, f64)>| {
        let steps: Vec<Step> =
            points.into_iter().map(|(l, b)| project(l, b)).map(|(x, y)| Step { x, y, t: 0.0 }).collect();
        arc::line(&steps)
    };
    let edge = degrees(SOUTH, NORTH).map(|b| (-180.0, b)).chain(degrees(NORTH, SOUTH).map(|b| (180.0, b)));
    let sea = path(edge.collect()) + "Z";
    let mut net = String::new();
    for step in -5..=5 {
        net += &path(degrees(SOUTH, NORTH).map(|b| (f64::from(step) * 30.0, b)).collect());
    }
    for step in -1..=2 {
        net += &path(vec![(-180.0, f64::from(step) * 30.0), (180.0, f64::from(step) * 30.0)]);
    }
    Group::new()
        .add(Path::new().set("class", "sea").set("d", sea))
        .add(Path::new().set("class", "net").set("d", net))
}

/// This host: its place, or the dock below the map.
pub(super) fn host(home: Option<&HostLocation>) -> Group {
    let (x, y) = home.map_or(DOCK, |home| project(home.at.longitude, home.at.latitude));
    let mut group = Group::new().set("class", "host");
    if home.is_none() {
        let half = WIDTH / 2.0 * DOCK_SPREAD;
        let bar = Rectangle::new().set("class", "dock").set("x", unit(x - half)).set("y", unit(y - 1.0));
        group = group.add(bar.set("width", unit(half * 2.0)).set("height", 2).set("rx", 1));
    }
    for (class, radius) in [("halo", 9.0), ("dot", 4.0)] {
        group = group.add(
            Circle::new().set("class", class).set("cx", unit(x)).set("cy", unit(y)).set("r", unit(radius)),
        );
    }
    let (label, dy) = match home {
        Some(home) => (text_safe(&home.label), -13.0),
        None => ("this host — location unknown".to_owned(), 24.0),
    };
    let text = |class, y: f64| {
        Text::new(label.clone())
            .set("class", class)
            .set("x", unit(x))
            .set("y", unit(y))
            .set("text-anchor", "middle")
    };
    group.add(text("wide", y + dy)).add(text("narrow", y + dy * 1.2))
}

/// What shades, lines and rings stand for.
pub(super) fn legend((least, most): (u64, u64), cities: bool) -> Group {
    let mut group = Group::new().set("class", "legend").set("transform", "translate(14 404)");
    let text = |x: f64, y: f64, words: &str| Text::new(words).set("x", unit(x)).set("y", unit(y));
    if most > 0 {
        for shade in 1..=6 {
            let x = f64::from(shade - 1) * 16.0;
            let swatch = Rectangle::new().set("class", format!("s{shade}")).set("x", unit(x)).set("y", 0);
            group = group.add(swatch.set("width", 16).set("height", 7));
        }
        group = group.add(text(104.0, 7.0, &format!("{} to {}", bytes(least), bytes(most))));
    }
    let out = arc::tapered(&[Step { x: 0.0, y: 21.0, t: 0.0 }, Step { x: 34.0, y: 21.0, t: 1.0 }], 3.4);
    let incoming = arc::line(&[Step { x: 0.0, y: 36.0, t: 0.0 }, Step { x: 34.0, y: 36.0, t: 1.0 }]);
    let (ring, words) = if cities {
        let spot = Circle::new().set("class", "spot").set("cx", 6).set("cy", 51).set("r", 4);
        group = group.add(spot);
        (28, "city (estimate); ring: only the country known")
    } else {
        (17, "country of registration, not of the host")
    };
    group
        .add(Path::new().set("class", "out w3").set("d", out))
        .add(text(42.0, 24.0, "outbound"))
        .add(Path::new().set("class", "in").set("d", incoming))
        .add(text(42.0, 39.0, "inbound"))
        .add(Circle::new().set("class", "ring").set("cx", ring).set("cy", 51).set("r", 4))
        .add(text(42.0, 54.0, words))
}

/// The paper of a picture that stands alone.
pub(super) fn background(height: f64) -> Rectangle {
    Rectangle::new().set("class", "paper").set("width", unit(WIDTH)).set("height", unit(height))
}

/// Whose record it is, and its figures.
pub(super) fn heading(summary: &Summary) -> Group {
    let hosts: Vec<String> = {
        let mut hosts: Vec<&Untrusted> = summary.runs.iter().map(|run| &run.host).collect();
        hosts.sort_unstable();
        hosts.dedup();
        hosts.into_iter().map(|host| host.shown().into_owned()).collect()
    };
    let title = if hosts.is_empty() { "no recording".to_owned() } else { hosts.join(", ") };
    let figures = format!(
        "{} · {} sent · {} received · {} in {}",
        count(summary.totals.figures.connections, "connection", "connections"),
        bytes(summary.totals.figures.tx_bytes),
        bytes(summary.totals.figures.rx_bytes),
        count(summary.totals.remotes, "address", "addresses"),
        count(summary.totals.countries, "country", "countries"),
    );
    let mut group = Group::new()
        .set("class", "heading")
        .add(Text::new(title).set("class", "title").set("x", 14).set("y", 26))
        .add(Text::new(figures).set("class", "figures").set("x", 14).set("y", 44));
    let completeness = &summary.completeness;
    let lacks = completeness.essentials();
    if lacks.iter().any(|statement| statement.level == Level::Loss) {
        let all: Vec<String> = lacks.iter().map(|statement| text_safe(&statement.words())).collect();
        let sentence = Text::new(completeness.sentence()).set("class", "figures");
        let sentence = sentence.set("x", unit(WIDTH - 14.0)).set("y", 26).set("text-anchor", "end");
        // A picture has room for one sentence only; the rest is in its title, for the pointer and for screen readers.
        group = group.add(Group::new().add(Title::new(all.join(" "))).add(sentence));
    }
    group
}
