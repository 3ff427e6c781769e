//! connmon: the flight recorder for a Linux host's network.
//!
//! The library behind the `connmon` command. ARCHITECTURE.md has the code map; data flows one way:
//! capture → track → enrich → store → summary → report and export.

pub mod enrich;
pub mod model;
pub mod report;
pub mod summary;
