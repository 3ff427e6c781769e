//! The world in braille dots: where the connections go, and what is moving now.

use std::collections::BTreeMap;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::symbols::Marker;
use ratatui::widgets::Widget;
use ratatui::widgets::canvas::{Canvas, Line};
use unicode_width::UnicodeWidthStr;

use super::table::put;
use super::text::{count, cut, number, sanitized, size};
use super::view::View;
use crate::rate_window::Rate;
use connmon_analysis::groups::GroupFigures;
use connmon_record::{AddressKind, country_of};
use connmon_render::report::svg::grid;

/// Places that have a line, at most.
const LINES: usize = 60;
/// Pictures after which a moving dot begins again.
const STEPS: u64 = 8;
/// Columns of the list beside the map.
const LIST: u16 = 34;
/// A character of braille without dots; each bit of what is added is a dot.
const BRAILLE: u32 = 0x2800;

/// The outlines of the countries as they were last drawn: they change with the size of the map alone.
#[derive(Debug, Default)]
pub(super) struct Outlines {
    land: Option<Buffer>,
}

/// What is known of the connections with one place.
struct MapPlace {
    name: String,
    figures: GroupFigures,
    rate: Rate,
    at: (f64, f64),
}

/// The places, most bytes first, and how many connections go to none, by the reason.
fn places(view: &View) -> (Vec<MapPlace>, BTreeMap<&'static str, u64>) {
    let mut places: BTreeMap<(i32, i32), MapPlace> = BTreeMap::new();
    let mut nowhere = BTreeMap::new();
    for (_, item) in view.items.fitting() {
        let connection = &item.connection;
        if item.kind != AddressKind::Public {
            *nowhere.entry(item.kind.name()).or_default() += item.figures.connections;
            continue;
        }
        let country = connection.country.as_deref().and_then(country_of);
        let location = connection.place.as_deref();
        let city = location.and_then(|place| Some((place.city.as_ref()?.borrowed(), place.coordinates?)));
        let (name, at) = match (city, country) {
            (Some((city, at)), _) => (city, (at.longitude, at.latitude)),
            (None, Some(country)) => (country.name.into(), (country.longitude, country.latitude)),
            (None, None) => {
                *nowhere.entry("unknown").or_default() += item.figures.connections;
                continue;
            }
        };
        let key = ((at.0 * 10.0) as i32, (at.1 * 10.0) as i32);
        let place = places.entry(key).or_insert_with(|| MapPlace {
            name: sanitized(name).into_owned(),
            figures: GroupFigures::default(),
            rate: Rate::default(),
            at,
        });
        place.figures += item.figures;
        place.rate += item.rate;
    }
    let mut places: Vec<MapPlace> = places.into_values().collect();
    places.sort_by_key(|place| place.figures.rank());
    (places, nowhere)
}

/// Lines of the grid in braille, nothing else.
fn drawn(width: u16, height: u16, lines: &[Vec<(f64, f64)>]) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let canvas = Canvas::default()
        .marker(Marker::Braille)
        .x_bounds([0.0, grid::WIDTH])
        .y_bounds([-grid::HEIGHT, 0.0])
        .paint(|context| {
            for ends in lines.iter().flat_map(|line| line.windows(2)) {
                context.draw(&Line::new(ends[0].0, -ends[0].1, ends[1].0, -ends[1].1, Color::Reset));
            }
        });
    canvas.render(area, &mut buffer);
    buffer
}

/// The dots of a cell.
fn dots(symbol: &str) -> u32 {
    let c = symbol.chars().next().map_or(0, |c| c as u32);
    if (BRAILLE..BRAILLE + 256).contains(&c) { c - BRAILLE } else { 0 }
}

/// Where the map is, and the list of places if there is room for it: beside, or below.
fn split(area: Rect) -> (Rect, Rect) {
    let high = |width: u16| (f64::from(width) * grid::HEIGHT / grid::WIDTH / 2.0).round() as u16;
    let height = area.height.saturating_sub(1);
    let none = Rect { height: 0, ..area };
    if area.width > LIST + 60 && high(area.width) > height {
        let map =
            Rect { width: area.width - LIST, height: height.min(high(area.width - LIST).max(1)), ..area };
        return (map, Rect { x: map.right() + 1, width: LIST - 1, height, ..area });
    }
    let map = Rect { height: height.min(high(area.width).max(1)), ..area };
    let list = Rect { y: map.bottom(), height: height - map.height, ..area };
    (map, if list.height >= 3 { list } else { none })
}

