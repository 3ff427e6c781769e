//! Entry points: each turns its arguments into one call of `account`.

mod cgroup;
mod ends;
mod fentry;
mod fentry_message;
mod header;
mod iter;
mod kprobe;
mod kprobe_message;
mod lifecycle;
mod message;
mod opening;
mod payload;
mod process;
mod tracepoint;
mod transfer;
pub mod wire;
