//! connmon: the flight recorder for a Linux host's network.
//!
//! The library behind the `connmon` command. ARCHITECTURE.md has the code map; data flows one way:
//! capture → track → enrich → store → summary → report and export. What takes frames from the kernel and runs a recording,
//! `capture` and `daemon`, is there with the feature `record` only; all else reads stores and replays captures without it.

pub mod alert;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
#[cfg(feature = "record")]
pub mod daemon;
pub mod follow;
pub mod indexer;
pub mod journal;
pub mod ownership;
pub mod pager;
#[cfg(feature = "record")]
pub mod resolve;
pub mod stderr;
