//! Counts of the connections that match lists of indicators.

use std::sync::Arc;

use super::format::{count, grouped};
use connmon_record::{Connection, IndicatorList, Matching, Run};

/// The lists that connections were compared with, and how many match.
#[derive(Clone, Debug, Default)]
pub struct Indicators {
    lists: Vec<Arc<IndicatorList>>,
    /// Connections that match any list.
    pub connections: u64,
    by_list: Matching,
}

impl Indicators {
    /// Of the lists of these recordings, each once.
    pub fn from_runs(runs: &[Run]) -> Self {
        Self::of_lists(runs.iter().flat_map(|run| &run.lists))
    }

    /// Of these lists, each once.
    pub fn of_lists<'a>(all: impl IntoIterator<Item = &'a Arc<IndicatorList>>) -> Self {
        let mut lists: Vec<Arc<IndicatorList>> = Vec::new();
        for list in all {
            if !lists.contains(list) {
                lists.push(list.clone());
            }
        }
        Self { lists, ..Self::default() }
    }

    /// Counts a connection.
    pub fn add(&mut self, connection: &Connection) {
        self.connections += u64::from(!connection.hits.is_empty());
        for (nth, hit) in connection.hits.iter().enumerate() {
            // Several indicators of one list count once.
            if !connection.hits[..nth].iter().any(|other| other.list == hit.list) {
                *self.by_list.entry(hit.list.clone()).or_default() += 1;
            }
        }
    }

    /// Counts connections of which it is known how many match any list, and how many each.
    pub fn add_counted(&mut self, (connections, by_list): &(u64, Matching)) {
        self.connections += connections;
        for (list, count) in by_list {
            *self.by_list.entry(list.clone()).or_default() += count;
        }
    }

    /// Takes how many connections match, as a store counts them.
    #[must_use]
    pub fn counted(self, (connections, by_list): (u64, Matching)) -> Self {
        Self { connections, by_list, ..self }
    }

    /// The lists, each with the connections that match it.
    pub fn lists(&self) -> impl Iterator<Item = (&IndicatorList, u64)> {
        self.lists.iter().map(|list| (&**list, self.by_list.get(list).copied().unwrap_or(0)))
    }

    /// In a sentence; `None` where no list was ever asked.
    pub fn words(&self) -> Option<String> {
        if self.lists.is_empty() {
            return None;
        }
        let name = |list: &IndicatorList| list.name.shown().into_owned();
        if self.connections == 0 {
            let names: Vec<String> = self.lists.iter().map(|list| name(list)).collect();
            return Some(format!("no connection matches the indicator lists: {}", names.join(", ")));
        }
        let each: Vec<String> =
            self.lists().map(|(list, matching)| format!("{} ({})", name(list), grouped(matching))).collect();
        let connections = count(self.connections, "connection matches", "connections match");
        Some(format!("{connections} indicator lists: {}", each.join(", ")))
    }
}
