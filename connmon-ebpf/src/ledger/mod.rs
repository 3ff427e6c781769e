//! The ledger: an entry for each connection, and what each process moved on it. In this list, each file uses only those named before it:
//!
//! `direction`, `lock`, `quota` (how much of a map a user may have), `pending` (packets that come before their entry), `template` (where an
//! entry is put together), `release` (the way out), `shares` (bytes by process), `identity` (which socket an entry belongs to), `entry`
//! (the way in), `pool` (sockets without an entry), `attempt` (connects that fail before a SYN), `account` (finds or creates an entry, and
//! adds to it).

pub mod account;
pub mod attempt;
pub mod direction;
pub mod entry;
pub mod identity;
pub mod lock;
pub mod pending;
pub mod pool;
pub mod quota;
pub mod release;
pub mod shares;
pub mod template;
