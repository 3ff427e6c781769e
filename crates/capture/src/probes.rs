//! Loading and attaching: which programs a backend consists of, and which backend this kernel allows.

use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use aya::programs::{
    BtfTracePoint, CgroupAttachMode, CgroupSkb, CgroupSkbAttachType, CgroupSock, CgroupSockAddr, FEntry,
    FExit, KProbe, ProgramError,
};
use aya::{Ebpf, EbpfLoader};
use connmon_ebpf::{MAX_CALLS, MAX_COPIES, Settings};

use super::btf::{Btf, BtfError};
use super::{OBJECT, offsets, sys};
use connmon_record::{Backend, CaptureOptions, NO_NAMES, NO_PACKETS};
pub(super) use kernel::cgroup_mount;
use kernel::{Preemption, cgroup_root, receive_functions};
use programs::{AttachPoint, BIRTH, COMMON, FENTRY, KPROBE, NESTED, Probe, TRACEPOINT, WIRE};

mod kernel;
mod load;
mod programs;

/// Notes of calls in each half of their room, at least.
const MIN_CALLS: u32 = 128;

/// The note about what is missing before Linux 6.17.
const NOT_ASKED: &str = "where BPF programs lead a connect or a datagram to another address, the one that was asked for is not seen: this kernel runs \
                         no program before them";

/// The note about what is missing on a kernel without types of connection tracking.
const NOT_TRANSLATED: &str = "this kernel does not describe its connection tracking: where addresses of this host's packets are \
                              translated (NAT), UDP flows lack packets, and DNS questions their process";

/// Why something is not done that could be.
const SWITCHED_OFF: &str = "switched off";

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No type information, or a field is missing in it.
    #[error(transparent)]
    Btf(#[from] BtfError),
    /// The object could not be prepared or its maps not created.
    #[error("the kernel refused the BPF maps: {0}")]
    Maps(String),
    /// There is no memory for the maps.
    #[error(
        "the kernel has no room for the BPF maps, which take about {0} MiB: allow the recorder more memory (the limit of its \
         cgroup; before Linux 5.11 locked memory, `ulimit -l`), or use a smaller --max-connections"
    )]
    Memory(u64),
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

/// Loaded and attached programs.
pub struct Probes {
    /// The programs and maps.
    pub ebpf: Ebpf,
    /// Programs that are attached as long as these are open.
    _links: Vec<OwnedFd>,
    /// The backend that runs.
    pub backend: Backend,
    /// Why those tried before do not run, and what this one does without.
    pub notes: Vec<String>,
    /// Whether packets are counted.
    pub wire: bool,
    /// Whether DNS messages and the first bytes of connections are looked at.
    pub names: bool,
}

/// Attaches `wanted`, or the first backend that works.
///
/// # Errors
/// The kernel refuses; the reasons of all that were tried.
pub fn attach(wanted: Option<Backend>, options: CaptureOptions) -> Result<Probes, ProbeError> {
    let btf = Btf::of_kernel()?;
    let offsets = offsets::resolve(&btf)?;
    let types = aya::Btf::from_sys_fs().map_err(|error| ProbeError::Maps(one_line(&error.to_string())))?;
    let kernel = KernelTypes { btf, types, offsets };
    let mut notes = Vec::new();
    for backend in Backend::ALL {
        if wanted.is_some_and(|wanted| wanted != backend) {
            notes.push(format!("{backend}: not asked for"));
            continue;
        }
        match attach_one(backend, options, &kernel) {
            Ok((ebpf, packets, links)) => {
                let off = |is_on: bool| {
                    if is_on { packets.as_ref().err().cloned() } else { Some(SWITCHED_OFF.into()) }
                };
                let (wire, names) = (off(options.wire), off(options.names));
                notes.extend(wire.as_ref().map(|why| format!("{NO_PACKETS}{why}")));
                notes.extend(names.as_ref().map(|why| format!("{NO_NAMES}{why}")));
                if kernel.offsets.ct_tuples == u32::MAX {
                    notes.push(NOT_TRANSLATED.into());
                }
                if backend == Backend::Tracepoint && links.is_empty() {
                    notes.push(NOT_ASKED.into());
                }
                return Ok(Probes {
                    ebpf,
                    _links: links,
                    backend,
                    notes,
                    wire: wire.is_none(),
                    names: names.is_none(),
                });
            }
            Err(error) => {
                if let ProbeError::Program { log, .. } = &error {
                    tracing::debug!("{backend}: {log}");
                }
                // Another backend would take as much.
                if wanted.is_some() || matches!(error, ProbeError::Memory(_)) {
                    return Err(error);
                }
                notes.push(format!("{backend}: {error}"));
            }
        }
    }
    Err(ProbeError::NoBackend(notes))
}

