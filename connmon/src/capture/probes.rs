//! Loading and attaching: which programs a backend consists of, and which backend this kernel allows.

use std::fmt;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr, FEntry,
    FExit, Iter, KProbe, ProgramError,
};
use aya::{Ebpf, EbpfLoader};
use connmon_ebpf::{MAX_COPIES, RECEIVE_FUNCTIONS, Settings};

use super::btf::{Btf, BtfError};
use super::{OBJECT, offsets};

/// How calls that move bytes are observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// Trampolines on the protocols' functions: the cheapest, Linux 5.8 and later.
    Fentry,
    /// Probes on the same functions.
    Kprobe,
    /// Socket tracepoints and cgroup programs, Linux 6.3 and later.
    Tracepoint,
}

impl Backend {
    /// In the order in which they are tried.
    pub const ALL: [Self; 3] = [Self::Fentry, Self::Kprobe, Self::Tracepoint];

    /// The name on the command line and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Fentry => "fentry",
            Self::Kprobe => "kprobe",
            Self::Tracepoint => "tracepoint",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What the kernel side is to do, and how much it keeps.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Bytes of the ring buffer: a power of two, at least a page.
    pub ring_bytes: u32,
    /// Connections that can be open at once.
    pub max_connections: u32,
    /// Whether packets are counted.
    pub wire: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { ring_bytes: 16 << 20, max_connections: 131_072, wire: true }
    }
}

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No type information, or a field is missing in it.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The object could not be prepared or its maps not created.
    #[error("the kernel refused the BPF maps: {0}")]
    Maps(String),
    /// A program was refused.
    #[error("{program} was refused: {reason}")]
    Program {
        /// Its name.
        program: String,
        /// One line.
        reason: String,
        /// Everything the verifier said.
        log: String,
    },
    /// The kernel lacks something that this backend stands on.
    #[error("{0}")]
    Unsupported(String),
    /// No backend works; one reason each.
    #[error("no backend works on this kernel: {}", .0.join("; "))]
    NoBackend(Vec<String>),
}

/// How a program gets its place.
#[derive(Clone, Copy)]
enum Place {
    TpBtf,
    FEntry,
    FExit,
    KProbe,
    SockAddr,
    Sock,
    Egress,
    Ingress,
    Iter,
}

/// One program: its name in the object, where it goes, and whether the kernel may lack that place.
struct Probe(&'static str, Place, &'static str, bool);

/// Programs that softirqs reach as well as processes: they need a second copy everywhere, see `copies` in the kernel side.
const NESTED: [&str; 2] = ["inet_sock_set_state", "tcp_destroy_sock"];

const fn needed(program: &'static str, place: Place, target: &'static str) -> Probe {
    Probe(program, place, target, true)
}

/// Left out where the kernel has no such function: older page-wise sending, or no IPv6.
const fn if_there(program: &'static str, place: Place, target: &'static str) -> Probe {
    Probe(program, place, target, false)
}

const COMMON: &[Probe] = &[
    needed("sched_process_fork", Place::TpBtf, "sched_process_fork"),
    needed("sched_process_exec", Place::TpBtf, "sched_process_exec"),
    needed("sched_process_exit", Place::TpBtf, "sched_process_exit"),
    needed("tcp_destroy_sock", Place::TpBtf, "tcp_destroy_sock"),
    needed("inet_sock_set_state", Place::TpBtf, "inet_sock_set_state"),
    needed("tcp_rcv_space_adjust", Place::TpBtf, "tcp_rcv_space_adjust"),
    needed("snapshot", Place::Iter, "task_file"),
    needed("processes", Place::Iter, "task"),
];

/// The wire plane.
const WIRE: &[Probe] =
    &[needed("wire_egress", Place::Egress, "egress"), needed("wire_ingress", Place::Ingress, "ingress")];

