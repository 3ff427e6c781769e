//! What each key does.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::sums::DestinationGrouping;
use super::tab::{Action, Input, Mode, Tab};
use super::view::View;
use connmon_filter::Filter;

impl View {
    /// Does what a key is for.
    pub fn key(&mut self, key: KeyEvent) -> Action {
        if key.kind == KeyEventKind::Release {
            return Action::Nothing;
        }
        self.message = None;
        if key.modifiers.contains(KeyModifiers::ALT) {
            // Terminals send the same for Alt with a key as for Escape followed by the key; the latter is assumed.
            self.key(KeyCode::Esc.into());
            return self.key(KeyEvent { modifiers: key.modifiers - KeyModifiers::ALT, ..key });
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && key.code == KeyCode::Char('c') {
            return Action::Quit;
        }
        match std::mem::replace(&mut self.mode, Mode::Table) {
            Mode::Filter(input) => self.key_of_filter(input, key.code, control),
            Mode::Help(line) => {
                self.mode = Mode::Help(line);
                self.key_of_text(key.code)
            }
            Mode::Detail(line) => {
                self.mode = Mode::Detail(line);
                self.key_of_text(key.code)
            }
            Mode::Findings(chosen) => {
                self.mode = Mode::Findings(chosen);
                self.key_of_findings(chosen, key.code)
            }
            Mode::Table => self.key_of_table(key.code, control),
        }
    }

    /// Text was pasted.
    pub fn paste(&mut self, text: &str) {
        let now = self.live().now();
        if let Mode::Filter(input) = &mut self.mode {
            for c in text.chars().filter(|c| !c.is_control()) {
                input.insert(c);
            }
            let typed = Filter::parse(&input.text, now);
            let verdict = typed.map_err(|error| error.to_string()).map(|typed| self.would_fit(&typed));
            if let Mode::Filter(input) = &mut self.mode {
                input.verdict = verdict;
            }
        }
    }

    fn key_of_table(&mut self, key: KeyCode, control: bool) -> Action {
        let page = self.page.max(1);
        let index = self.list().index();
        match key {
            KeyCode::Char('q') => return Action::Quit,
            KeyCode::Char('?') | KeyCode::F(1) => self.mode = Mode::Help(0),
            KeyCode::Tab | KeyCode::Right => self.turn_to(1),
            KeyCode::BackTab | KeyCode::Left => self.turn_to(Tab::ALL.len() - 1),
            KeyCode::Char(c @ '1'..='5') => self.tab = Tab::ALL[c as usize - '1' as usize],
            KeyCode::Char('l') => self.tab = Tab::Listening,
            KeyCode::Char('n') => self.mode = Mode::Findings(0),
            KeyCode::Char('m') => self.tab = Tab::Map,
            KeyCode::Char('d') if control => self.select(index.saturating_add(page / 2)),
            KeyCode::Char('u') if control => self.select(index.saturating_sub(page / 2)),
            KeyCode::Down | KeyCode::Char('j') => self.select(index.saturating_add(1)),
            KeyCode::Up | KeyCode::Char('k') => self.select(index.saturating_sub(1)),
            KeyCode::PageDown | KeyCode::Char(' ') => self.select(index.saturating_add(page)),
            KeyCode::PageUp => self.select(index.saturating_sub(page)),
            KeyCode::Home | KeyCode::Char('g') => self.lists[self.tab as usize].home(),
            KeyCode::End | KeyCode::Char('G') => self.select(usize::MAX),
            KeyCode::Enter if self.chosen().is_some() => {
                self.select(index);
                self.mode = Mode::Detail(0);
            }
            KeyCode::Char('/') => {
                let text = self.typed.text().to_owned();
                let verdict = Ok(self.would_fit(&self.typed));
                self.mode = Mode::Filter(Input { at: text.len(), text, verdict });
            }
            KeyCode::Esc if !self.typed.is_everything() => self.choose(Filter::default()),
            KeyCode::Char('s') => self.sort_by(false),
            KeyCode::Char('S') => self.sort_by(true),
            KeyCode::Char('a') if self.tab == Tab::Destinations => {
                self.by = match self.by {
                    DestinationGrouping::Organisation => DestinationGrouping::Country,
                    DestinationGrouping::Country => DestinationGrouping::Address,
                    DestinationGrouping::Address => DestinationGrouping::Organisation,
                };
            }
            KeyCode::Char('a') => {
                self.grouped = !self.grouped;
                self.tab = Tab::Connections;
            }
            KeyCode::Char('P') => self.pause(),
            KeyCode::Char('F') => self.orders.turn(),
            KeyCode::Char('t') => self.items.open_only = !self.items.open_only,
            KeyCode::Char('d') => self.names = !self.names,
            KeyCode::Char('p') => self.ports = !self.ports,
            KeyCode::Char('w') => self.save(),
            KeyCode::Char('+' | '=') => self.pace(true),
            KeyCode::Char('-') => self.pace(false),
            _ => return Action::Nothing,
        }
        Action::Draw
    }

    /// The tab after so many others.
    fn turn_to(&mut self, steps: usize) {
        self.tab = Tab::ALL[(self.tab as usize + steps) % Tab::ALL.len()];
    }

    fn select(&mut self, index: usize) {
        self.lists[self.tab as usize].choose(index, &self.rows);
    }

    fn sort_by(&mut self, turn: bool) {
        let sort = &mut self.sorts[self.tab as usize];
        if turn {
            sort.turn();
        } else {
            sort.next();
        }
        if self.orders.frozen() {
            self.orders.turn();
        }
    }

    /// Handles a key while the help or the details are shown.
    fn key_of_text(&mut self, key: KeyCode) -> Action {
        let page = self.page.max(1);
        let (Mode::Help(line) | Mode::Detail(line)) = &mut self.mode else { return Action::Nothing };
        match key {
            KeyCode::Down | KeyCode::Char('j') => *line = line.saturating_add(1),
            KeyCode::Up | KeyCode::Char('k') => *line = line.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => *line = line.saturating_add(page),
            KeyCode::PageUp => *line = line.saturating_sub(page),
            KeyCode::Home | KeyCode::Char('g') => *line = 0,
            KeyCode::End | KeyCode::Char('G') => *line = usize::MAX,
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q' | '?') => self.mode = Mode::Table,
            // These keys leave the text, and do what they do in the table.
            KeyCode::Tab | KeyCode::BackTab | KeyCode::Char('1'..='5' | 'l' | 'm' | '/') => {
                self.mode = Mode::Table;
                return self.key_of_table(key, false);
            }
            KeyCode::Char('P' | 'w' | 'd' | 'p' | '+' | '-') => {
                let mode = std::mem::replace(&mut self.mode, Mode::Table);
                let action = self.key_of_table(key, false);
                self.mode = mode;
                return action;
            }
            _ => return Action::Nothing,
        }
        Action::Draw
    }

    fn key_of_filter(&mut self, mut input: Input, key: KeyCode, control: bool) -> Action {
        match key {
            KeyCode::Esc => {
                self.choose(Filter::default());
                return Action::Draw;
            }
            KeyCode::Enter => match Filter::parse(&input.text, self.live().now()) {
                Ok(typed) => {
                    self.choose(typed);
                    return Action::Draw;
                }
                Err(error) => input.verdict = Err(error.to_string()),
            },
            _ => {
                if input.edit(key, control) {
                    let typed = Filter::parse(&input.text, self.live().now());
                    input.verdict =
                        typed.map_err(|error| error.to_string()).map(|typed| self.would_fit(&typed));
                }
            }
        }
        self.mode = Mode::Filter(input);
        Action::Draw
    }
}

impl Input {
    fn insert(&mut self, c: char) {
        // No expression needs more, and every one is read anew with each key.
        if self.text.len() < 4_096 {
            self.text.insert(self.at, c);
            self.at += c.len_utf8();
        }
    }

    /// Whether the text has changed.
    fn edit(&mut self, key: KeyCode, control: bool) -> bool {
        let before = self.text[..self.at].chars().next_back().map_or(0, char::len_utf8);
        let after = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
        match key {
            KeyCode::Char('u') if control => {
                self.text.drain(..self.at);
                self.at = 0;
            }
            KeyCode::Char('w') if control => {
                let kept = self.text[..self.at].trim_end();
                let start = kept.rfind(' ').map_or(0, |space| space + 1);
                self.text.drain(start..self.at);
                self.at = start;
            }
            KeyCode::Char('a') if control => self.at = 0,
            KeyCode::Char('e') if control => self.at = self.text.len(),
            KeyCode::Char(c) if !control => self.insert(c),
            KeyCode::Backspace => {
                self.text.drain(self.at - before..self.at);
                self.at -= before;
            }
            KeyCode::Delete => {
                self.text.drain(self.at..self.at + after);
            }
            KeyCode::Left => self.at -= before,
            KeyCode::Right => self.at += after,
            KeyCode::Home => self.at = 0,
            KeyCode::End => self.at = self.text.len(),
            _ => {}
        }
        !matches!(key, KeyCode::Left | KeyCode::Right | KeyCode::Home | KeyCode::End)
    }
}
