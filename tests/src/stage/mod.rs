//! The theatre in which a case is played: the coordinator ([`Stage`]) starts real processes, each of them a
//! [`Worker`] that runs one role, counts with [`Tally`] and reports over its standard input, a socket.

mod case;
mod conn;
mod control;
mod family;
mod play;
mod settle;
mod tally;
mod udp;
mod unsupported;
mod worker;

pub use case::Case;
pub use conn::Conn;
pub use family::Family;
pub use play::{Cast, Hold, Script, Stage};
pub use settle::{NOTE, settle, settle_where};
pub use tally::{Ledger, Tally};
pub use udp::Udp;
pub use unsupported::{Unsupported, needs};
pub use worker::{Listener, Role, Worker, run_child};