/// Draws the tab.
pub(super) fn draw(view: &View, outlines: &mut Outlines, area: Rect, buffer: &mut Buffer) {
    if area.height < 4 {
        put(buffer, area.x, area.y, area.width, "The map needs a taller window.", view.theme.dim());
        return;
    }
    let (map, list) = split(area);
    let whole = Rect::new(0, 0, map.width, map.height);
    if outlines.land.as_ref().is_none_or(|land| land.area != whole) {
        outlines.land = Some(drawn(map.width, map.height, &grid::outlines()));
    }
    let (places, nowhere) = places(view);
    land(view, outlines, map, buffer);
    let taken = lines_and_places(view, &places, map, buffer);
    labels(view, &places, map, taken, buffer);
    listed(view, &places, list, buffer);
    let mut legend = String::from("◆ this host  ● place, connections  • bytes moving now");
    if !nowhere.is_empty() {
        let words: Vec<String> = nowhere.iter().map(|(kind, n)| format!("{} {kind}", number(*n))).collect();
        legend.push_str(&format!("  │ not on the map: {}", words.join(", ")));
    }
    let y = area.bottom() - 1;
    put(buffer, area.x, y, area.width, &cut(&legend, area.width.into()), view.theme.dim());
}

fn land(view: &View, outlines: &Outlines, map: Rect, buffer: &mut Buffer) {
    let Some(land) = &outlines.land else { return };
    for y in 0..map.height {
        for x in 0..map.width {
            let dots = dots(land[(x, y)].symbol());
            // Without colours lines could be taken for coasts: those are drawn with every other dot.
            let dots = if view.theme.color { dots } else { dots & 0b1010_0101 };
            let c = if view.theme.ascii { '.' } else { char::from_u32(BRAILLE + dots).unwrap_or(' ') };
            if dots > 0 {
                buffer[(map.x + x, map.y + y)].set_char(c).set_style(view.theme.dim());
            }
        }
    }
}

/// Draws lines, this host and the places; gives the cells that are taken.
fn lines_and_places(view: &View, places: &[MapPlace], map: Rect, buffer: &mut Buffer) -> Vec<Rect> {
    let theme = view.theme;
    let home = view.live().run().and_then(|run| run.location.as_ref());
    let at = home.map(|home| (home.at.longitude, home.at.latitude));
    // A host whose place is not known stands below the world.
    let from = at.map_or((grid::WIDTH / 2.0, grid::HEIGHT - 6.0), |at| grid::point(at.0, at.1));
    let mut moving: Vec<(u16, u16)> = Vec::new();
    for place in places.iter().take(LINES).rev() {
        let pieces = match at {
            Some(at) => grid::arc(at, place.at),
            None => grid::rising(from, grid::point(place.at.0, place.at.1)),
        };
        let lines: Vec<Vec<(f64, f64)>> =
            pieces.iter().map(|piece| piece.iter().map(|step| (step.0, step.1)).collect()).collect();
        let style = if place.rate.sum() > 0.0 { theme.moving() } else { Style::new() };
        overlay(view, &drawn(map.width, map.height, &lines), map, style, buffer);
        if place.rate.sum() > 0.0 {
            // Away from this host if more is sent, towards it if more is received.
            let part = (view.beat % STEPS) as f64 / STEPS as f64;
            let along = if place.rate.tx >= place.rate.rx { part } else { 1.0 - part };
            let near =
                pieces.iter().flatten().min_by(|a, b| (a.2 - along).abs().total_cmp(&(b.2 - along).abs()));
            moving.extend(near.map(|step| cell(map, (step.0, step.1))));
        }
    }
    for (x, y) in moving {
        put(buffer, x, y, 1, "•", theme.good().patch(theme.bold()));
    }
    let mut taken = Vec::new();
    for place in places {
        let (x, y) = cell(map, grid::point(place.at.0, place.at.1));
        put(buffer, x, y, 1, "●", theme.note());
        taken.push(Rect::new(x, y, 1, 1));
    }
    let (x, y) = cell(map, from);
    put(buffer, x, y, 1, "◆", theme.good().patch(theme.bold()));
    taken.push(Rect::new(x, y, 1, 1));
    let label = match (home.map(|home| &home.label), at) {
        (Some(label), _) => format!("this host: {}", sanitized(label)),
        (None, Some(_)) => "this host".into(),
        (None, None) => "this host (location unknown)".into(),
    };
    taken.extend(label_at(&label, (x, y), map, &taken, theme.good().patch(theme.bold()), buffer));
    taken
}

