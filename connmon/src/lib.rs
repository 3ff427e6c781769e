//! connmon: the flight recorder for a Linux host's network.
//!
//! The library behind the `connmon` command. ARCHITECTURE.md has the code map; data flows one way:
//! capture → track → enrich → store → summary → report and export. What takes frames from the kernel and runs a recording,
//! `capture` and `daemon`, is there with the feature `record` only; all else reads stores and replays captures without it.

pub mod batch_writer;
#[cfg(feature = "record")]
pub mod capture;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
#[cfg(feature = "record")]
pub mod daemon;
pub mod enrich;
pub mod export;
pub mod files;
pub mod filter;
pub mod frame;
pub mod ioc;
mod layout;
pub mod live;
pub mod memory;
pub mod model;
pub mod report;
#[cfg(feature = "record")]
pub mod resolve;
pub mod rows;
pub mod rules;
pub mod sniff;
pub mod stderr;
pub mod store;
pub mod summary;
pub mod track;
