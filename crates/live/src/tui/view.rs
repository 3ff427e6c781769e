//! The state behind the screen. Updates and keys change it; nothing here knows a terminal, a clock, or who draws it.

use std::time::Duration;

use super::items::Items;
use super::list::{FrozenOrders, ListCursor, ListRow, SortOrder};
use super::style::Theme;
use super::sums::DestinationGrouping;
use super::tab::{Mode, Tab};
use super::{Options, Save};
use crate::{LiveState, Update};
use connmon_filter::Filter;

/// How often the screen may be drawn.
const REFRESH: [u64; 6] = [250, 500, 1_000, 2_000, 5_000, 10_000];

/// What the terminal shows, for whatever draws a part of it.
pub(super) struct View {
    pub theme: Theme,
    /// Nanoseconds of a cell of the timeline.
    pub cell: i64,
    pub width: Option<u16>,
    save: Save,
    live: LiveState,
    /// What is shown while the display is paused.
    paused: Option<Box<LiveState>>,
    /// Updates since then.
    pub waiting: u64,
    pub items: Items,
    /// The filter of the command line, if it is not a text that could be typed.
    base: Filter,
    /// What was typed.
    pub typed: Filter,
    /// Both.
    filter: Filter,
    pub tab: Tab,
    pub mode: Mode,
    pub lists: [ListCursor; 6],
    pub sorts: [SortOrder; 6],
    pub orders: FrozenOrders,
    pub rows: Vec<ListRow>,
    /// Rows of the table that can be seen, as of the last drawing.
    pub page: usize,
    /// Columns of the screen, as of the last drawing.
    pub width_now: u16,
    pub names: bool,
    pub ports: bool,
    pub grouped: bool,
    pub by: DestinationGrouping,
    refresh: usize,
    /// Counts drawings; moving dots follow it.
    pub beat: u64,
    /// What was done, and whether it went well; until the next key.
    pub message: Option<Result<String, String>>,
    /// Why no more updates come.
    pub over: Option<String>,
}

impl View {
    pub fn new(options: Options) -> Self {
        let Options { cell, width, filter, color, ascii, refresh, keep, save, stop: _ } = options;
        let rates = true;
        // A filter that could have been typed can be changed; another stays.
        let again = Filter::parse(filter.text(), connmon_record::Timestamp(0));
        let (base, typed) = if again.is_ok() {
            (Filter::default(), filter.clone())
        } else {
            (filter.clone(), Filter::default())
        };
        let refresh_ms = refresh.as_millis();
        Self {
            theme: Theme { color, ascii },
            cell: i64::try_from(cell.as_nanos())
                .unwrap_or(i64::MAX / 1_000)
                .clamp(1_000_000, i64::MAX / 1_000),
            width,
            save,
            live: LiveState::new(keep, rates),
            paused: None,
            waiting: 0,
            items: Items::default(),
            base,
            typed,
            filter,
            tab: Tab::Connections,
            mode: Mode::Table,
            lists: Default::default(),
            sorts: Default::default(),
            orders: FrozenOrders::default(),
            rows: Vec::new(),
            page: 1,
            width_now: 80,
            names: true,
            ports: false,
            grouped: false,
            by: DestinationGrouping::default(),
            refresh: REFRESH.iter().position(|ms| u128::from(*ms) >= refresh_ms).unwrap_or(REFRESH.len() - 1),
            beat: 0,
            message: None,
            over: None,
        }
    }

    /// What is shown.
    pub fn live(&self) -> &LiveState {
        self.paused.as_deref().unwrap_or(&self.live)
    }

    /// Whether the display stands still.
    pub fn is_paused(&self) -> bool {
        self.paused.is_some()
    }

    /// Whether the recording ended in order.
    pub fn has_ended(&self) -> bool {
        self.live.has_ended()
    }

    /// What is chosen of all connections.
    pub fn filter(&self) -> &Filter {
        &self.filter
    }

    /// How long the screen stays as it is without a key.
    pub fn refresh(&self) -> Duration {
        Duration::from_millis(REFRESH[self.refresh])
    }

    /// Draws more often, or less.
    pub fn pace(&mut self, faster: bool) {
        let last = REFRESH.len() - 1;
        self.refresh = if faster { self.refresh.saturating_sub(1) } else { (self.refresh + 1).min(last) };
        let every =
            connmon_analysis::format::duration(REFRESH[self.refresh] * 1_000_000).replace('\u{a0}', " ");
        self.message = Some(Ok(format!("The screen is drawn every {every}.")));
    }

    /// Takes in what a recorder told.
    pub fn update(&mut self, update: &Update) {
        let changes = self.live.apply(update);
        if self.paused.is_some() {
            self.waiting += 1;
        } else {
            self.items.apply_changes(&self.live, &changes, &self.filter);
        }
    }

    /// No more updates come; why, in words.
    pub fn gone(&mut self, why: String) {
        let changes = self.live.cut_off();
        if self.paused.is_none() {
            self.items.apply_changes(&self.live, &changes, &self.filter);
        }
        self.over = Some(why);
    }

    /// Stops the display, not the recording; or lets it go on.
    pub fn pause(&mut self) {
        if self.paused.take().is_some() {
            self.waiting = 0;
            self.items.rebuild(&self.live, &self.filter);
        } else {
            // What came since the last drawing has no rates yet.
            self.items.refresh(&self.live, &self.filter);
            self.paused = Some(Box::new(self.live.clone()));
        }
    }

    /// Chooses connections by what was typed.
    pub fn choose(&mut self, typed: Filter) {
        self.filter = self.base.clone().and(typed.clone());
        self.typed = typed;
        let now = self.live().now();
        self.items.apply_filter(&self.filter, now);
        self.orders = FrozenOrders::default();
    }

    /// How many connections another expression would choose.
    pub fn would_fit(&self, typed: &Filter) -> u64 {
        self.items.count(&self.base.clone().and(typed.clone()), self.live().now())
    }

    /// Writes the report of what is shown.
    pub fn save(&mut self) {
        let saved = (self.save)(self.live(), &self.filter);
        self.message = Some(match saved {
            Ok(path) => Ok(format!("Report of this view written to {}.", path.display())),
            Err(why) => Err(format!("Report not written: {why}")),
        });
    }

    /// Brings up to date what the rows are made of, unless the display is paused.
    pub fn look(&mut self) {
        if self.paused.is_none() {
            self.items.refresh(&self.live, &self.filter);
        }
    }

    /// Takes the rows of the tab, as they are now.
    pub fn show(&mut self, mut rows: Vec<ListRow>) {
        self.orders.keep(self.tab, &mut rows);
        self.rows = rows;
        let (page, all) = (self.page, self.live().is_complete());
        self.lists[self.tab as usize].follow(&self.rows, page, all);
    }

    /// The list of the tab.
    pub fn list(&self) -> &ListCursor {
        &self.lists[self.tab as usize]
    }

    /// The row that is chosen.
    pub fn chosen(&self) -> Option<&ListRow> {
        self.rows.get(self.list().index())
    }

    /// The order of the tab's rows.
    pub fn sort(&self) -> SortOrder {
        self.sorts[self.tab as usize]
    }
}
