//! Records for other programs, one file a format.

pub mod audit;
pub mod connections;
mod csv;