const FENTRY: &[Probe] = &[
    needed("fexit_tcp_sendmsg", Place::FExit, "tcp_sendmsg"),
    if_there("fexit_tcp_sendpage", Place::FExit, "tcp_sendpage"),
    needed("fexit_tcp_v4_connect", Place::FExit, "tcp_v4_connect"),
    needed("fentry_tcp_v4_connect", Place::FEntry, "tcp_v4_connect"),
    if_there("fexit_tcp_v6_connect", Place::FExit, "tcp_v6_connect"),
    if_there("fentry_tcp_v6_connect", Place::FEntry, "tcp_v6_connect"),
    needed("fexit_inet_csk_accept", Place::FExit, "inet_csk_accept"),
    needed("fentry_udp_destroy_sock", Place::FEntry, "udp_destroy_sock"),
    if_there("fentry_udpv6_destroy_sock", Place::FEntry, "udpv6_destroy_sock"),
    needed("fentry_skb_consume_udp", Place::FEntry, "skb_consume_udp"),
    needed("fexit_udp_sendmsg", Place::FExit, "udp_sendmsg"),
    if_there("fexit_udpv6_sendmsg", Place::FExit, "udpv6_sendmsg"),
    if_there("fexit_raw_sendmsg", Place::FExit, "raw_sendmsg"),
    if_there("fexit_rawv6_sendmsg", Place::FExit, "rawv6_sendmsg"),
    if_there("fexit_ping_v4_sendmsg", Place::FExit, "ping_v4_sendmsg"),
    if_there("fexit_ping_v6_sendmsg", Place::FExit, "ping_v6_sendmsg"),
    if_there("fexit_mptcp_sendmsg", Place::FExit, "mptcp_sendmsg"),
    if_there("fexit_packet_sendmsg", Place::FExit, "packet_sendmsg"),
    if_there("fexit_raw_recvmsg", Place::FExit, "raw_recvmsg"),
    if_there("fexit_rawv6_recvmsg", Place::FExit, "rawv6_recvmsg"),
    if_there("fexit_ping_recvmsg", Place::FExit, "ping_recvmsg"),
    if_there("fexit_mptcp_recvmsg", Place::FExit, "mptcp_recvmsg"),
    if_there("fexit_packet_recvmsg", Place::FExit, "packet_recvmsg"),
    if_there("fentry_skb_free_datagram", Place::FEntry, "skb_free_datagram"),
    if_there("fentry_packet_release", Place::FEntry, "packet_release"),
    needed("fentry_inet_release", Place::FEntry, "inet_release"),
];

