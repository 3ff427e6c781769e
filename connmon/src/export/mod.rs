//! Records for other programs, one file a format.

pub mod audit;
pub mod completeness;
pub mod connections;
mod csv;
pub mod lookups;
mod process;
pub mod show;
pub mod text;
