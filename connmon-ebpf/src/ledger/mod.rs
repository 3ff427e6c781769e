//! The ledger: an entry for each connection, and what each process moved on it. Each file uses only those named before it.
//!
//! `direction`, `quota` (how much of a map a user may have), `pending` (packets that come first), `template` (where an entry is put
//! together), `release` (the way out), `identity` (whose an entry is), `entry` (the way in), `shares` (bytes by process), `pool` (sockets
//! without an entry), `attempt` (connects that fail before a SYN), `account` (find or create an entry, and add to it).

pub mod account;
pub mod attempt;
pub mod direction;
pub mod entry;
pub mod identity;
pub mod pending;
pub mod pool;
pub mod quota;
pub mod release;
pub mod shares;
pub mod template;
