//! What connmon asks of the operating system: [`files`] that are written whole or not at all, [`memory`] that is given back, and how
//! urgent a thread's work is ([`priority`]).

pub mod files;
pub mod memory;
pub mod priority;
