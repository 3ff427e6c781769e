//! Cgroups by their ids.

use std::collections::HashMap;

use connmon_ebpf::CgroupRecord;

use serde::{Deserialize, Serialize};

use connmon_record::untrusted::exact;
use connmon_record::{Untrusted, Workload, from_bytes};

/// Cgroups whose paths are remembered.
const MAX_CGROUPS: usize = 65_536;

/// The path of a cgroup, and what it tells.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Cgroup {
    #[serde(serialize_with = "exact")]
    path: Untrusted,
    workload: Workload,
}

/// Cgroups by their ids.
#[derive(Default, Serialize, Deserialize)]
pub struct Cgroups {
    known: HashMap<u64, Cgroup>,
    /// The number of cgroups that were forgotten early for want of room.
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
        let workload = Workload::of_cgroup(&path);
        self.known.insert(record.id, Cgroup { path: path.into(), workload });
    }

    /// The path of a cgroup, and what it tells.
    pub fn get(&self, id: u64) -> (Untrusted, Workload) {
        let Cgroup { path, workload } = self.known.get(&id).cloned().unwrap_or_default();
        (path, workload)
    }
}
