//! connmon: the flight recorder for a Linux host's network.
//!
//! The library behind the `connmon` command. ARCHITECTURE.md has the code map; data flows one way:
//! capture → track → enrich → store → summary → report and export.

pub mod capture;
pub mod cli;
pub mod commands;
pub mod config;
pub mod daemon;
pub mod enrich;
pub mod export;
pub mod files;
pub mod filter;
pub mod ioc;
pub mod live;
pub mod memory;
pub mod model;
pub mod report;
pub mod resolve;
pub mod rules;
pub mod sniff;
pub mod stderr;
pub mod store;
pub mod summary;
pub mod track;
