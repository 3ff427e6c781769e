//! What connmon asks of the operating system: [`files`] that are written whole or not at all, [`memory`] that is given back, how
//! urgent a thread's work is ([`priority`]), work that is done as the [`owner`] of a file, and which of the system's [`packages`] a file belongs to.

pub mod files;
pub mod memory;
pub mod owner;
pub mod packages;
pub mod priority;
