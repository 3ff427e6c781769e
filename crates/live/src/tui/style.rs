//! Styles: the terminal's own sixteen colours, or none, and never a colour alone.

use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier, Style};

use connmon_analysis::timeline_rows::TimelineCell;

/// What the terminal can show.
#[derive(Clone, Copy, Debug)]
pub(super) struct Theme {
    /// Colours are wanted.
    pub color: bool,
    /// ASCII only.
    pub ascii: bool,
}

impl Theme {
    fn coloured(self, color: Color, without: Modifier) -> Style {
        if self.color { Style::new().fg(color) } else { Style::new().add_modifier(without) }
    }

    /// Less important.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// More important.
    pub fn bold(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Heads of columns.
    pub fn head(self) -> Style {
        self.coloured(Color::Cyan, Modifier::UNDERLINED)
    }

    /// As it should be.
    pub fn good(self) -> Style {
        self.coloured(Color::Green, Modifier::empty())
    }

    /// Something was lost, or failed.
    pub fn bad(self) -> Style {
        self.coloured(Color::Red, Modifier::BOLD).add_modifier(Modifier::BOLD)
    }

    /// To be noticed.
    pub fn note(self) -> Style {
        self.coloured(Color::Yellow, Modifier::BOLD)
    }

    /// What is moving now.
    pub fn moving(self) -> Style {
        self.coloured(Color::Cyan, Modifier::BOLD)
    }

    /// The row or tab that is chosen.
    pub fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }

    /// A symbol of the timeline, in the colours that it always had.
    pub fn cell(self, cell: TimelineCell) -> Style {
        match cell {
            TimelineCell::New => self.coloured(Color::Green, Modifier::BOLD),
            TimelineCell::Active => self.coloured(Color::Blue, Modifier::empty()),
            TimelineCell::Listen => self.coloured(Color::Yellow, Modifier::empty()),
            TimelineCell::Closed => self.coloured(Color::Red, Modifier::empty()),
            TimelineCell::Empty => self.dim(),
        }
    }

    /// Bars from nothing to the most.
    pub fn bars(self) -> &'static [char] {
        if self.ascii {
            &[' ', '.', ':', '-', '=', '+', '*', '#', '@']
        } else {
            &[' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█']
        }
    }
}

/// A line of bars; the highest bar stands for the greatest step.
pub(super) fn bars(theme: Theme, steps: &[u64]) -> String {
    let bars = theme.bars();
    let most = steps.iter().copied().max().unwrap_or(0).max(1);
    let height = |step: u64| match step {
        0 => 0,
        // Whatever was moved can be seen.
        step => (step as f64 / most as f64 * 8.0).ceil().clamp(1.0, 8.0) as usize,
    };
    steps.iter().map(|step| bars[height(*step)]).collect()
}

/// Puts ASCII in the place of everything else that was drawn.
pub(super) fn to_ascii(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        if !cell.symbol().is_ascii() {
            let c = cell.symbol().chars().next().map_or(' ', ascii);
            cell.set_char(c);
        }
    }
}

fn ascii(c: char) -> char {
    match c {
        '·' | '•' => '.',
        '■' | '█' => '#',
        '▲' | '↑' | '◂' => '^',
        '▼' | '↓' => 'v',
        '○' | '●' => 'o',
        '◆' => '@',
        '×' => 'x',
        '→' | '▶' => '>',
        '←' | '◀' => '<',
        '…' => '~',
        '─' | '–' | '—' => '-',
        '│' => '|',
        '┌' | '┐' | '└' | '┘' | '├' | '┤' | '┬' | '┴' => '+',
        'µ' => 'u',
        '°' => '\'',
        '\u{a0}' | '\u{202f}' => ' ',
        _ => '?',
    }
}
