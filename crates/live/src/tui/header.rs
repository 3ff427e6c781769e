//! The lines above the tab: whose recording it is, whether it can be trusted, and what of it is shown.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use super::tab::Tab;
use super::text::{count, number, rate, sanitized, size};
use super::view::View;
use crate::rate_window::Rate;
use connmon_analysis::Selection;
use connmon_analysis::format::duration;
use connmon_analysis::timeline_rows::TimelineCell;
use connmon_analysis::{Completeness, HostInternalFinder, Level, Verdict};

/// Draws spans from the left and from the right; the right ones are left out where there is no room.
pub(super) fn both(left: Vec<Span<'_>>, right: Vec<Span<'_>>, area: Rect, buffer: &mut Buffer) {
    let (left, right) = (Line::from(left), Line::from(right));
    let width = |line: &Line<'_>| u16::try_from(line.width()).unwrap_or(u16::MAX);
    buffer.set_line(area.x, area.y, &left, area.width);
    if width(&left).saturating_add(width(&right)) < area.width {
        buffer.set_line(area.right() - width(&right), area.y, &right, width(&right));
    }
}

/// Whose recording, whether it goes on, and how much is moved now.
pub(super) fn first(view: &View, area: Rect, buffer: &mut Buffer) {
    let (theme, live) = (view.theme, view.live());
    let mut left = vec![Span::styled("connmon ", theme.bold())];
    if let Some(run) = live.run() {
        let lasted = u64::try_from(live.now().0 - run.started.0).unwrap_or(0);
        left.push(Span::raw(sanitized(&run.host).into_owned()));
        left.push(Span::styled(format!(" {} ", sanitized(&run.backend)), theme.dim()));
        left.push(state(view));
        let lasted = duration(lasted / 1_000_000_000 * 1_000_000_000).replace('\u{a0}', " ");
        left.push(Span::raw(format!(" {}", lasted.replace(".00 ", " ").replace(".0 ", " "))));
    } else {
        left.push(state(view));
    }
    let everything = view.filter().is_everything() && !view.items.open_only;
    let mut sum = if everything { live.rate_of_all() } else { Rate::default() };
    if !everything {
        view.items.fitting().for_each(|(_, item)| sum += item.rate);
    }
    // What was pushed out a moment ago may have fitted.
    let now = if everything || live.has_all_rates() { "now " } else { "now at least " };
    let text = |rate_of: f64| match rate(rate_of) {
        none if none.is_empty() => "0 B/s".to_owned(),
        some => some,
    };
    let right = vec![
        Span::raw(now),
        Span::styled(format!("↑ {:>10}", text(sum.tx)), theme.moving()),
        Span::styled(format!("  ↓ {:>10} ", text(sum.rx)), theme.moving()),
    ];
    both(left, right, area, buffer);
}

fn state(view: &View) -> Span<'static> {
    let theme = view.theme;
    if view.is_paused() {
        let waiting = count(view.waiting, "update waits", "updates wait");
        return Span::styled(format!("PAUSED ({waiting}; P resumes)"), theme.note());
    }
    if view.has_ended() {
        return Span::styled("ENDED", theme.note());
    }
    match &view.over {
        Some(_) => Span::styled("RECORDER STOPPED", theme.bad()),
        None if !view.live().is_complete() => Span::styled("…", theme.note()),
        None => Span::styled("LIVE", theme.good()),
    }
}

/// Sums of the whole recording, and what is missing from it.
pub(super) fn second(view: &View, area: Rect, buffer: &mut Buffer) {
    let live = view.live();
    let totals = live.totals();
    let (open, all) = (number(totals.open), number(totals.connections));
    let (sent, received) = (size(totals.tx_bytes), size(totals.rx_bytes));
    let right = missing(view);
    let taken: usize = right.iter().map(Span::width).sum();
    let mut ends = HostInternalFinder::default();
    view.items.iter().for_each(|item| ends.add(&item.connection));
    let least = if live.forgotten() > 0 { "at least " } else { "" };
    let (own, briefly) = match ends.finish().connections {
        0 => (String::new(), String::new()),
        own => (
            format!(" ({least}{} with both ends here: each counts)", number(own)),
            format!(" ({least}{} twice)", number(own)),
        ),
    };
    let long = format!("{open} open of {all} connections │ sent {sent}  received {received}{own}");
    // Whether something is missing, or counts twice, is said even where the rest must be short.
    let left = match long.width() + taken < area.width.into() {
        true => long,
        false => format!("{open} of {all} open, ↑ {sent} ↓ {received}{briefly}"),
    };
    both(vec![Span::raw(left)], right, area, buffer);
}