const KPROBE: &[Probe] = &[
    needed("kprobe_release_sock", Place::KProbe, "release_sock"),
    needed("kprobe_tcp_sendmsg", Place::KProbe, "tcp_sendmsg"),
    if_there("kprobe_tcp_sendpage", Place::KProbe, "tcp_sendpage"),
    needed("kretprobe_tcp_v4_connect", Place::KProbe, "tcp_v4_connect"),
    needed("kprobe_tcp_v4_connect", Place::KProbe, "tcp_v4_connect"),
    if_there("kretprobe_tcp_v6_connect", Place::KProbe, "tcp_v6_connect"),
    if_there("kprobe_tcp_v6_connect", Place::KProbe, "tcp_v6_connect"),
    needed("kretprobe_inet_csk_accept", Place::KProbe, "inet_csk_accept"),
    needed("kprobe_udp_destroy_sock", Place::KProbe, "udp_destroy_sock"),
    if_there("kprobe_udpv6_destroy_sock", Place::KProbe, "udpv6_destroy_sock"),
    needed("kprobe_skb_consume_udp", Place::KProbe, "skb_consume_udp"),
    needed("kretprobe_udp_sendmsg", Place::KProbe, "udp_sendmsg"),
    needed("kprobe_udp_sendmsg", Place::KProbe, "udp_sendmsg"),
    if_there("kretprobe_udpv6_sendmsg", Place::KProbe, "udpv6_sendmsg"),
    if_there("kprobe_udpv6_sendmsg", Place::KProbe, "udpv6_sendmsg"),
    if_there("kretprobe_raw_sendmsg", Place::KProbe, "raw_sendmsg"),
    if_there("kprobe_raw_sendmsg", Place::KProbe, "raw_sendmsg"),
    if_there("kretprobe_rawv6_sendmsg", Place::KProbe, "rawv6_sendmsg"),
    if_there("kprobe_rawv6_sendmsg", Place::KProbe, "rawv6_sendmsg"),
    if_there("kretprobe_ping_v4_sendmsg", Place::KProbe, "ping_v4_sendmsg"),
    if_there("kprobe_ping_v4_sendmsg", Place::KProbe, "ping_v4_sendmsg"),
    if_there("kretprobe_ping_v6_sendmsg", Place::KProbe, "ping_v6_sendmsg"),
    if_there("kprobe_ping_v6_sendmsg", Place::KProbe, "ping_v6_sendmsg"),
    if_there("kretprobe_mptcp_sendmsg", Place::KProbe, "mptcp_sendmsg"),
    if_there("kprobe_mptcp_sendmsg", Place::KProbe, "mptcp_sendmsg"),
    if_there("kretprobe_packet_sendmsg", Place::KProbe, "packet_sendmsg"),
    if_there("kprobe_packet_sendmsg", Place::KProbe, "packet_sendmsg"),
    if_there("kretprobe_raw_recvmsg", Place::KProbe, "raw_recvmsg"),
    if_there("kprobe_raw_recvmsg", Place::KProbe, "raw_recvmsg"),
    if_there("kretprobe_rawv6_recvmsg", Place::KProbe, "rawv6_recvmsg"),
    if_there("kprobe_rawv6_recvmsg", Place::KProbe, "rawv6_recvmsg"),
    if_there("kretprobe_ping_recvmsg", Place::KProbe, "ping_recvmsg"),
    if_there("kprobe_ping_recvmsg", Place::KProbe, "ping_recvmsg"),
    if_there("kretprobe_mptcp_recvmsg", Place::KProbe, "mptcp_recvmsg"),
    if_there("kprobe_mptcp_recvmsg", Place::KProbe, "mptcp_recvmsg"),
    if_there("kretprobe_packet_recvmsg", Place::KProbe, "packet_recvmsg"),
    if_there("kprobe_packet_recvmsg", Place::KProbe, "packet_recvmsg"),
    if_there("kprobe_skb_free_datagram", Place::KProbe, "skb_free_datagram"),
    if_there("kprobe_packet_release", Place::KProbe, "packet_release"),
    needed("kprobe_inet_release", Place::KProbe, "inet_release"),
];

const TRACEPOINT: &[Probe] = &[
    needed("cgroup_sock_release", Place::Sock, "sock_release"),
    needed("cgroup_connect4", Place::SockAddr, "connect4"),
    needed("cgroup_connect6", Place::SockAddr, "connect6"),
    needed("cgroup_getpeername4", Place::SockAddr, "getpeername4"),
    needed("cgroup_getpeername6", Place::SockAddr, "getpeername6"),
    needed("cgroup_sendmsg4", Place::SockAddr, "sendmsg4"),
    needed("cgroup_sendmsg6", Place::SockAddr, "sendmsg6"),
    needed("cgroup_recvmsg4", Place::SockAddr, "recvmsg4"),
    needed("cgroup_recvmsg6", Place::SockAddr, "recvmsg6"),
    needed("consume_skb", Place::TpBtf, "consume_skb"),
    needed("sock_recv_length", Place::TpBtf, "sock_recv_length"),
    needed("sock_send_length", Place::TpBtf, "sock_send_length"),
];

