//! The state and what draws it.

use std::ops::{Deref, DerefMut};

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::map::Outlines;
use super::view::View;
use super::{Options, draw, rows};

/// What runs in the terminal.
pub(super) struct App {
    view: View,
    outlines: Outlines,
}

impl Deref for App {
    type Target = View;

    fn deref(&self) -> &View {
        &self.view
    }
}

impl DerefMut for App {
    fn deref_mut(&mut self) -> &mut View {
        &mut self.view
    }
}

impl App {
    pub fn new(options: Options) -> Self {
        Self { view: View::new(options), outlines: Outlines::default() }
    }

    /// Draws everything.
    pub fn draw(&mut self, frame: &mut Frame<'_>) {
        let area = frame.area();
        let cursor = self.paint(area, frame.buffer_mut());
        if let Some(cursor) = cursor {
            frame.set_cursor_position(cursor);
        }
    }

    /// Draws everything into a buffer; where the cursor is, if there is one.
    fn paint(&mut self, area: Rect, buffer: &mut Buffer) -> Option<(u16, u16)> {
        self.beat += 1;
        self.page = draw::page(&self.view, area);
        self.width_now = area.width;
        self.view.look();
        let rows = rows::collect(&self.view);
        self.view.show(rows);
        let cursor = draw::screen(&mut self.view, &mut self.outlines, area, buffer);
        if self.theme.ascii {
            super::style::to_ascii(buffer);
        }
        cursor
    }
}