/// Bytes that the maps take: what was measured for other numbers of connections on Linux 6.18 with two processors, and what the
/// places of users and the notes of sockets without an entry have more since, by the sizes of their entries.
fn memory(options: CaptureOptions) -> u64 {
    (15 << 20) + u64::from(options.ring_bytes) + 1132 * u64::from(options.max_connections)
}

/// Whether an error comes from a lack of memory, or, before Linux 5.11, of memory that may be locked.
fn is_memory(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut codes = std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<io::Error>()?.raw_os_error());
    codes.any(|code| code == libc::ENOMEM || (code == libc::EPERM && sys::locks_little()))
}

/// What is known of the kernel's types, whatever the backend.
struct KernelTypes {
    btf: Btf,
    /// The same as aya reads it.
    types: aya::Btf,
    offsets: connmon_ebpf::Offsets,
}

/// The object; whether packets are seen, or why not; links that aya does not keep.
type Attached = (Ebpf, Result<(), String>, Vec<OwnedFd>);

fn attach_one(
    backend: Backend,
    options: CaptureOptions,
    KernelTypes { btf, types, offsets }: &KernelTypes,
) -> Result<Attached, ProbeError> {
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
    let (shares, overflow) = ((options.max_connections / 4).max(1), (options.max_connections / 2).max(1));
    // A thread that waits in a call has a note as long, and there may be far more of them than sockets change hands.
    let calls = (options.max_connections / 16).clamp(MIN_CALLS, MAX_CALLS);
    let settings = Settings {
        accept_return: btf.parameters("inet_csk_accept").unwrap_or(0),
        copies,
        names: u32::from(options.names),
        wakeup_bytes: options.ring_bytes / 4,
        recvmsg_parameters: btf.parameters("raw_recvmsg").unwrap_or(0),
        wire: u32::from(options.wire),
        notes_egress: u32::from(backend == Backend::Tracepoint),
        empty: u32::from(options.empty),
        blind: options.blind,
        filter_parameters: btf.parameters("__cgroup_bpf_run_filter_sock_addr").unwrap_or(0),
        idle_ns: options.idle_ns,
        max_entries: u64::from(options.max_connections),
        max_shares: u64::from(shares),
        max_overflow: u64::from(overflow),
        max_calls: u64::from(calls),
        receive: if backend == Backend::Tracepoint { receive_functions()? } else { Default::default() },
    };
    let (log_level, log_bytes) = match options.probe_log {
        true => (aya_log::Level::Warn as u8, 1 << 17),
        // The least that a ring can have.
        false => (0, procfs::page_size() as u32),
    };
    let maps = |error: &dyn fmt::Display| ProbeError::Maps(one_line(&error.to_string()));
    let mut ebpf = EbpfLoader::new()
        .btf(Some(types))
        .override_global("OFFSETS", bytemuck::bytes_of(offsets), true)
        .override_global("SETTINGS", bytemuck::bytes_of(&settings), true)
        .override_global(aya_log::LEVEL, &log_level, true)
        .map_max_entries("AYA_LOGS", log_bytes)
        .map_max_entries("EVENTS", options.ring_bytes)
        .map_max_entries("SOCKS", options.max_connections)
        .map_max_entries("FLOWS", options.max_connections)
        .map_max_entries("ACCT", shares)
        .map_max_entries("OVERFLOW", overflow)
        .map_max_entries("CALLS", calls)
        .map_max_entries("LATE_CALLS", calls)
        .load(OBJECT)
        .map_err(
            |error| if is_memory(&error) { ProbeError::Memory(memory(options) >> 20) } else { maps(&error) },
        )?;
    let own = match backend {
        Backend::Fentry => FENTRY,
        Backend::Kprobe => KPROBE,
        Backend::Tracepoint => TRACEPOINT,
    };
    let cgroup = cgroup_root();
    let cgroup = if backend == Backend::Tracepoint { Ok(cgroup?) } else { cgroup };
    let wire = options.wire || options.names;
    let is_there = |Probe(_, _, target, needed): &&Probe| *needed || btf.parameters(target).is_some();
    // The backend's own first: they are the ones that a kernel may refuse.
    let needed: Vec<Planned> = own
        .iter()
        .chain(COMMON)
        .filter(is_there)
        .flat_map(|probe| {
            let copies = match probe.0 {
                program if NESTED.contains(&program) => settings.copies.max(2),
                program if ebpf.program(&format!("{program}_2")).is_none() => 1,
                _ => settings.copies,
            };
            planned(probe, copies)
        })
        .collect();
    // Without a hierarchy of cgroups, other hooks and the sweep have to tell sockets apart.
    let birth = cgroup.as_ref().ok().map(|_| planned(&BIRTH, 1)).unwrap_or_default();
    let packets: Vec<Planned> = match &cgroup {
        Ok(_) if wire => WIRE.iter().flat_map(|probe| planned(probe, 1)).collect(),
        _ => Vec::new(),
    };
    let refused = |(program, error): (&str, ProgramError)| ProbeError::Program {
        program: program.to_owned(),
        reason: reason(&error),
        log: error.to_string(),
    };
    let mut links = Vec::new();
    let mut attach =
        |ebpf: &mut Ebpf, one: &Planned| attach_program(ebpf, one, cgroup.as_ref().ok(), &mut links);
    // Whether it is refused is known after the first.
    if let Some(first) = needed.first() {
        let loaded = load::all(&mut ebpf, &needed[..1], types).remove(first.name.as_str());
        loaded
            .map_or(Ok(()), Err)
            .and_then(|()| attach(&mut ebpf, first))
            .map_err(|error| refused((&first.name, error)))?;
    }
    let rest = [needed.get(1..).unwrap_or_default(), &birth, &packets].concat();
    let mut failed = load::all(&mut ebpf, &rest, types);
    let mut place = |ebpf: &mut Ebpf, one: &Planned| {
        failed.remove(&one.name).map_or(Ok(()), Err).and_then(|()| attach(ebpf, one))
    };
    for one in needed.iter().skip(1) {
        place(&mut ebpf, one).map_err(|error| refused((&one.name, error)))?;
    }
    for one in &birth {
        if let Err(error) = place(&mut ebpf, one) {
            tracing::debug!("{}: {}", one.name, reason(&error));
        }
    }
    let packets = match &cgroup {
        _ if !wire => Err(SWITCHED_OFF.to_owned()),
        Err(why) => Err(why.to_string()),
        Ok(_) => packets.iter().try_for_each(|one| place(&mut ebpf, one).map_err(|error| reason(&error))),
    };
    Ok((ebpf, packets, links))
}