/// Loaded and attached programs.
pub struct Probes {
    /// The programs and maps.
    pub ebpf: Ebpf,
    /// Which backend runs.
    pub backend: Backend,
    /// Why those tried before do not run, and what this one does without.
    pub notes: Vec<String>,
    /// Whether packets are counted.
    pub wire: bool,
}

/// Attaches `wanted`, or the first backend that works.
///
/// # Errors
/// The kernel refuses; the reasons of all that were tried.
pub fn attach(wanted: Option<Backend>, options: Options) -> Result<Probes, ProbeError> {
    let btf = Btf::of_kernel()?;
    let offsets = offsets::resolve(&btf)?;
    let mut notes = Vec::new();
    for backend in Backend::ALL {
        if wanted.is_some_and(|wanted| wanted != backend) {
            notes.push(format!("{backend}: not asked for"));
            continue;
        }
        match attach_one(backend, options, &btf, &offsets) {
            Ok((ebpf, wire)) => {
                let missing = wire.as_ref().err().map(|why| format!("packets are not counted: {why}"));
                notes.extend(missing);
                return Ok(Probes { ebpf, backend, notes, wire: wire.is_ok() });
            }
            Err(error) => {
                if let ProbeError::Program { log, .. } = &error {
                    tracing::debug!("{backend}: {log}");
                }
                if wanted.is_some() {
                    return Err(error);
                }
                notes.push(format!("{backend}: {error}"));
            }
        }
    }
    Err(ProbeError::NoBackend(notes))
}

fn attach_one(
    backend: Backend,
    options: Options,
    btf: &Btf,
    offsets: &connmon_ebpf::Offsets,
) -> Result<(Ebpf, Result<(), String>), ProbeError> {
    let preemption = Preemption::of_kernel();
    if backend == Backend::Kprobe && preemption.kernel {
        // trace_call_bpf() skips all programs of kprobes while `bpf_prog_active` is raised on the CPU, and whoever
        // reads a map raises it and can be preempted (bpf_disable_instrumentation(), include/linux/bpf.h). A copy
        // would be skipped as well.
        return Err(ProbeError::Unsupported(
            "this kernel can preempt a task that reads BPF maps, and skips kprobes on that CPU until it goes on: calls \
             would be missed (if it was booted with preempt=voluntary, mount debugfs, so that this can be seen)"
                .into(),
        ));
    }
    let preemptible = preemption.tracepoints || (preemption.kernel && backend == Backend::Fentry);
    let copies = if preemptible { MAX_COPIES } else { 1 };
    let settings = Settings {
        accept_return: btf.parameters("inet_csk_accept").unwrap_or(0),
        copies,
        pad0: 0,
        wakeup_bytes: options.ring_bytes / 4,
        recvmsg_parameters: btf.parameters("raw_recvmsg").unwrap_or(0),
        wire: u32::from(options.wire),
        notes_egress: u32::from(backend == Backend::Tracepoint),
        pad: 0,
        receive: if backend == Backend::Tracepoint { receive_functions()? } else { Default::default() },
    };
    let maps = |error: &dyn fmt::Display| ProbeError::Maps(one_line(&error.to_string()));
    let types = aya::Btf::from_sys_fs().map_err(|error| maps(&error))?;
    let mut ebpf = EbpfLoader::new()
        .btf(Some(&types))
        .override_global("OFFSETS", bytemuck::bytes_of(offsets), true)
        .override_global("SETTINGS", bytemuck::bytes_of(&settings), true)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("SOCKS", options.max_connections)
        .map_max_entries("FLOWS", options.max_connections)
        .map_max_entries("OVERFLOW", (options.max_connections / 2).max(1))
        .load(OBJECT)
        .map_err(|error| maps(&error))?;
    let own = match backend {
        Backend::Fentry => FENTRY,
        Backend::Kprobe => KPROBE,
        Backend::Tracepoint => TRACEPOINT,
    };
    let cgroup = cgroup_root();
    let cgroup = if backend == Backend::Tracepoint { Ok(cgroup?) } else { cgroup };
    // The backend's own first: they are the ones that a kernel may refuse.
    for Probe(program, place, target, needed) in own.iter().chain(COMMON) {
        if !needed && btf.parameters(target).is_none() {
            continue;
        }
        let copies = match program {
            _ if NESTED.contains(program) => settings.copies.max(2),
            _ if ebpf.program(&format!("{program}_2")).is_none() => 1,
            _ => settings.copies,
        };
        for program in names(program, *place, copies) {
            place_one(&mut ebpf, &program, *place, target, &types, cgroup.as_ref().ok()).map_err(
                |error| {
                    let log = error.to_string();
                    ProbeError::Program { program: program.clone(), reason: reason(&error), log }
                },
            )?;
        }
    }
    let wire = match cgroup {
        _ if !options.wire => Err("switched off".to_owned()),
        Err(why) => Err(why.to_string()),
        Ok(cgroup) => WIRE.iter().try_for_each(|Probe(program, place, target, _)| {
            place_one(&mut ebpf, program, *place, target, &types, Some(&cgroup))
                .map_err(|error| reason(&error))
        }),
    };
    Ok((ebpf, wire))
}

