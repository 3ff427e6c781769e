//! What connmon asks of the operating system: [`files`] that are written whole or not at all, and [`memory`] that is given back.

pub mod files;
pub mod memory;
