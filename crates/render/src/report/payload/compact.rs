//! Removes dictionary entries that no row refers to any more. Dictionaries that stay small however many connections there are (protocols,
//! services, labels, reasons) are kept whole.

use std::collections::HashMap;
use std::hash::Hash;

use super::dictionary::{Dictionaries, Dictionary, Entry, NameEntry, Remote};

/// The places that entries get, in the order in which they are asked for.
struct Places {
    new: Vec<Option<u32>>,
    /// The old places, by the new ones.
    old: Vec<u32>,
}

impl Places {
    fn new(entries: usize) -> Self {
        Self { new: vec![None; entries], old: Vec::new() }
    }

    /// The new place of an entry, and whether it is the first time that it is asked for.
    fn place(&mut self, old: u32) -> (u32, bool) {
        let Some(new) = self.new.get_mut(old as usize) else { return (old, false) };
        let next = u32::try_from(self.old.len()).unwrap_or(u32::MAX);
        match new {
            Some(new) => (*new, false),
            None => {
                self.old.push(old);
                (*new.insert(next), true)
            }
        }
    }

    /// Entries in their new order.
    fn sorted<T>(&self, entries: Vec<T>) -> Vec<T> {
        let mut entries: Vec<Option<T>> = entries.into_iter().map(Some).collect();
        self.old.iter().filter_map(|old| entries.get_mut(*old as usize)?.take()).collect()
    }

    /// A dictionary with entries in their new order.
    fn applied<K: Eq + Hash, V>(&self, of: Dictionary<K, V>) -> Dictionary<K, V> {
        let Dictionary { places, entries } = of;
        let moved = |(key, old): (K, u32)| Some((key, self.new.get(old as usize).copied().flatten()?));
        let places: HashMap<K, u32> = places.into_iter().filter_map(moved).collect();
        Dictionary { places, entries: self.sorted(entries) }
    }
}

/// Dictionaries that lose what nobody asks for.
pub(super) struct Compacted {
    all: Dictionaries,
    processes: Places,
    locals: Places,
    remotes: Places,
    names: Places,
    hits: Places,
}

impl Dictionaries {
    /// Takes out all entries; those that are asked for come back.
    pub(super) fn compact(&mut self) -> Compacted {
        let all = std::mem::replace(self, Self::new(&[]));
        let mut compacted = Compacted {
            processes: Places::new(all.processes.entries.len()),
            locals: Places::new(all.locals.entries.len()),
            remotes: Places::new(all.remotes.len()),
            names: Places::new(all.names.entries.len()),
            hits: Places::new(all.hits.entries.len()),
            all,
        };
        // The first stand for none.
        compacted.names(0);
        compacted.hits(0);
        compacted
    }
}

impl Compacted {
    /// The new place of a process; its ancestors come before it.
    pub(super) fn process(&mut self, old: u32) -> u32 {
        if let Some(Some(new)) = self.processes.new.get(old as usize) {
            return *new;
        }
        let parent = self.all.processes.entries.get(old as usize).and_then(|entry| entry.parent);
        if let Some(parent) = parent {
            self.process(parent);
        }
        self.processes.place(old).0
    }

    /// The new place of a local address.
    pub(super) fn local(&mut self, old: u32) -> u32 {
        self.locals.place(old).0
    }

    /// The new place of a remote address.
    pub(super) fn remote(&mut self, old: u32) -> u32 {
        self.remotes.place(old).0
    }

    /// The new place of a set of names; the processes that asked for them get places as well.
    pub(super) fn names(&mut self, old: u32) -> u32 {
        let (new, first) = self.names.place(old);
        if first {
            let set = self.all.names.entries.get(old as usize).into_iter().flatten();
            let processes: Vec<u32> = set.filter_map(|name| name.process).collect();
            for process in processes {
                self.process(process);
            }
        }
        new
    }

    /// The new place of a set of hits.
    pub(super) fn hits(&mut self, old: u32) -> u32 {
        self.hits.place(old).0
    }

