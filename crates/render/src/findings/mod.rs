//! What reports and exports say of findings in common.

mod object;
mod words;

pub use object::{FindingObject, FindingsObject};
pub use words::{counts, figure_words, host_of, more_words, notes, period, title};
