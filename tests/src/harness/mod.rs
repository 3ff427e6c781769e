//! Records the generator's traffic with connmon and compares the record with the truth, to the byte.
//!
//! Knows connmon by its command line and its exports only, and tolerates fields that later versions add.

pub mod audit;
pub mod compare;
mod diff;
pub mod expected;
pub mod groups;
mod host;
pub mod inexact;
pub mod mounted;
pub mod neighbour;
pub mod outcome;
pub mod programs;
pub mod record;
pub mod recorder;
pub mod results;
pub mod text;
pub mod whole;
