//! What is shown of a record: [`report`]s for people, and [`export`]s for other programs.

pub mod export;
pub mod report;
