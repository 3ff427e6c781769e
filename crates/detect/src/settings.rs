//! Limits and periods of the engine.

use serde::{Deserialize, Serialize};

use connmon_record::HOUR_NS;

/// A day in nanoseconds.
pub(crate) const DAY_NS: i64 = 24 * HOUR_NS;

/// Limits and periods of the engine. The limits of memory go with the defaults: 64 MiB.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// How long the engine learns before it calls anything new, nanoseconds.
    pub learning_ns: i64,
    /// Groups (program, destination, direction) at most; the ones that were quiet longest are forgotten first.
    pub max_groups: usize,
    /// Start times that are kept for all groups together.
    pub max_samples: usize,
    /// Findings that are kept at most; further ones are counted.
    pub max_findings: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { learning_ns: 14 * DAY_NS, max_groups: 100_000, max_samples: 2_000_000, max_findings: 10_000 }
    }
}
