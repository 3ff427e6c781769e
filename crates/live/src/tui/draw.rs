//! The parts of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

use super::header::{self, both};
use super::map::Outlines;
use super::tab::{Input, Mode, Tab};
use super::table::put;
use super::text::{count, cut, sanitized};
use super::view::View;
use super::{detail, findings, help, map, table, timeline};
use connmon_analysis::Completeness;
use connmon_analysis::Selection;

/// Where each part is.
struct Parts {
    /// One, two or three lines.
    header: u16,
    /// Lines of the chosen row, below the tab.
    strip: u16,
    body: Rect,
    /// Hints, or what is typed.
    foot: Rect,
}

fn parts(view: &View, area: Rect) -> Parts {
    let header = match area.height {
        0..=11 => 1,
        12..=15 => 2,
        _ => 3,
    };
    let foot = if matches!(view.mode, Mode::Filter(_)) { 2 } else { 1 };
    let told = matches!(view.tab, Tab::Connections | Tab::Processes | Tab::Destinations);
    let strip = match view.mode {
        Mode::Help(_) | Mode::Detail(_) | Mode::Findings(_) => 0,
        _ if area.height < 18 || !told => 0,
        // What is typed takes a line of it, so that the table stays where it is.
        Mode::Filter(_) => 1,
        Mode::Table => 2,
    };
    let above = header + 1;
    let below = strip + foot;
    let body = Rect {
        y: area.y + above.min(area.height),
        height: area.height.saturating_sub(above + below),
        ..area
    };
    let foot_y = area.y + area.height.saturating_sub(foot);
    Parts { header, strip, body, foot: Rect { y: foot_y, height: foot.min(area.height), ..area } }
}

/// Rows of the tab that can be seen.
pub(super) fn page(view: &View, area: Rect) -> usize {
    let head = if view.tab == Tab::Timeline { timeline::HEAD } else { 1 };
    usize::from(parts(view, area).body.height.saturating_sub(head)).max(1)
}

/// Draws everything; where the cursor is.
pub(super) fn screen(
    view: &mut View,
    outlines: &mut Outlines,
    area: Rect,
    buffer: &mut Buffer,
) -> Option<(u16, u16)> {
    if area.height < 4 || area.width < 16 {
        put(buffer, area.x, area.y, area.width, "Too small", view.theme.bold());
        return None;
    }
    let parts = parts(view, area);
    let line = |at: u16| Rect { y: area.y + at, height: 1, ..area };
    header::first(view, line(0), buffer);
    if parts.header > 1 {
        header::second(view, line(1), buffer);
    }
    if parts.header > 2 {
        header::third(view, line(2), buffer);
    }
    header::tabs(view, line(parts.header), buffer);
    match view.mode {
        Mode::Help(first) => {
            let lines = help_lines(view, usize::from(area.width));
            let first = text(view, &lines, first, parts.body, buffer);
            view.mode = Mode::Help(first);
        }
        Mode::Detail(first) => {
            let lines = detail::lines(view)
                .iter()
                .flat_map(|line| wrapped(line, parts.body.width))
                .collect::<Vec<_>>();
            let first = text(view, &lines, first, parts.body, buffer);
            view.mode = Mode::Detail(first);
        }
        Mode::Findings(chosen) => {
            view.mode = Mode::Findings(findings::draw(view, chosen, parts.body, buffer))
        }
        Mode::Table | Mode::Filter(_) => {
            match view.tab {
                Tab::Map => map::draw(view, outlines, parts.body, buffer),
                Tab::Timeline => timeline::draw(view, parts.body, buffer),
                _ => table::draw(view, parts.body, buffer),
            }
            if parts.strip > 0 {
                let lines = detail::strip(view);
                for (at, text) in lines.iter().enumerate().take(parts.strip.into()) {
                    let y = parts.body.bottom() + u16::try_from(at).unwrap_or(0);
                    put(buffer, area.x, y, area.width, &cut(text, area.width.into()), view.theme.dim());
                }
            }
        }
    }
    if let Mode::Filter(input) = &view.mode {
        return Some(prompt(view, input, parts.foot, buffer));
    }
    foot(view, parts.foot, buffer);
    None
}

/// The keys that matter here; or what was done last.
fn foot(view: &View, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let message = match &view.message {
        Some(Ok(words)) => Some((words, theme.good())),
        Some(Err(words)) => Some((words, theme.bad())),
        None => view.over.as_ref().map(|words| (words, theme.note())),
    };
    if let Some((words, style)) = message {
        put(buffer, area.x, area.y, area.width, &cut(&sanitized(words), area.width.into()), style);
        return;
    }
    let hints: &[(&str, &str)] = match view.mode {
        Mode::Table => &[
            ("q", "quit"),
            ("?", "help"),
            ("/", "filter"),
            ("Enter", "details"),
            ("s", "sort"),
            ("a", "group"),
            ("t", "closed"),
            ("P", "pause"),
            ("w", "report"),
            ("Tab", "next view"),
            ("d", "names"),
            ("p", "ports"),
            ("F", "freeze"),
            ("l", "listening"),
            ("n", "findings"),
        ],
        Mode::Findings(_) => &[("Esc", "back"), ("↑ ↓", "move"), ("Enter", "its connections")],
        _ => &[("Esc", "back"), ("↑ ↓", "move"), ("PgUp PgDn", "page")],
    };
    let mut spans = Vec::new();
    let mut width = 0;
    for (key, word) in hints {
        let (key, word) = (format!("{key} "), format!("{word}  "));
        width += key.width() + word.width();
        if width > usize::from(area.width) + 2 {
            break;
        }
        spans.push(Span::styled(key, theme.head()));
        spans.push(Span::raw(word));
    }
    both(spans, Vec::new(), area, buffer);
}

