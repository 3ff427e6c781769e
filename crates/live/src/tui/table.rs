//! Tables: columns that fit the screen, the ones that matter least left out first.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthStr;

use super::columns::{Cell, CellSpec, ScreenColumn, cells, columns};
use super::tab::Tab;
use super::text::cut;
use super::view::View;

/// Writes a text in at most `width` columns.
pub(super) fn put(buffer: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) {
    if buffer.area.contains((x, y).into()) {
        buffer.set_stringn(x, y, text, width.into(), style);
    }
}

/// Two texts at the ends of a line, with something between.
pub(super) fn ends(left: &str, right: &str, width: usize, fill: char) -> String {
    match width.checked_sub(left.width() + right.width() + 2) {
        Some(between) => format!("{left} {} {right}", fill.to_string().repeat(between)),
        None if width >= left.width() => left.to_owned(),
        None => String::new(),
    }
}

/// What stands in the place of rows where there are none.
pub(super) fn nothing(view: &View) -> String {
    if !view.live().is_complete() && view.items.len() == 0 {
        "Waiting for the recorder …".into()
    } else if view.tab == Tab::Listening {
        "No listening sockets.".into()
    } else if view.items.len() == 0 {
        "No connections yet: they appear here when a program opens one.".into()
    } else if view.tab == Tab::Timeline && view.items.fitting().next().is_some() {
        "No activity in this period. A larger -t shows more of the past.".into()
    } else if view.items.open_only && view.items.fit() > 0 && !view.filter().is_everything() {
        "No open connections match. t shows closed ones.".into()
    } else if !view.filter().is_everything() {
        "No connections match the filter. Esc clears it, / changes it.".into()
    } else {
        "No open connections. t shows closed ones.".into()
    }
}

/// The columns that fit, and how wide each is.
fn fit(columns: Vec<ScreenColumn>, width: u16) -> Vec<(ScreenColumn, u16)> {
    let mut columns = columns;
    let least = |columns: &[ScreenColumn]| columns.iter().map(|column| column.least + 1).sum::<u16>();
    while least(&columns) > width + 1 && columns.len() > 1 {
        let Some(last) = (0..columns.len()).max_by_key(|place| columns[*place].rank) else { break };
        columns.remove(last);
    }
    let mut left = (width + 1).saturating_sub(least(&columns));
    let mut widths: Vec<u16> = columns.iter().map(|column| column.least).collect();
    // The width that is left goes to the columns that can use it, a little to each in turn.
    while left > 0 {
        let before = left;
        for (column, width) in columns.iter().zip(&mut widths) {
            let more = left.min(column.weight).min(column.most.saturating_sub(*width));
            *width += more;
            left -= more;
        }
        if left == before {
            break;
        }
    }
    columns.into_iter().zip(widths).collect()
}

/// Draws the rows of the tab.
pub(super) fn draw(view: &View, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let columns = fit(columns(view), area.width);
    let sorted = view.sort().key_in(view.tab);
    let mark = if view.sort().falls(view.tab) { "▼" } else { "▲" };
    let mut x = area.x;
    for (column, width) in &columns {
        let title = match column.sort {
            Some(by) if by == sorted => format!("{}{mark}", column.title),
            _ => column.title.to_owned(),
        };
        let title = cut(&title, (*width).into());
        let indent = if column.right { width.saturating_sub(title.width() as u16) } else { 0 };
        put(buffer, x + indent, area.y, *width, &title, theme.head());
        x += width + 1;
    }
    let page = usize::from(area.height.saturating_sub(1));
    let first = view.list().offset();
    for (line, row) in view.rows.iter().skip(first).take(page).enumerate() {
        let y = area.y + 1 + u16::try_from(line).unwrap_or(0);
        let mut x = area.x;
        for (column, width) in &columns {
            let Cell { text, style } = cells(view, row, CellSpec { kind: column.kind, width: *width });
            let text = cut(&text, (*width).into());
            let indent = if column.right { width.saturating_sub(text.width() as u16) } else { 0 };
            put(buffer, x + indent, y, *width - indent, &text, style);
            x += width + 1;
        }
        if first + line == view.list().index() {
            buffer.set_style(Rect { y, height: 1, ..area }, theme.chosen());
        }
    }
    if view.rows.is_empty() && area.height > 1 {
        put(buffer, area.x, area.y + 1, area.width, &nothing(view), theme.dim());
    }
}
