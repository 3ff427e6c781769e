//! The world map: countries shaded by bytes, lines from this host, dots for cities, rings where only the country is known.

use svg::Document;
use svg::node::element::{Circle, Description, Group, Path, Style, Text, Title};

use super::arc;
use super::furniture::{DOCK, DOCK_SPREAD, background, heading, host, legend, sheet};
use super::labels::{Area, Placer, Spot};
use super::places::{MapMark, places};
use super::projection::{WIDTH, project};
use super::{Frame, STYLE, log_share, trays, unit, world};
use crate::report::PictureOptions;
use connmon_analysis::Summary;
use connmon_analysis::format::{bytes, count};
use connmon_record::HostLocation;
use connmon_record::country_of;

/// The largest number of lines; the other countries are still shaded and ringed.
const MOST_LINES: usize = 2_000;
/// Shades of the countries.
const SHADES: f64 = 6.0;
/// Height of the map, with the dock below it where lines begin there.
fn map_height(home: Option<&HostLocation>) -> f64 {
    if home.is_some() { 462.0 } else { 486.0 }
}

/// Height of the heading of a picture that stands alone.
const HEADING: f64 = 54.0;

/// The map as a well-formed SVG document.
pub fn map(summary: &Summary, options: &PictureOptions, frame: Frame) -> String {
    let places = places(summary);
    let top = if frame == Frame::Standalone { HEADING } else { 0.0 };
    let map_height = map_height(options.home.as_ref());
    let trays =
        if frame == Frame::Standalone { trays::trays(summary, map_height) } else { (Group::new(), 0.0) };
    let height = top + map_height + trays.1;
    let mut picture = Document::new()
        .set("class", "cm-map")
        .set("viewBox", format!("0 0 {} {}", unit(WIDTH), unit(height)))
        .set("role", "img")
        .set("aria-labelledby", "map-title map-desc")
        .add(Title::new("World map of the remote addresses").set("id", "map-title"))
        .add(
            Description::new().set("id", "map-desc").add(svg::node::Text::new(description(summary, &places))),
        );
    if frame == Frame::Standalone {
        picture = picture.add(Style::new(STYLE)).add(background(height)).add(heading(summary));
    }
    let drawing = Group::new()
        .set("transform", format!("translate(0 {})", unit(top)))
        .add(sheet())
        .add(countries(summary))
        .add(lines(&places, options.home.as_ref()))
        .add(rings(&places))
        .add(host(options.home.as_ref()))
        .add(legend(range(summary), places.iter().any(|place| place.is_city)))
        .add(labels(&places, options.home.as_ref(), "wide", 10.0, 26))
        .add(labels(&places, options.home.as_ref(), "narrow", 25.0, 5))
        .add(trays.0);
    picture.add(drawing).to_string()
}

/// The fewest and the most bytes of a country; countries without any do not stretch the scale.
fn range(summary: &Summary) -> (u64, u64) {
    let named = summary.countries.iter().filter(|row| row.code.is_some());
    let all = named.map(|row| row.figures.bytes()).filter(|bytes| *bytes > 0);
    (all.clone().min().unwrap_or(0), all.max().unwrap_or(0))
}

fn description(summary: &Summary, places: &[MapMark]) -> String {
    let mut text = format!(
        "{} in {}.",
        count(summary.totals.remotes, "remote address", "remote addresses"),
        count(summary.totals.countries, "country", "countries")
    );
    for place in places.iter().take(5) {
        text.push_str(&format!(
            " {}: {} with {}.",
            place.name,
            bytes(place.figures.bytes()),
            count(place.remotes, "address", "addresses")
        ));
    }
    let how = if places.iter().any(|place| place.is_city) {
        " A dot is a city, as estimated by a database; a hollow ring means only the country is known."
    } else {
        " A place is the country in which a network is registered, not the location of a host."
    };
    text + how
}

