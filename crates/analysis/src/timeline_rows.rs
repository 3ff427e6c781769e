//! Remote addresses over time, in equal cells: the timeline of the text report, of the SVG and of the terminal.

use std::net::IpAddr;

use super::Window;
use super::groups::{GroupFigures, Groups};
use connmon_record::{Connection, Direction, End, Timestamp};

/// The state of a cell, most telling last: a cell shows the greatest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum TimelineCell {
    /// Nothing.
    #[default]
    Empty,
    /// This host only listened: what was open was called from outside and moved nothing yet.
    Listen,
    /// A connection was open.
    Active,
    /// A connection ended, and none was opened.
    Closed,
    /// A connection was opened.
    New,
}

impl TimelineCell {
    /// Its symbol.
    pub fn symbol(self) -> char {
        match self {
            Self::Empty => '·',
            Self::Listen => '○',
            Self::Active => '■',
            Self::Closed => '×',
            Self::New => '▲',
        }
    }
}

/// One remote address.
#[derive(Clone, Debug)]
pub struct TimelineRow {
    /// The address.
    pub ip: IpAddr,
    /// The states of the cells, from the window's start.
    pub cells: Vec<TimelineCell>,
    /// Connections and bytes.
    pub figures: GroupFigures,
    /// Whether a connection is still open.
    pub open: bool,
}

impl TimelineRow {
    /// The part of the time during which a connection was open, from 0 to 1.
    pub fn share(&self) -> f64 {
        let busy = self.cells.iter().filter(|cell| **cell != TimelineCell::Empty).count();
        busy as f64 / self.cells.len().max(1) as f64
    }
}

/// Collects timeline rows; memory grows with the addresses and the cells, not with the connections.
#[derive(Debug)]
pub struct TimelineRows {
    window: Window,
    cells: usize,
    timeline_rows: Groups<IpAddr, TimelineRow>,
}

impl TimelineRows {
    /// No connection yet; the window in so many cells.
    pub fn new(window: Window, cells: usize) -> Self {
        Self { window, cells: cells.max(1), timeline_rows: Groups::default() }
    }

    /// Nanoseconds of a cell.
    pub fn step_ns(&self) -> u64 {
        self.window.nanos().div_ceil(self.cells as u64).max(1)
    }

    /// Adds a connection; one that is open lasts to the window's end.
    pub fn add(&mut self, connection: &Connection) {
        let first = self.cell(connection.opened);
        let last = self.cell(connection.known_end().unwrap_or(self.window.to)).max(first);
        let within = connection.opened >= self.window.from;
        let figures = GroupFigures::from_connection(connection);
        let silent = connection.direction == Direction::In && figures.bytes() == 0;
        let cells = self.cells;
        let timeline_row = self.timeline_rows.row(connection.remote.ip, |&ip| TimelineRow {
            ip,
            cells: vec![TimelineCell::Empty; cells],
            figures: GroupFigures::default(),
            open: false,
        });
        timeline_row.figures += figures;
        timeline_row.open |= connection.is_open();
        let body =
            if silent && connection.end.is_none_or(|end| matches!(end, End::Unseen | End::RecordingEnded)) {
                TimelineCell::Listen
            } else {
                TimelineCell::Active
            };
        for cell in &mut timeline_row.cells[first..=last] {
            *cell = (*cell).max(body);
        }
        if connection.closed.is_some_and(|closed| closed <= self.window.to) {
            timeline_row.cells[last] = timeline_row.cells[last].max(TimelineCell::Closed);
        }
        if within {
            timeline_row.cells[first] = timeline_row.cells[first].max(TimelineCell::New);
        }
    }

    /// The cell of a moment.
    fn cell(&self, time: Timestamp) -> usize {
        let offset = u64::try_from(time.0.saturating_sub(self.window.from.0)).unwrap_or(0);
        usize::try_from(offset / self.step_ns()).unwrap_or(usize::MAX).min(self.cells - 1)
    }

    /// The timeline rows, most bytes first.
    pub fn finish(self) -> Vec<TimelineRow> {
        self.timeline_rows
            .ranked(|timeline_row| &timeline_row.figures)
            .into_iter()
            .map(|(_, timeline_row)| timeline_row)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use connmon_fixtures::{START, connection, process};

    #[test]
    fn a_lane_shows_openings_before_ends_before_what_is_open() {
        let from = Timestamp(START);
        let mut timeline_rows = TimelineRows::new(Window { from, to: Timestamp(START + 10_000) }, 10);
        let curl = process(1, 1, "curl");
        let mut add = |opened: i64, closed: Option<i64>| {
            let mut one = connection(1, 0, &curl, "8.8.8.8:443", 1, 1);
            one.opened = Timestamp(START + opened);
            one.closed = closed.map(|closed| Timestamp(START + closed));
            one.end = one.closed.map(|_| End::Fin);
            timeline_rows.add(&one);
        };
        add(1_000, Some(4_500));
        add(6_000, Some(6_100));
        add(8_000, None);
        let timeline_row = &timeline_rows.finish()[0];
        assert_eq!(timeline_row.cells.iter().map(|cell| cell.symbol()).collect::<String>(), "·▲■■×·▲·▲■");
        assert!(timeline_row.open && (timeline_row.share() - 0.7).abs() < 1e-9);
    }
}
