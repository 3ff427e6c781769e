//! Forgets what nobody needs any more, so that a live state does not grow with what there was.

use std::collections::HashSet;
use std::net::IpAddr;

use super::LiveState;

/// Unneeded processes and addresses are removed when there are this many more than twice the number needed at the last check.
const SLACK: usize = 1_000;

impl LiveState {
    /// Forgets connections that newer ones pushed out, and processes and names that nothing refers to any more. This comes before the next
    /// update is taken in: until then, everything in the last update can be looked up, however much that is.
    pub(super) fn forget(&mut self, gone: &mut Vec<i64>) {
        for (row, entry) in self.kept.push_out(self.keep) {
            self.steps -= entry.moved.rows().len();
            gone.push(self.id(row));
            self.pushed_out = Some(self.now);
        }
        if self.processes.len() > 2 * self.needed.processes + SLACK {
            let used = self.used();
            self.processes.retain(|row, _| used.contains(row));
            self.processes.shrink_to_fit();
            self.parents.retain(|row, _| used.contains(row));
            self.parents.shrink_to_fit();
            self.needed.processes = self.processes.len();
        }
        if self.of_addresses.len() > 2 * self.needed.addresses + SLACK {
            let used: HashSet<IpAddr> = self.kept.values().map(|entry| entry.row.remote.ip).collect();
            self.of_addresses.retain(|ip, _| used.contains(ip));
            self.of_addresses.shrink_to_fit();
            self.needed.addresses = self.of_addresses.len();
        }
    }

    /// Processes that something remembered names, and their ancestors.
    fn used(&self) -> HashSet<i64> {
        let mut used: HashSet<i64> = self.lookups.iter().filter_map(|lookup| lookup.process).collect();
        for entry in self.kept.values() {
            used.extend(entry.row.owner);
            used.extend(entry.moved.rows().iter().map(|moved| moved.process));
            used.extend(entry.names.iter().filter_map(|name| name.process));
        }
        let mut lines: Vec<i64> = used.iter().copied().collect();
        while let Some(row) = lines.pop() {
            if let Some(parent) = self.parents.get(&row)
                && used.insert(*parent)
            {
                lines.push(*parent);
            }
        }
        used
    }
}

/// The number of processes and addresses that were needed at the last check.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct NeededCounts {
    processes: usize,
    addresses: usize,
}

/// The amount of remembered data.
#[cfg(test)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    pub connections: usize,
    pub over: usize,
    pub steps: usize,
    pub processes: usize,
    pub parents: usize,
    pub addresses: usize,
}

#[cfg(test)]
impl LiveState {
    /// The amount of remembered data of each kind.
    pub(crate) fn sizes(&self) -> Sizes {
        Sizes {
            connections: self.kept.len(),
            over: self.kept.over(),
            steps: self.steps,
            processes: self.processes.len(),
            parents: self.parents.len(),
            addresses: self.of_addresses.len(),
        }
    }
}
