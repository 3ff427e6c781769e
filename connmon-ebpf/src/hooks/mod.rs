//! Entry points: each program turns its arguments into calls of `ledger`, or into a record.

mod cgroup;
mod ends;
mod fentry;
mod fentry_message;
mod header;
mod in_place;
mod iter;
mod kprobe;
mod kprobe_message;
mod lifecycle;
mod message;
mod opening;
mod owner;
mod payload;
mod process;
mod tracepoint;
mod transfer;
pub mod wire;