    /// What was asked for.
    pub(super) fn finish(self) -> Dictionaries {
        let Self { mut all, processes, locals, remotes, names, hits } = self;
        let process = |old: u32| processes.new.get(old as usize).copied().flatten().unwrap_or(old);
        all.processes = processes.applied(all.processes);
        for Entry { parent, .. } in &mut all.processes.entries {
            *parent = parent.map(process);
        }
        all.locals = locals.applied(all.locals);
        all.remotes = remotes.sorted(all.remotes);
        all.remote_places = HashMap::new();
        for (place, Remote { ip, .. }) in (0..).zip(&all.remotes) {
            all.remote_places.entry(*ip).or_default().push(place);
        }
        let mut sets = names.sorted(all.names.entries);
        for NameEntry { process: asked, .. } in sets.iter_mut().flatten() {
            *asked = asked.map(process);
        }
        all.names = Dictionary::of_entries(sets);
        all.hits = hits.applied(all.hits);
        all
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Payload;
    use super::super::dictionary::NameEntry;
    use connmon_record::{Connection, Facts, Name, NameSource, Process, ProcessId, Timestamp};

    /// The connection of a number: it shares nothing with others but its local address and, with a few, its parent.
    fn numbered(number: i64) -> Connection {
        let process = |pid, comm: &str, parent| {
            Arc::new(Process {
                id: ProcessId { pid, start_ns: 1 },
                comm: comm.into(),
                parent,
                ..Process::default()
            })
        };
        let parent = process(1, "init", None);
        let owner = process(number as u32, &format!("own-{number}"), Some(parent.clone()));
        let other = process(100_000 + number as u32, &format!("other-{number}"), Some(parent));
        let mut facts = Facts { opened: Timestamp(number), ..Facts::default() };
        facts.remote.ip = [10, (number >> 16) as u8, (number >> 8) as u8, number as u8].into();
        let mut connection = Connection { id: number, facts, owner: Some(owner), ..Connection::default() };
        // Every fifth moves much.
        connection.add_share(&other, [if number % 5 == 0 { 1_000_000 + number as u64 } else { 1 }, 0, 1, 0]);
        connection.names = vec![Name {
            name: format!("host-{number}.example").into(),
            source: NameSource::Dns,
            process: Some(other),
            time: Timestamp(number),
        }];
        connection
    }

    #[test]
    fn a_page_keeps_what_its_rows_refer_to_and_nothing_else() {
        let mut payload = Payload::new(&[], 600);
        for number in 1..=6_000 {
            payload.add(1, &numbered(number));
        }
        payload.prune();
        let all = &payload.dictionaries;
        assert_eq!(payload.rows.len(), 600);
        // Owner and other of each, with a parent each pair; the first set of names is none.
        assert_eq!((all.remotes().len(), all.name_sets().len(), all.processes().len()), (600, 601, 3 * 600));
        for row in &payload.rows {
            let comm = |place: u32| all.processes()[place as usize].process.comm.raw().to_owned();
            let parent = all.processes()[row.owner as usize - 1].parent.unwrap();
            let [NameEntry { name, process, .. }] = all.name_sets()[row.names as usize].as_slice() else {
                panic!("one name each")
            };
            let share = payload.shares[&row.id][0].process;
            let told =
                (comm(row.owner - 1), comm(parent), comm(share), process.map(comm), name.raw().to_owned());
            let (id, other) = (row.id, format!("other-{}", row.id));
            let own = format!("own-{id}");
            assert_eq!(told, (own, "init".into(), other.clone(), Some(other), format!("host-{id}.example")));
            assert_eq!(all.remotes()[row.remote as usize].ip, numbered(id).remote.ip);
        }
        // What comes again finds its entry.
        payload.add(1, &numbered(6_000));
        assert_eq!(payload.dictionaries.remotes().len(), 600);
    }
}