/// What is typed, and what is wrong with it or how many fit; where the cursor is.
fn prompt(view: &View, input: &Input, area: Rect, buffer: &mut Buffer) -> (u16, u16) {
    let theme = view.theme;
    let (words, style) = match &input.verdict {
        Ok(_) if input.text.is_empty() => {
            ("for example  proc:curl  host:example.org  country:DE  port:443  bytes>1M".into(), theme.dim())
        }
        Ok(fit) => (
            format!("{} · Enter applies, Esc clears", count(*fit, "connection matches", "connections match")),
            theme.good(),
        ),
        Err(why) => (why.clone(), theme.bad()),
    };
    put(buffer, area.x, area.y, area.width, &cut(&sanitized(&words), area.width.into()), style);
    let y = area.bottom().saturating_sub(1);
    put(buffer, area.x, y, area.width, "/ ", theme.head());
    // The end of what is longer than the line.
    let room = usize::from(area.width.saturating_sub(4)).max(1);
    let before = sanitized(&input.text[..input.at]).into_owned();
    let skipped = before.chars().scan(before.width(), |left, c| {
        let more = *left > room;
        *left = left.saturating_sub(unicode_width::UnicodeWidthChar::width(c).unwrap_or(0));
        more.then_some(c.len_utf8())
    });
    let start: usize = skipped.sum();
    let shown = format!("{}{}", &before[start..], sanitized(&input.text[input.at..]));
    put(buffer, area.x + 2, y, area.width.saturating_sub(2), &shown, theme.bold());
    let column = u16::try_from(before[start..].width()).unwrap_or(0);
    ((area.x + 2 + column).min(area.right().saturating_sub(1)), y)
}

fn help_lines(view: &View, width: usize) -> Vec<String> {
    let statements: Vec<String> = match view.live().run() {
        Some(run) => {
            let complete = Completeness::from_runs(std::slice::from_ref(run), &Selection::default());
            complete
                .statements
                .iter()
                .map(|statement| statement.words().replace(['\u{a0}', '\u{202f}'], " "))
                .collect()
        }
        None => Vec::new(),
    };
    let column = 12;
    let lines = help::lines(&statements).into_iter().flat_map(|(key, words)| {
        let line = match key.is_empty() {
            true if words.chars().all(|c| !c.is_lowercase()) => words,
            true => format!("  {words}"),
            false => format!("  {key}{} {words}", " ".repeat(column_left(column, &key))),
        };
        wrapped(&line, u16::try_from(width).unwrap_or(u16::MAX))
    });
    lines.collect()
}

fn column_left(column: usize, key: &str) -> usize {
    column.saturating_sub(key.width())
}

/// A line split into as many as it needs; those after the first are indented.
fn wrapped(line: &str, width: u16) -> Vec<String> {
    let width = usize::from(width).max(16);
    let mut lines = Vec::new();
    let mut rest = line.to_owned();
    while rest.width() > width {
        let mut at = 0;
        let mut taken = 0;
        for c in rest.chars() {
            let wide = unicode_width::UnicodeWidthChar::width(c).unwrap_or(0);
            if taken + wide > width {
                break;
            }
            taken += wide;
            at += c.len_utf8();
        }
        let indent = if line.starts_with("  ") { (width / 4).min(15) } else { 2 };
        let space = rest[..at].rfind(' ').filter(|space| *space > indent + width / 3);
        let at = space.unwrap_or(at).max(1);
        let tail = rest[at..].trim_start().to_owned();
        rest.truncate(at);
        lines.push(std::mem::replace(&mut rest, format!("{}{tail}", " ".repeat(indent))));
        if lines.len() > 200 {
            break;
        }
    }
    lines.push(rest);
    lines
}

/// Draws the lines from `first` on; returns the first line that is really shown.
fn text(view: &View, lines: &[String], first: usize, area: Rect, buffer: &mut Buffer) -> usize {
    let page = usize::from(area.height);
    let first = first.min(lines.len().saturating_sub(page));
    for (at, line) in lines.iter().skip(first).take(page).enumerate() {
        let head = !line.starts_with(' ');
        let style =
            if head { view.theme.head().patch(view.theme.bold()) } else { ratatui::style::Style::new() };
        let y = area.y + u16::try_from(at).unwrap_or(0);
        put(buffer, area.x, y, area.width, &cut(line, area.width.into()), style);
    }
    let left = lines.len().saturating_sub(first + page);
    if left > 0 && area.height > 0 {
        let more = format!(" ↓ {} ", count(left as u64, "more line", "more lines"));
        let width = u16::try_from(more.width()).unwrap_or(0).min(area.width);
        put(buffer, area.right() - width, area.bottom() - 1, width, &more, view.theme.chosen());
    }
    first
}
