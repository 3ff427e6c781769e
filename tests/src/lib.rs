//! Traffic with known truth, and the harness that compares connmon's record with it.
//!
//! Truth before code: [`cases`] make real connections from real processes, each of which counts what its own
//! system calls returned ([`stage`]); the sums leave as one JSON object a case ([`truth`]). [`harness`] records the
//! same traffic with connmon and compares to the byte. Nothing here reads connmon's code: both meet at its command
//! line and its exports only.
//!
//! A new case is one entry in one of the files under `cases`: a name, a sentence, and a small function a role.

pub mod cases;
pub mod demo;
pub mod harness;
pub mod pace;
pub mod stage;
pub mod storm;
pub mod sys;
pub mod truth;
pub mod visit;
