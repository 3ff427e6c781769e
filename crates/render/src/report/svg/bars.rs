//! Ranked bars as a picture of their own: processes, countries and services.

use std::collections::HashMap;

use svg::Document;
use svg::node::element::{Description, Group, Rectangle, Style, Text, Title};

use super::furniture::{background, heading};
use super::projection::WIDTH;
use super::{STYLE, text_safe, unit};
use connmon_analysis::format::{bytes, count};
use connmon_analysis::{GroupFigures, Summary};
use connmon_record::{Service, Untrusted, country_of};

const TOP: f64 = 62.0;
const ROW: f64 = 26.0;
const BARS: usize = 10;
const COLUMN: f64 = 312.0;
const GAP: f64 = 18.0;

/// The bars of a summary.
pub fn bars(summary: &Summary) -> String {
    let columns = [
        ("Processes", processes(summary)),
        ("Countries", countries(summary)),
        ("Services", services(summary)),
    ];
    let rows = columns.iter().map(|(_, rows)| rows.len()).max().unwrap_or(0);
    let height = TOP + 34.0 + rows.max(1) as f64 * ROW + 18.0;
    let words: Vec<String> = columns
        .iter()
        .filter_map(|(title, rows)| {
            let (name, figures) = rows.first()?;
            Some(format!("{title}: most bytes has {name}, {}.", bytes(figures.bytes())))
        })
        .collect();
    let mut picture = Document::new()
        .set("class", "cm-map")
        .set("viewBox", format!("0 0 {} {}", unit(WIDTH), unit(height)))
        .set("role", "img")
        .set("aria-labelledby", "bars-title bars-desc")
        .add(Title::new("Bytes by process, country and service").set("id", "bars-title"))
        .add(Description::new().set("id", "bars-desc").add(svg::node::Text::new(words.join(" "))))
        .add(Style::new(STYLE))
        .add(background(height))
        .add(heading(summary));
    for (place, (title, rows)) in columns.iter().enumerate() {
        let x = 14.0 + place as f64 * (COLUMN + GAP);
        picture = picture.add(column(title, rows, x));
    }
    picture.to_string()
}

fn column(title: &str, rows: &[(String, GroupFigures)], x: f64) -> Group {
    let most = rows.first().map_or(1, |(_, figures)| figures.bytes().max(1)) as f64;
    let head = Text::new(title).set("class", "title").set("x", unit(x)).set("y", unit(TOP + 12.0));
    let mut group = Group::new().set("class", "bars").add(head);
    if rows.is_empty() {
        return group
            .add(Text::new("none").set("class", "figures").set("x", unit(x)).set("y", unit(TOP + 36.0)));
    }
    for (place, (name, figures)) in rows.iter().enumerate() {
        let y = TOP + 34.0 + place as f64 * ROW;
        let width = |bytes: u64| unit(bytes as f64 / most * COLUMN);
        let bar = |class: &str, from: f64, bytes: u64| {
            let bar = Rectangle::new().set("class", class).set("x", unit(from)).set("y", unit(y + 4.0));
            bar.set("width", width(bytes)).set("height", 5)
        };
        let middle = x + figures.tx_bytes as f64 / most * COLUMN;
        let title = format!(
            "{name}: {} sent, {} received, {}",
            bytes(figures.tx_bytes),
            bytes(figures.rx_bytes),
            count(figures.connections, "connection", "connections")
        );
        let right = unit(x + COLUMN);
        group = group.add(
            Group::new()
                .add(Title::new(title))
                .add(
                    Rectangle::new()
                        .set("class", "ground")
                        .set("x", unit(x))
                        .set("y", unit(y + 4.0))
                        .set("width", unit(COLUMN))
                        .set("height", 5),
                )
                .add(bar("tx", x, figures.tx_bytes))
                .add(bar("rx", middle, figures.rx_bytes))
                .add(Text::new(shortened(name)).set("class", "name").set("x", unit(x)).set("y", unit(y)))
                .add(
                    Text::new(bytes(figures.bytes()))
                        .set("class", "figures")
                        .set("x", right)
                        .set("y", unit(y))
                        .set("text-anchor", "end"),
                ),
        );
    }
    group
}

/// As much of a name as there is room for.
fn shortened(name: &str) -> String {
    match name.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.to_owned(),
    }
}

/// The processes, those of one name as one.
fn processes(summary: &Summary) -> Vec<(String, GroupFigures)> {
    let mut rows: Vec<(String, GroupFigures)> = Vec::new();
    let mut places: HashMap<&Untrusted, usize> = HashMap::new();
    for row in summary.processes.iter() {
        let comm = &row.program.comm;
        let place = *places.entry(comm).or_insert_with(|| {
            let name = text_safe(comm);
            let place = rows.iter().position(|row| row.0 == name);
            place.unwrap_or_else(|| {
                rows.push((name, GroupFigures::default()));
                rows.len() - 1
            })
        });
        rows[place].1 += row.figures;
    }
    rows.sort_by_key(|(_, figures)| std::cmp::Reverse(figures.bytes()));
    rows.truncate(BARS);
    rows
}

fn countries(summary: &Summary) -> Vec<(String, GroupFigures)> {
    let name =
        |code: &str| country_of(code).map_or_else(|| text_safe(code), |country| country.name.to_owned());
    let rows = summary.countries.iter().take(BARS);
    rows.map(|row| (row.code.as_deref().map_or("unknown".into(), name), row.figures)).collect()
}

fn services(summary: &Summary) -> Vec<(String, GroupFigures)> {
    let name = |proto, port: u16| match Service::name_of(proto, port) {
        Some(name) => format!("{port}/{proto} {name}"),
        None if port == 0 => proto.to_string(),
        None => format!("{port}/{proto}"),
    };
    summary.services.iter().take(BARS).map(|row| (name(row.proto, row.port), row.figures)).collect()
}