/// Whether events that the kernel does not show to a program may be lost, so far as no copy of it makes up for them: not
/// those of a further copy (see `copies` in the kernel side), nor those of programs that only note addresses, without which
/// a record says itself what it lacks, or that end the records of rare sockets and see all others as well.
pub fn misses_count(program: &str) -> bool {
    let further =
        program.rsplit_once('_').is_some_and(|(_, number)| (2..=MAX_COPIES).any(|n| number == n.to_string()));
    let harmless = [
        "consume_skb",
        "fentry_skb_free_datagram",
        "fentry_inet_release",
        "fentry_packet_release",
        "fentry_sock_addr",
        "fexit_sock_addr",
    ];
    !further && !harmless.contains(&program)
}

/// Whether the kernel's name of a program, which it cuts off, is one of ours: of this recorder, or of another one.
pub fn is_own(name: &[u8]) -> bool {
    // BPF_OBJ_NAME_LEN, with a final NUL (include/uapi/linux/bpf.h).
    let cut = |program: &str| program.as_bytes().iter().copied().take(15).eq(name.iter().copied());
    [COMMON, WIRE, FENTRY, KPROBE, TRACEPOINT].concat().iter().any(|Probe(program, ..)| cut(program))
}

/// A program of the object that is to be loaded and attached.
#[derive(Clone)]
struct Planned {
    name: String,
    place: AttachPoint,
    target: &'static str,
}