/// Whether events that the kernel does not show to a program may be lost, so far as no copy of it makes up for them: not
/// those of a further copy (see `copies` in the kernel side), nor those of `consume_skb`, without which a record says
/// itself what it lacks.
pub fn misses_count(program: &str) -> bool {
    let further =
        program.rsplit_once('_').is_some_and(|(_, number)| (2..=MAX_COPIES).any(|n| number == n.to_string()));
    !further && program != "consume_skb"
}

/// The programs for one hook in the order in which they are to be attached, so that the copies run in rising order: a
/// tracepoint calls in the order of attaching (tracepoint_add_func(), kernel/tracepoint.c), a trampoline in the reverse
/// (bpf_trampoline_link_prog() adds at the head, kernel/bpf/trampoline.c).
fn names(program: &str, place: Place, copies: u32) -> Vec<String> {
    let further = (2..=copies).map(|number| format!("{program}_{number}"));
    let rising = std::iter::once(program.to_owned()).chain(further);
    match place {
        Place::TpBtf => rising.collect(),
        Place::FEntry | Place::FExit => rising.collect::<Vec<_>>().into_iter().rev().collect(),
        _ => vec![program.to_owned()],
    }
}

/// What the kernel can preempt, so that it skips a program for the next task on that CPU.
#[derive(Clone, Copy)]
struct Preemption {
    /// Code in the kernel, and with it programs behind trampolines (migrate_disable() in __bpf_prog_enter(),
    /// kernel/bpf/trampoline.c).
    kernel: bool,
    /// Programs on tracepoints as well: they run with preemption disabled up to Linux 6.18.
    tracepoints: bool,
}

