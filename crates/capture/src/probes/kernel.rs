//! Properties of the running kernel that must be known before programs are attached.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use connmon_ebpf::RECEIVE_FUNCTIONS;

use super::ProbeError;

/// The tasks that the kernel can preempt, so that it skips a program for the next task on that CPU.
#[derive(Clone, Copy)]
pub(super) struct Preemption {
    /// Code in the kernel, and with it programs behind trampolines (migrate_disable() in __bpf_prog_enter(),
    /// kernel/bpf/trampoline.c).
    pub(super) kernel: bool,
    /// Programs on tracepoints as well: they run with preemption disabled up to Linux 6.18.
    pub(super) tracepoints: bool,
}

impl Preemption {
    /// A kernel that can preempt says so in its version; one that chooses when it boots tells its choice in debugfs, and
    /// is taken for preemptible where that is not mounted.
    pub(super) fn of_kernel() -> Self {
        let line = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let release = line("/proc/sys/kernel/osrelease");
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|n| n.parse().unwrap_or(0_u32));
        let version = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        let choice = line("/sys/kernel/debug/sched/preempt");
        let never = choice.contains("(none)") || choice.contains("(voluntary)");
        let kernel = line("/proc/sys/kernel/version").contains("PREEMPT") && !never;
        Self { kernel, tracepoints: kernel && version > (6, 18) }
    }
}

/// The root of the cgroup2 hierarchy, also where version 1 is mounted beside it.
pub(super) fn cgroup_root() -> Result<File, ProbeError> {
    let unsupported = |error: &dyn fmt::Display| {
        ProbeError::Unsupported(format!(
            "no cgroup2 hierarchy can be opened ({error}); mount one, for example at /sys/fs/cgroup"
        ))
    };
    let root = cgroup_mount().ok_or_else(|| unsupported(&"none is mounted"))?;
    File::open(root).map_err(|error| unsupported(&error))
}

/// The mount point of the cgroup2 hierarchy.
pub fn cgroup_mount() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind) = (fields.next()?, fields.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(path))
    })
}

/// Code addresses of the functions that can be the caller of `trace_consume_skb` at the end of a datagram's receive: which
/// one depends on what the compiler inlined (__consume_stateless_skb(), net/core/skbuff.c; skb_free_datagram(),
/// net/core/datagram.c).
pub(super) fn receive_functions() -> Result<[[u64; 2]; RECEIVE_FUNCTIONS], ProbeError> {
    const NAMES: [&str; RECEIVE_FUNCTIONS] = [
        "skb_consume_udp",
        "udp_recvmsg",
        "udpv6_recvmsg",
        "skb_free_datagram",
        "raw_recvmsg",
        "rawv6_recvmsg",
        "ping_recvmsg",
    ];
    let unsupported = |why: String| ProbeError::Unsupported(format!("/proc/kallsyms cannot be used: {why}"));
    let file = File::open("/proc/kallsyms").map_err(|error| unsupported(error.to_string()))?;
    let (mut file, mut line) = (BufReader::with_capacity(64 << 10, file), String::new());
    // The kernel writes each line anew for each reader: to keep all addresses, a megabyte, is cheaper than to read twice.
    let mut addresses = Vec::new();
    let mut ranges = [[0; 2]; RECEIVE_FUNCTIONS];
    while file.read_line(&mut line).map_err(|error| unsupported(error.to_string()))? > 0 {
        let mut fields = line.split_ascii_whitespace();
        if let (Some(address), Some("t" | "T"), Some(name)) = (fields.next(), fields.next(), fields.next()) {
            let address = u64::from_str_radix(address, 16).unwrap_or(0);
            addresses.push(address);
            if let Some(at) = NAMES.iter().position(|wanted| *wanted == name) {
                ranges[at] = [address, u64::MAX];
            }
        }
        line.clear();
    }
    for [from, to] in ranges.iter_mut().filter(|range| range[0] != 0) {
        *to = addresses.iter().copied().filter(|address| address > from).min().unwrap_or(u64::MAX);
    }
    if ranges[0][0] == 0 {
        return Err(unsupported("it hides the addresses (kernel.kptr_restrict)".into()));
    }
    Ok(ranges)
}
