//! What is shown of a record: [`report`]s for people, and [`export`]s for other programs; both say the same of [`findings`].

pub mod export;
pub mod findings;
pub mod report;
