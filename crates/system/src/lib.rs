//! What connmon asks of the operating system: [`files`] that are written whole or not at all, [`memory`] that is given back, how
//! urgent a thread's work is ([`priority`]), and work that is done as the [`owner`] of a file.

pub mod files;
pub mod memory;
pub mod owner;
pub mod priority;
