//! From the kernel to a stream of [`Frame`](connmon_record::frame::Frame)s. Everything behind a frame is pure, so a replay gives what the
//! recording gave.

pub mod bpf;
pub mod btf;
mod deleted;
mod ends;
mod epochs;
pub mod executable;
pub mod foreign;
pub mod hosts;
pub mod inspector;
pub mod interfaces;
pub mod limits;
mod namespaces;
mod offsets;
pub mod privileges;
mod probe_log;
pub mod probes;
mod snapshot;
pub mod surroundings;
mod switch;
mod sys;

pub use sys::{boot_time_ns, clock_is_synchronised, clock_offset_ns};

/// The eBPF object, built by `build.rs`.
pub static OBJECT: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/connmon-ebpf.o"));
