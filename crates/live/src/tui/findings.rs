//! The list of what is worth a look, from which the connections of a finding are shown.

use ratatui::buffer::Buffer;
use ratatui::crossterm::event::KeyCode;
use ratatui::layout::Rect;

use super::tab::{Action, Mode, Tab};
use super::table::put;
use super::text::{cut, sanitized};
use super::view::View;
use connmon_detect::{Finding, Severity};

/// Lines of a finding in the list.
const LINES: u16 = 2;

/// Draws the list; the finding that is chosen, which is there.
pub(super) fn draw(view: &View, chosen: usize, area: Rect, buffer: &mut Buffer) -> usize {
    let findings = &view.live().findings().findings;
    let chosen = chosen.min(findings.len().saturating_sub(1));
    if findings.is_empty() {
        put(buffer, area.x, area.y, area.width, "Nothing is worth a look so far.", view.theme.dim());
        return chosen;
    }
    let room = usize::from((area.height / LINES).max(1));
    let first = chosen.saturating_sub(room - 1);
    for (at, finding) in findings.iter().enumerate().skip(first).take(room) {
        let y = area.y + LINES * u16::try_from(at - first).unwrap_or(0);
        let style = match finding.severity {
            Severity::High | Severity::Medium => view.theme.bad(),
            Severity::Low => view.theme.note(),
            Severity::Info => view.theme.dim(),
        };
        let style = if at == chosen { style.patch(view.theme.chosen()) } else { style };
        put(buffer, area.x, y, area.width, &cut(&title(finding), area.width.into()), style);
        if y + 1 < area.bottom() {
            let more = format!("         {}", sanitized(&finding.evidence));
            put(buffer, area.x, y + 1, area.width, &cut(&more, area.width.into()), view.theme.dim());
        }
    }
    chosen
}

fn title(finding: &Finding) -> String {
    let known = if finding.acknowledged.is_some() { " (seen)" } else { "" };
    format!("{:<8} {}{known}", finding.severity.name().to_uppercase(), sanitized(&finding.what))
}

impl View {
    /// A key while the list is shown.
    pub(super) fn key_of_findings(&mut self, chosen: usize, key: KeyCode) -> Action {
        let last = self.live().findings().findings.len().saturating_sub(1);
        let page = (self.page / usize::from(LINES)).max(1);
        self.mode = Mode::Findings(match key {
            KeyCode::Down | KeyCode::Char('j') => (chosen + 1).min(last),
            KeyCode::Up | KeyCode::Char('k') => chosen.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => (chosen + page).min(last),
            KeyCode::PageUp => chosen.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            KeyCode::Enter => {
                self.jump_to(chosen);
                return Action::Draw;
            }
            KeyCode::Esc | KeyCode::Char('q' | 'n') => {
                self.mode = Mode::Table;
                return Action::Draw;
            }
            _ => return Action::Nothing,
        });
        Action::Draw
    }

    /// Shows the connections of a finding.
    fn jump_to(&mut self, chosen: usize) {
        let now = self.live().now();
        let finding = self.live().findings().findings.get(chosen);
        let filter = finding.and_then(|finding| finding.filter(now).ok());
        self.mode = Mode::Table;
        match filter {
            Some(filter) => {
                self.tab = Tab::Connections;
                self.choose(filter);
            }
            None => self.message = Some(Err("its connections cannot be asked for".to_owned())),
        }
    }
}
