//! Remote addresses over time, with the symbols that the timeline always had.

use std::collections::HashMap;
use std::net::IpAddr;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use super::header::both;
use super::items::Item;
use super::list::{ListRow, RowContent};
use super::table::{ends, put};
use super::text::{count, cut, cut_middle, number, sanitized};
use super::view::View;
use connmon_analysis::Window;
use connmon_analysis::format::duration;
use connmon_analysis::timeline_rows::{TimelineCell, TimelineRow, TimelineRows};
use connmon_record::{Timestamp, Untrusted, country_of};

/// The symbols with their words, in the order of the legend.
const LEGEND: [(TimelineCell, &str); 5] = [
    (TimelineCell::New, "New"),
    (TimelineCell::Active, "Active"),
    (TimelineCell::Listen, "Listen"),
    (TimelineCell::Closed, "Closed"),
    (TimelineCell::Empty, "Empty"),
];
/// Lines above the timeline rows.
pub(super) const HEAD: u16 = 2;

/// Columns of addresses, cells and words.
fn widths(view: &View, width: u16) -> (u16, u16, u16) {
    let address = (width / 4).clamp(10, 40).min(width);
    let words = if width >= 60 { (width / 3).clamp(24, 60) } else { 0 };
    let fit = width.saturating_sub(address + words + 2 * u16::from(words > 0) + 1).max(1);
    let cells = view.width.map_or(fit, |wanted| wanted.clamp(1, fit.max(1)));
    (address, cells, width.saturating_sub(address + cells + 2))
}

/// What is shown of the past, in whole cells: what happened stays in its cell.
fn window(view: &View, cells: u16) -> Window {
    let to = (view.live().now().0 / view.cell + 1).saturating_mul(view.cell);
    Window { from: Timestamp(to.saturating_sub(view.cell.saturating_mul(cells.into()))), to: Timestamp(to) }
}

/// The timeline rows of what fits and was there within the window.
pub(super) fn timeline_rows(view: &View) -> Vec<TimelineRow> {
    let (_, cells, _) = widths(view, view.width_now);
    let window = window(view, cells);
    let mut timeline_rows = TimelineRows::new(window, cells.into());
    let within = |item: &Item| item.connection.known_end().is_none_or(|end| end >= window.from);
    for (_, item) in view.items.fitting().filter(|(_, item)| within(item)) {
        timeline_rows.add(&item.connection);
    }
    timeline_rows.finish()
}

/// Draws the tab.
pub(super) fn draw(view: &View, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let (wide, cells, words) = widths(view, area.width);
    let mut legend: Vec<Span<'_>> = LEGEND
        .iter()
        .flat_map(|(cell, word)| {
            [Span::styled(cell.symbol().to_string(), theme.cell(*cell)), Span::raw(format!(" {word}   "))]
        })
        .collect();
    let cell = duration(u64::try_from(view.cell).unwrap_or(0)).replace('\u{a0}', " ");
    let cell = cell.replace(".00 ", " ");
    legend.push(Span::styled(format!("│ one cell is {cell}"), theme.dim()));
    let timeline_rows = count(view.rows.len() as u64, "address ", "addresses ");
    both(legend, vec![Span::styled(timeline_rows, theme.dim())], Rect { height: 1, ..area }, buffer);
    if area.height < HEAD {
        return;
    }
    let back = u64::try_from(view.cell).unwrap_or(0).saturating_mul(cells.into());
    let ago =
        format!("{} ago", duration(back).replace('\u{a0}', " ").replace(".00 ", " ").replace(".0 ", " "));
    put(buffer, area.x, area.y + 1, wide, "Address", theme.head());
    let scale = ends(&ago, "now", cells.into(), '·');
    put(buffer, area.x + wide + 1, area.y + 1, cells, &scale, theme.dim());
    put(buffer, area.x + wide + cells + 2, area.y + 1, words, "State, ports, place, name", theme.head());

    let (first, page) = (view.list().offset(), usize::from(area.height - HEAD));
    let facts = AddressFacts::of(view, view.rows.iter().skip(first).take(page));
    for (line, row) in view.rows.iter().skip(first).take(page).enumerate() {
        let RowContent::TimelineRow(timeline_row) = &row.content else { continue };
        let y = area.y + HEAD + u16::try_from(line).unwrap_or(0);
        let Some(facts) = facts.get(&timeline_row.ip) else { continue };
        let name = facts.name.as_ref().filter(|_| view.names);
        let title = name.map_or_else(|| timeline_row.ip.to_string(), |name| sanitized(name).into_owned());
        put(buffer, area.x, y, wide, &cut_middle(&title, wide.into()), theme.bold());
        for (at, cell) in timeline_row.cells.iter().enumerate() {
            let x = area.x + wide + 1 + u16::try_from(at).unwrap_or(0);
            if x < area.right() {
                buffer[(x, y)].set_char(cell.symbol()).set_style(theme.cell(*cell));
            }
        }
        let x = area.x + wide + cells + 2;
        if words > 0 && x < area.right() {
            let text = facts.words(view, timeline_row, name.is_some());
            put(buffer, x, y, words, &cut(&text, words.into()), theme.cell(facts.state(timeline_row)));
        }
        if first + line == view.list().index() {
            buffer.set_style(Rect { y, height: 1, ..area }, theme.chosen());
        }
    }
    if view.rows.is_empty() && area.height > HEAD + 1 {
        put(buffer, area.x, area.y + HEAD, area.width, &super::table::nothing(view), theme.dim());
    }
}

