//! Cgroups by their ids.

use std::collections::HashMap;

use connmon_ebpf::CgroupRecord;

use connmon_record::{Untrusted, Workload, from_bytes};

/// Cgroups whose paths are remembered.
const MAX_CGROUPS: usize = 65_536;

/// Cgroups by their ids: the path, and what it tells.
#[derive(Default)]
pub struct Cgroups {
    known: HashMap<u64, (Untrusted, Workload)>,
    /// What had to be forgotten early, for want of room.
    pub evicted: u64,
}

impl Cgroups {
    /// A cgroup came to be.
    pub fn insert(&mut self, record: &CgroupRecord) {
        if self.known.len() >= MAX_CGROUPS {
            self.evicted += self.known.len() as u64;
            self.known.clear();
        }
        let used = &record.path[..(record.path_len as usize).min(record.path.len())];
        let path = from_bytes(used);
        let place = Workload::of_cgroup(&path);
        self.known.insert(record.id, (path.into(), place));
    }

    /// The path of a cgroup, and what it tells.
    pub fn get(&self, id: u64) -> (Untrusted, Workload) {
        self.known.get(&id).cloned().unwrap_or_default()
    }
}