/// Whether absence can be trusted: what the recording lost, and what this viewer did not see.
fn missing(view: &View) -> Vec<Span<'static>> {
    let (theme, live) = (view.theme, view.live());
    let mut spans = Vec::new();
    if let Some(run) = live.run() {
        let c = &run.completeness;
        let complete = Completeness::from_runs(std::slice::from_ref(run), &Selection::default());
        spans.push(if c.lost_events > 0 {
            Span::styled(format!("! LOST {}", count(c.lost_events, "event", "events")), theme.bad())
        } else if complete.verdict == Verdict::Incomplete {
            let losses = complete.statements.iter().filter(|s| s.level == Level::Loss).count();
            Span::styled(
                format!("! incomplete: {} (?)", count(losses as u64, "reason", "reasons")),
                theme.bad(),
            )
        } else if view.over.is_some() && !live.has_ended() && run.ended.is_none() {
            // It may have stored more than it told.
            Span::styled("nothing lost up to here", theme.note())
        } else {
            Span::styled("nothing lost", theme.good())
        });
    }
    let unseen = live.totals().unseen;
    for (n, one, many) in [
        (live.missed(), "update resynchronised", "updates resynchronised"),
        (unseen, "row not shown", "rows not shown"),
    ] {
        if n > 0 {
            spans.push(Span::styled(format!(" ! {}", count(n, one, many)), theme.note()));
        }
    }
    let findings = live.findings().words();
    if !findings.is_empty() {
        spans.push(Span::styled(format!(" │ worth a look (n): {findings}"), theme.bad()));
    }
    spans.push(Span::raw(" "));
    spans
}

/// What is shown: the filter, and how many fit; the symbols; the order.
pub(super) fn third(view: &View, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    let mut left = Vec::new();
    if view.filter().is_everything() {
        left.push(Span::styled("No filter (press /)", theme.dim()));
    } else {
        left.push(Span::raw("Filter: "));
        left.push(Span::styled(sanitized(view.filter().text()).into_owned(), theme.note()));
        let fit = view.items.fit() as u64;
        left.push(Span::raw(format!("  {} of {} match", number(fit), number(view.items.len() as u64))));
    }
    if view.items.open_only {
        left.push(Span::styled("  open only", theme.note()));
    }
    // The sums on the tabs cover the remembered connections only.
    let forgotten = view.live().forgotten();
    if forgotten > 0 && view.live().is_complete() {
        let why = if view.live().is_full() { "hidden (--keep)" } else { "only in the store" };
        left.push(Span::styled(format!("  {} older {why}", number(forgotten)), theme.note()));
    }
    let order = if view.orders.frozen() {
        vec![Span::styled("order frozen ", theme.note())]
    } else if view.tab == Tab::Map {
        Vec::new()
    } else {
        vec![Span::styled(format!("by {} ", view.sort().key_in(view.tab).words(view.tab)), theme.dim())]
    };
    // The symbols of the table are said where there is room for them.
    let symbols = if view.tab == Tab::Connections { symbols(view) } else { Vec::new() };
    let taken: usize = [&left, &symbols, &order].into_iter().flatten().map(Span::width).sum();
    let room = taken < area.width.into();
    let right = if room { symbols.into_iter().chain(order).collect() } else { order };
    both(left, right, area, buffer);
}

/// What the symbols before a connection mean.
fn symbols(view: &View) -> Vec<Span<'static>> {
    let theme = view.theme;
    let symbol = |symbol: char, style: Style, word: &'static str| {
        [Span::styled(format!("{symbol} "), style), Span::styled(word, theme.dim())]
    };
    let states = [
        symbol(TimelineCell::New.symbol(), theme.cell(TimelineCell::New), "new "),
        symbol(TimelineCell::Active.symbol(), theme.cell(TimelineCell::Active), "open "),
        symbol(TimelineCell::Closed.symbol(), theme.dim(), "closed "),
        symbol('!', theme.bad(), "failed  "),
        symbol('→', Style::new(), "out "),
        symbol('←', Style::new(), "in "),
        symbol('│', theme.dim(), ""),
    ];
    states.into_iter().flatten().collect()
}

/// The tabs, the chosen one reversed and in brackets.
pub(super) fn tabs(view: &View, area: Rect, buffer: &mut Buffer) {
    let theme = view.theme;
    // Names in full, in short, or their first letters.
    let room = match area.width {
        76.. => usize::MAX,
        49.. => 4,
        _ => usize::from(area.width / 6).saturating_sub(4).max(1),
    };
    let mut spans = Vec::new();
    for tab in Tab::ALL {
        let name: String = tab.name().chars().take(room).collect();
        let (open, close) = if tab == view.tab { ('[', ']') } else { (' ', ' ') };
        let style = if tab == view.tab { theme.chosen().patch(theme.bold()) } else { Style::new() };
        spans.push(Span::styled(format!("{open}{} {name}{close}", tab.key()), style));
    }
    both(spans, Vec::new(), area, buffer);
}