/// The programs for one hook in the order in which they are to be attached, so that the copies run in rising order: a
/// tracepoint calls in the order of attaching (tracepoint_add_func(), kernel/tracepoint.c), a trampoline in the reverse
/// (bpf_trampoline_link_prog() adds at the head, kernel/bpf/trampoline.c).
fn planned(&Probe(program, place, target, _): &Probe, copies: u32) -> Vec<Planned> {
    let further = (2..=copies).map(|number| format!("{program}_{number}"));
    let rising = std::iter::once(program.to_owned()).chain(further);
    let names: Vec<String> = match place {
        AttachPoint::TpBtf => rising.collect(),
        AttachPoint::FEntry | AttachPoint::FExit => rising.collect::<Vec<_>>().into_iter().rev().collect(),
        _ => vec![program.to_owned()],
    };
    names.into_iter().map(|name| Planned { name, place, target }).collect()
}

/// Attaches a program that is loaded.
fn attach_program(
    ebpf: &mut Ebpf,
    Planned { name, place, target }: &Planned,
    cgroup: Option<&File>,
    links: &mut Vec<OwnedFd>,
) -> Result<(), ProgramError> {
    let program = ebpf.program_mut(name).ok_or(ProgramError::NotLoaded)?;
    let in_cgroup = || cgroup.ok_or(ProgramError::NotAttached);
    match place {
        AttachPoint::TpBtf => <&mut BtfTracePoint>::try_from(program)?.attach().map(drop),
        AttachPoint::FEntry => <&mut FEntry>::try_from(program)?.attach().map(drop),
        AttachPoint::FExit => <&mut FExit>::try_from(program)?.attach().map(drop),
        AttachPoint::KProbe => <&mut KProbe>::try_from(program)?.attach(target, 0).map(drop),
        AttachPoint::SockAddr => {
            <&mut CgroupSockAddr>::try_from(program)?.attach(in_cgroup()?, CgroupAttachMode::Single).map(drop)
        }
        AttachPoint::SockAddrFirst | AttachPoint::SockAddrEarly => {
            let program: &mut CgroupSockAddr = program.try_into()?;
            let attach_type = match *target {
                "connect4" => sys::CGROUP_INET4_CONNECT,
                "connect6" => sys::CGROUP_INET6_CONNECT,
                "sendmsg4" => sys::CGROUP_UDP4_SENDMSG,
                "sendmsg6" => sys::CGROUP_UDP6_SENDMSG,
                "recvmsg4" => sys::CGROUP_UDP4_RECVMSG,
                _ => sys::CGROUP_UDP6_RECVMSG,
            };
            let cgroup = in_cgroup()?;
            match (sys::attach_first(program.fd()?.as_fd(), cgroup.as_fd(), attach_type), place) {
                (Ok(link), _) => links.push(link),
                (Err(_), AttachPoint::SockAddrEarly) => {
                    program.attach(cgroup, CgroupAttachMode::Single)?;
                }
                (Err(error), _) => {
                    tracing::debug!("{name}: {error}");
                    program.unload()?;
                }
            }
            Ok(())
        }
        AttachPoint::Egress | AttachPoint::Ingress => {
            let way = match place {
                AttachPoint::Egress => CgroupSkbAttachType::Egress,
                _ => CgroupSkbAttachType::Ingress,
            };
            <&mut CgroupSkb>::try_from(program)?.attach(in_cgroup()?, way, CgroupAttachMode::Single).map(drop)
        }
        // Attached when it is read, and run by user space.
        AttachPoint::Iter | AttachPoint::Nowhere => Ok(()),
        AttachPoint::Sock => {
            <&mut CgroupSock>::try_from(program)?.attach(in_cgroup()?, CgroupAttachMode::Single).map(drop)
        }
    }
}

/// The reason in one line: the operating system's error, and for a refused load the verifier's last words.
fn reason(error: &ProgramError) -> String {
    let text = match error {
        ProgramError::LoadError { io_error, verifier_log } => {
            let log = verifier_log.to_string();
            let statistics = |line: &str| {
                ["processed", "insns processed", "stack depth", "verification time"]
                    .iter()
                    .any(|s| line.starts_with(s))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lack_of_memory_is_told_as_that() {
        let refused = |code| {
            let io_error = io::Error::from_raw_os_error(code);
            aya::maps::MapError::CreateError { name: "FLOWS".into(), io_error }
        };
        assert!(is_memory(&aya::EbpfError::MapError(refused(libc::ENOMEM))));
        assert!(!is_memory(&refused(libc::EINVAL)));
        let said = ProbeError::Memory(memory(CaptureOptions::default()) >> 20).to_string();
        assert!(said.contains("about 164 MiB"), "{said}");
    }
}