fn countries(summary: &Summary) -> Group {
    let rows = |code: &str| summary.countries.iter().find(|row| row.code.as_deref() == Some(code));
    let (least, most) = range(summary);
    let mut group = Group::new().set("class", "lands");
    for (code, outline) in world::outlines() {
        let row = rows(code);
        let shade = row.map_or(0, |row| {
            1 + (log_share(row.figures.bytes(), least, most) * (SHADES - 1.0)).round() as u8
        });
        let mut land = Path::new().set("class", format!("s{shade}")).set("data-c", code).set("d", outline);
        if let (Some(row), Some(country)) = (row, country_of(code)) {
            land = land.add(Title::new(format!(
                "{}: {} sent, {} received, {}, {}",
                country.name,
                bytes(row.figures.tx_bytes),
                bytes(row.figures.rx_bytes),
                count(row.figures.connections, "connection", "connections"),
                count(row.remotes, "address", "addresses")
            )));
        }
        group = group.add(land);
    }
    group
}

fn lines(places: &[MapMark], home: Option<&HostLocation>) -> Group {
    let mut group = Group::new().set("class", "lines");
    // The thickest come last, on top.
    for place in places.iter().take(MOST_LINES).rev() {
        let (outbound, inbound) = (place.figures.connections - place.figures.inbound, place.figures.inbound);
        let pieces = match home {
            Some(home) => {
                arc::great_circle((home.at.longitude, home.at.latitude), (place.longitude, place.latitude))
            }
            None => arc::rising((DOCK.0 + (place.x - DOCK.0) * DOCK_SPREAD, DOCK.1), (place.x, place.y)),
        };
        let width = 0.6 + 3.4 * place.share;
        let aside = if outbound > 0 { 3.0 + width } else { 0.0 };
        for piece in pieces.iter().filter(|piece| piece.len() > 1) {
            let strength = format!("w{}", (place.share * 3.0).round());
            if outbound > 0 {
                let class = format!("out {strength}");
                group = group.add(Path::new().set("class", class).set("d", arc::tapered(piece, width)));
            }
            if inbound > 0 {
                group =
                    group.add(Path::new().set("class", "in").set("d", arc::line(&arc::bowed(piece, aside))));
            }
        }
    }
    group
}

fn rings(places: &[MapMark]) -> Group {
    places.iter().rev().fold(Group::new().set("class", "rings"), |group, place| {
        let (x, y, r) = (unit(place.x), unit(place.y), unit(place.radius()));
        let circle = Circle::new().set("cx", x).set("cy", y).set("r", r).add(Title::new(place.title()));
        group.add(if place.is_city { circle.set("class", "spot") } else { circle })
    })
}

/// Names and figures of the largest, as many as fit.
fn labels(places: &[MapMark], home: Option<&HostLocation>, class: &str, size: f64, most: usize) -> Group {
    let sheet = Area { left: 4.0, top: 4.0, right: WIDTH - 4.0, bottom: 446.0 };
    let (x, y) = home.map_or(DOCK, |home| project(home.at.longitude, home.at.latitude));
    let mut taken = vec![Area::around(x, y, 14.0)];
    if let Some(home) = home {
        // The host's own label, above its place.
        let half = home.label.shown().chars().count() as f64 * size * 0.29;
        taken.push(Area { left: x - half, top: y - 14.0 - size, right: x + half, bottom: y - 9.0 });
    }
    if class == "wide" {
        taken.push(Area { left: 0.0, top: 398.0, right: 260.0, bottom: 486.0 });
    }
    let mut placer = Placer::new(sheet, taken, size);
    let mut group = Group::new().set("class", format!("labels {class}"));
    for place in places.iter().take(most) {
        // A label may cover a smaller country's ring, never a larger one's.
        placer.keep_free(Area::around(place.x, place.y, place.radius()));
        let words = place.label();
        let Some(Spot { x, y, anchor }) = placer.place(place.x, place.y, place.radius(), &words) else {
            continue;
        };
        let name = svg::node::element::TSpan::new(place.name.clone()).set("class", "name");
        let figure = svg::node::element::TSpan::new(bytes(place.figures.bytes())).set("dx", unit(size * 0.3));
        let text = Text::new("").set("x", unit(x)).set("y", unit(y)).set("text-anchor", anchor);
        group = group.add(text.add(name).add(figure));
    }
    group
}
