//! Entry points: each turns its arguments into one call of `account`.

mod cgroup;
mod fentry;
mod iter;
mod kprobe;
mod lifecycle;
mod process;
mod tracepoint;
mod transfer;