/// What the connections with an address tell beside their times.
#[derive(Default)]
struct AddressFacts {
    name: Option<Untrusted>,
    country: String,
    org: Option<Untrusted>,
    ports: Vec<u16>,
    kind: &'static str,
}

impl AddressFacts {
    /// Of the addresses of these rows.
    fn of<'a>(view: &View, rows: impl Iterator<Item = &'a ListRow>) -> HashMap<IpAddr, Self> {
        let mut all: HashMap<IpAddr, Self> = HashMap::new();
        for row in rows {
            if let RowContent::TimelineRow(timeline_row) = &row.content {
                all.insert(timeline_row.ip, Self::default());
            }
        }
        for (_, item) in view.items.fitting() {
            let connection = &item.connection;
            let Some(facts) = all.get_mut(&connection.remote.ip) else { continue };
            facts.name = connection.host().cloned().or(facts.name.take());
            facts.country = connection.country.clone().unwrap_or_default();
            facts.org = connection.place.as_deref().and_then(|place| place.org.clone()).or(facts.org.take());
            facts.kind = if facts.country.is_empty() { item.kind.label() } else { "" };
            if !facts.ports.contains(&item.service.port) && facts.ports.len() < 5 {
                facts.ports.push(item.service.port);
            }
        }
        for facts in all.values_mut() {
            facts.ports.sort_unstable();
        }
        all
    }

    fn state(&self, timeline_row: &TimelineRow) -> TimelineCell {
        match timeline_row.cells.last() {
            Some(TimelineCell::New) => TimelineCell::New,
            _ if !timeline_row.open => TimelineCell::Closed,
            Some(TimelineCell::Listen) => TimelineCell::Listen,
            _ => TimelineCell::Active,
        }
    }

    /// `ACTIVE Port:443 US Example dns.example`; the address replaces the name where the name is already shown.
    fn words(&self, view: &View, timeline_row: &TimelineRow, named: bool) -> String {
        let state = match self.state(timeline_row) {
            TimelineCell::New => "NEW",
            TimelineCell::Closed => "CLOSED",
            TimelineCell::Listen => "LISTEN",
            _ => "ACTIVE",
        };
        let ports: Vec<String> = self.ports.iter().map(u16::to_string).collect();
        let ports = if self.ports == [0] { String::new() } else { format!(" Port:{}", ports.join(",")) };
        let place = if self.country.is_empty() { self.kind } else { &self.country };
        let mut words = format!("{state}{ports} {}", sanitized(place));
        let country = country_of(&self.country).map_or("", |country| country.name);
        let ip = timeline_row.ip.to_string();
        let other = if named {
            Some(Untrusted::from(ip.as_str()))
        } else {
            self.name.as_ref().map(Untrusted::borrowed)
        };
        let org = self.org.as_ref().map(Untrusted::borrowed);
        for part in [org, other, Some(country.into())].into_iter().flatten() {
            if !part.is_empty() {
                words.push_str(" · ");
                words.push_str(&sanitized(part));
            }
        }
        if timeline_row.figures.connections > 1 && view.width.is_none() {
            words.push_str(&format!(" · {} connections", number(timeline_row.figures.connections)));
        }
        words
    }
}