impl Preemption {
    /// A kernel that can preempt says so in its version; one that chooses when it boots tells its choice in debugfs, and
    /// is taken for preemptible where that is not mounted.
    fn of_kernel() -> Self {
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

fn place_one(
    ebpf: &mut Ebpf,
    name: &str,
    place: Place,
    target: &str,
    types: &aya::Btf,
    cgroup: Option<&File>,
) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
    match place {
        Place::TpBtf => {
            let program: &mut BtfTracePoint = program.try_into()?;
            program.load(target, types)?;
            program.attach()?;
        }
        Place::FEntry => {
            let program: &mut FEntry = program.try_into()?;
            program.load(target, types)?;
            program.attach()?;
        }
        Place::FExit => {
            let program: &mut FExit = program.try_into()?;
            program.load(target, types)?;
            program.attach()?;
        }
        Place::KProbe => {
            let program: &mut KProbe = program.try_into()?;
            program.load()?;
            program.attach(target, 0)?;
        }
        Place::SockAddr => {
            let program: &mut CgroupSockAddr = program.try_into()?;
            program.load()?;
            program.attach(cgroup.ok_or(ProgramError::NotAttached)?, CgroupAttachMode::Single)?;
        }
        Place::Egress | Place::Ingress => {
            let program: &mut CgroupSkb = program.try_into()?;
            program.load()?;
            let way = match place {
                Place::Egress => CgroupSkbAttachType::Egress,
                _ => CgroupSkbAttachType::Ingress,
            };
            program.attach(cgroup.ok_or(ProgramError::NotAttached)?, way, CgroupAttachMode::Single)?;
        }
        // Attached when it is read.
        Place::Iter => {
            let program: &mut Iter = program.try_into()?;
            program.load(target, types)?;
        }
        Place::Sock => {
            let program: &mut CgroupSock = program.try_into()?;
            program.load()?;
            program.attach(cgroup.ok_or(ProgramError::NotAttached)?, CgroupAttachMode::Single)?;
        }
    }
    Ok(())
}

/// The reason in one line: the operating system's error, and for a refused load the verifier's last words.
fn reason(error: &ProgramError) -> String {
    let text = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let statistics = |line: &str| {
                ["processed", "stack depth", "verification time"].iter().any(|s| line.starts_with(s))
            };
            let last = log.lines().rev().find(|line| !line.is_empty() && !statistics(line));
            match last {
                Some(last) => format!("{io_error}: {last}"),
                None => io_error.to_string(),
            }
        }
        ProgramError::SyscallError(error) => format!("{}: {}", error.call, error.io_error),
        other => other.to_string(),
    };
    one_line(&text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The root of the cgroup2 hierarchy, also where version 1 is mounted beside it.
fn cgroup_root() -> Result<File, ProbeError> {
    let unsupported = |error: &dyn fmt::Display| {
        ProbeError::Unsupported(format!(
            "no cgroup2 hierarchy can be opened ({error}); mount one, for example at /sys/fs/cgroup"
        ))
    };
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| unsupported(&error))?;
    let root = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (path, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(path))
        })
        .next()
        .ok_or_else(|| unsupported(&"none is mounted"))?;
    File::open(root).map_err(|error| unsupported(&error))
}

/// Code addresses of the functions that can be the caller of `trace_consume_skb` at the end of a datagram's receive: which
/// one depends on what the compiler inlined (__consume_stateless_skb(), net/core/skbuff.c; skb_free_datagram(),
/// net/core/datagram.c).
fn receive_functions() -> Result<[[u64; 2]; RECEIVE_FUNCTIONS], ProbeError> {
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
    // Read twice rather than kept: it has some hundred thousand lines.
    let each = |see: &mut dyn FnMut(u64, &str)| -> Result<(), ProbeError> {
        let file = File::open("/proc/kallsyms").map_err(|error| unsupported(error.to_string()))?;
        for line in BufReader::new(file).lines() {
            let line = line.map_err(|error| unsupported(error.to_string()))?;
            let mut fields = line.split_ascii_whitespace();
            if let (Some(address), Some("t" | "T"), Some(name)) =
                (fields.next(), fields.next(), fields.next())
            {
                see(u64::from_str_radix(address, 16).unwrap_or(0), name);
            }
        }
        Ok(())
    };
    let mut ranges = [[0; 2]; RECEIVE_FUNCTIONS];
    each(&mut |address, name| {
        if let Some(at) = NAMES.iter().position(|wanted| *wanted == name) {
            ranges[at] = [address, u64::MAX];
        }
    })?;
    each(&mut |address, _| {
        for [from, to] in &mut ranges {
            if address > *from && address < *to {
                *to = address;
            }
        }
    })?;
    if ranges[0][0] == 0 {
        return Err(unsupported("it hides the addresses (kernel.kptr_restrict)".into()));
    }
    Ok(ranges)
}