fn overlay(view: &View, lines: &Buffer, map: Rect, style: Style, buffer: &mut Buffer) {
    for y in 0..map.height {
        for x in 0..map.width {
            let new = dots(lines[(x, y)].symbol());
            if new > 0 {
                let cell = &mut buffer[(map.x + x, map.y + y)];
                let all = new | dots(cell.symbol());
                let c = if view.theme.ascii { '+' } else { char::from_u32(BRAILLE + all).unwrap_or(' ') };
                cell.set_char(c).set_style(Style::reset().patch(style));
            }
        }
    }
}

/// The cell of a point of the grid.
fn cell(map: Rect, point: (f64, f64)) -> (u16, u16) {
    let place = |value: f64, most: f64, cells: u16| {
        let cell = (value / most * f64::from(cells)).floor();
        cell.clamp(0.0, f64::from(cells.saturating_sub(1))) as u16
    };
    (map.x + place(point.0, grid::WIDTH, map.width), map.y + place(point.1, grid::HEIGHT, map.height))
}

/// Names and counts of the places that have most, where nothing else stands.
fn labels(view: &View, places: &[MapPlace], map: Rect, mut taken: Vec<Rect>, buffer: &mut Buffer) {
    for place in places.iter().take(12) {
        let at = cell(map, grid::point(place.at.0, place.at.1));
        let label = format!("{} {}", cut(&place.name, 18), number(place.figures.connections));
        let new = label_at(&label, at, map, &taken, view.theme.bold(), buffer);
        taken.extend(new);
    }
}

/// Writes a label beside a cell, if there is room; says where.
fn label_at(
    label: &str,
    at: (u16, u16),
    map: Rect,
    taken: &[Rect],
    style: Style,
    buffer: &mut Buffer,
) -> Option<Rect> {
    // A column of distance on both sides.
    let label = format!(" {label} ");
    let width = u16::try_from(label.width()).ok()?;
    let right = (at.0 + 1, at.1);
    let left = (at.0.saturating_sub(width), at.1);
    let middle = at.0.saturating_sub(width / 2);
    let around = [right, left, (middle, at.1 + 1), (middle, at.1.saturating_sub(1))];
    let room = around.into_iter().map(|(x, y)| Rect::new(x, y, width, 1)).find(|room| {
        let within =
            room.x >= map.x && room.right() <= map.right() && room.y >= map.y && room.y < map.bottom();
        within && !taken.iter().any(|other| other.intersects(*room))
    })?;
    buffer.set_style(room, Style::reset());
    put(buffer, room.x, room.y, width, &label, style);
    Some(room)
}

/// The places as a list.
fn listed(view: &View, places: &[MapPlace], area: Rect, buffer: &mut Buffer) {
    if area.height < 2 {
        return;
    }
    let theme = view.theme;
    put(buffer, area.x, area.y, area.width, "Busiest places", theme.head());
    for (line, place) in places.iter().take(usize::from(area.height) - 1).enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
        let figures = format!("{:>5} {:>9}", number(place.figures.connections), size(place.figures.bytes()));
        let room = usize::from(area.width.min(40)).saturating_sub(figures.width() + 1);
        put(buffer, area.x, y, area.width, &cut(&place.name, room), theme.bold());
        let x = area.x + u16::try_from(room + 1).unwrap_or(0);
        put(buffer, x, y, area.width, &figures, Style::new());
        if area.width > 60 {
            let words = format!(
                "{}, {} open",
                count(place.figures.connections, "connection", "connections"),
                number(place.figures.open)
            );
            put(buffer, area.x + 42, y, area.width - 42, &words, theme.dim());
        }
    }
    if places.is_empty() {
        put(buffer, area.x, area.y + 1, area.width, "No connections with public addresses.", theme.dim());
    }
}
