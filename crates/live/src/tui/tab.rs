//! What the terminal can show, and what keys are for at the moment.

/// What the screen shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Connections,
    Processes,
    Destinations,
    Map,
    Timeline,
    Listening,
}

impl Tab {
    /// In their order; the last has a key of its own.
    pub const ALL: [Self; 6] =
        [Self::Connections, Self::Processes, Self::Destinations, Self::Map, Self::Timeline, Self::Listening];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Connections => "Connections",
            Self::Processes => "Processes",
            Self::Destinations => "Destinations",
            Self::Map => "Map",
            Self::Timeline => "Timeline",
            Self::Listening => "Listening",
        }
    }

    /// The key that shows it.
    pub fn key(self) -> char {
        match self {
            Self::Listening => 'l',
            tab => char::from(b'1' + tab as u8),
        }
    }
}

/// What keys are for.
#[derive(Debug, PartialEq)]
pub(super) enum Mode {
    /// The tab.
    Table,
    /// An expression is typed.
    Filter(Input),
    /// Everything of a row; the first line that is seen.
    Detail(usize),
    /// What is worth a look; the finding that is chosen.
    Findings(usize),
    /// The keys; the first line that is seen.
    Help(usize),
}

/// A line that is typed.
#[derive(Debug, PartialEq)]
pub(super) struct Input {
    /// What was typed.
    pub text: String,
    /// The byte before which the next character comes.
    pub at: usize,
    /// What is wrong with it, or how many connections fit.
    pub verdict: Result<u64, String>,
}

/// What is to be done about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Nothing has changed.
    Nothing,
    /// Draw.
    Draw,
    /// End.
    Quit,
}
