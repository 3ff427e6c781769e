//! Remote addresses over time as a picture of its own.

use std::collections::HashMap;
use std::net::IpAddr;

use svg::Document;
use svg::node::element::{Description, Group, Rectangle, Style, Text, Title};

use super::furniture::{background, heading};
use super::projection::WIDTH;
use super::{STYLE, text_safe, unit};
use connmon_analysis::format::{bytes, clock, count, date, grouped};
use connmon_analysis::timeline_rows::{TimelineCell, TimelineRow};
use connmon_analysis::{GroupFigures, Summary};
use connmon_record::Timestamp;

const TOP: f64 = 62.0;
const NAMES: f64 = 230.0;
const FIGURES: f64 = 74.0;
const ROW: f64 = 15.0;
/// Lanes at most: the figures of the others stand below.
const LANES: usize = 60;

/// The timeline rows of a summary.
pub fn timeline(summary: &Summary, timeline_rows: &[TimelineRow]) -> String {
    let shown = &timeline_rows[..timeline_rows.len().min(LANES)];
    let height = TOP + 28.0 + shown.len().max(1) as f64 * ROW + 40.0;
    let words = format!(
        "{}; triangles are new connections, bars open ones, crosses the end of the last.",
        count(timeline_rows.len() as u64, "remote address", "remote addresses")
    );
    let mut picture = Document::new()
        .set("class", "cm-map")
        .set("viewBox", format!("0 0 {} {}", unit(WIDTH), unit(height)))
        .set("role", "img")
        .set("aria-labelledby", "timeline-title timeline-desc")
        .add(Title::new("Remote addresses over time").set("id", "timeline-title"))
        .add(Description::new().set("id", "timeline-desc").add(svg::node::Text::new(words)))
        .add(Style::new(STYLE))
        .add(background(height))
        .add(heading(summary))
        .add(axis(summary));
    let mut names: HashMap<IpAddr, Option<String>> =
        shown.iter().map(|timeline_row| (timeline_row.ip, None)).collect();
    for row in summary.remotes.iter() {
        if let Some(name) = names.get_mut(&row.ip) {
            *name = row.name().map(text_safe);
        }
    }
    for (nth, timeline_row) in shown.iter().enumerate() {
        let name = names.remove(&timeline_row.ip).flatten();
        picture = picture.add(row(name, timeline_row, TOP + 28.0 + nth as f64 * ROW));
    }
    let rest = &timeline_rows[shown.len()..];
    if !rest.is_empty() {
        let left: GroupFigures = rest.iter().map(|timeline_row| timeline_row.figures).sum();
        let words = format!("{} more addresses with {}", grouped(rest.len() as u64), bytes(left.bytes()));
        picture =
            picture.add(Text::new(words).set("class", "figures").set("x", 14).set("y", unit(height - 16.0)));
    }
    picture.to_string()
}

fn left() -> f64 {
    14.0 + NAMES
}

fn width() -> f64 {
    WIDTH - left() - FIGURES - 14.0
}

/// Five times along the top.
fn axis(summary: &Summary) -> Group {
    let Some(window) = summary.window else { return Group::new() };
    let days = date(window.from) != date(window.to);
    (0..=4_i32).fold(Group::new().set("class", "figures"), |group, quarter| {
        let share = f64::from(quarter) / 4.0;
        let time = Timestamp(window.from.0 + (window.nanos() as f64 * share) as i64);
        let words = if days { format!("{} {}", date(time), clock(time)) } else { clock(time) };
        let anchor = ["start", "middle", "middle", "middle", "end"][quarter as usize];
        let text = Text::new(words).set("class", "figures").set("x", unit(left() + width() * share));
        group.add(text.set("y", unit(TOP + 16.0)).set("text-anchor", anchor))
    })
}

fn row(name: Option<String>, timeline_row: &TimelineRow, y: f64) -> Group {
    let name = name.unwrap_or_else(|| timeline_row.ip.to_string());
    let shown = match name.char_indices().nth(36) {
        Some((at, _)) => format!("{}…", &name[..at]),
        None => name.clone(),
    };
    let title = format!(
        "{name} ({}): {}, {} sent, {} received",
        timeline_row.ip,
        count(timeline_row.figures.connections, "connection", "connections"),
        bytes(timeline_row.figures.tx_bytes),
        bytes(timeline_row.figures.rx_bytes)
    );
    let ground = Rectangle::new().set("class", "ground").set("x", unit(left())).set("y", unit(y + 2.0));
    let mut group = Group::new()
        .set("class", "lane")
        .add(Title::new(title))
        .add(Text::new(shown).set("class", "name").set("x", 14).set("y", unit(y + 11.0)))
        .add(ground.set("width", unit(width())).set("height", unit(ROW - 4.0)));
    let step = width() / timeline_row.cells.len().max(1) as f64;
    let mut from = 0;
    for run in timeline_row.cells.chunk_by(|a, b| a == b) {
        let class = match run[0] {
            TimelineCell::Empty => "",
            TimelineCell::Listen => "listen",
            TimelineCell::Active => "active",
            TimelineCell::Closed => "closed",
            TimelineCell::New => "new",
        };
        if !class.is_empty() {
            let bar = Rectangle::new().set("class", class).set("x", unit(left() + from as f64 * step));
            let thick = if class == "new" { ROW - 4.0 } else { ROW - 8.0 };
            group = group.add(
                bar.set("y", unit(y + 2.0 + (ROW - 4.0 - thick) / 2.0))
                    .set("width", unit(run.len() as f64 * step))
                    .set("height", unit(thick)),
            );
        }
        from += run.len();
    }
    let figure =
        Text::new(bytes(timeline_row.figures.bytes())).set("class", "figures").set("x", unit(WIDTH - 14.0));
    group.add(figure.set("y", unit(y + 11.0)).set("text-anchor", "end"))
}
