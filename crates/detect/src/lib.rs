//! Findings: connections in, what is worth a look out, each with its figures, its innocent explanations and what would refute it.
//!
//! [`Engine`] is fed with [`Event`]s in order of time and reads no clock and no file. It keeps the [`World`] (programs, destinations and
//! groups: pairs of both), and hands each event to every detector. A finding is never a verdict.

mod card;
mod concern;
mod detectors;
mod draft;
mod engine;
mod event;
mod evidence;
mod finding;
mod findings;
mod fold;
mod position;
mod program;
mod replay;
mod rhythm;
mod settings;
mod state;
mod stats;
mod world;

pub use card::Card;
pub use detectors::{CARDS, Policy, PolicyError, card};
pub use engine::{Engine, Found};
pub use event::{Event, Moment};
pub use finding::{Acknowledgement, Figure, Finding, Severity, Subject, Unit, Value, test_finding};
pub use findings::{Changes, by_rank};
pub use fold::{Folded, fold};
pub use position::Position;
pub use program::{Home, Owner, Program, Trust};
pub use replay::{Find, Replay};
pub use rhythm::Rhythm;
pub use settings::Settings;
pub use state::StateError;
pub use world::{Destination, Group, World};
