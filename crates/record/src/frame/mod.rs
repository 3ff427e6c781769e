//! What a recording consists of, one piece after the other, and its form in a capture file. Whoever reads frames needs nothing of
//! what takes them from the kernel: a recording and a replay are the same to all that comes after.

mod command_line;
mod observation;
mod program;
#[cfg(test)]
mod tests;

use bytemuck::{Pod, Zeroable, bytes_of, bytes_of_mut, try_pod_read_unaligned};
use connmon_ebpf::{
    AcctKey, AskedRecord, CgroupRecord, EXEC_LEN_0, ExecRecord, Share, SockEntry, TaskRecord, kind, stat,
};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::untrusted::{Exactly, exact};
use crate::{AddressNames, Interface, Timestamp, Untrusted};
pub use command_line::{CommandLine, Exec};
pub use observation::{DnsMessage, FlowId, Hello, Message, Observation};
pub use program::{Executable, ProgramFacts, Subject};

/// The first frame: what has to be known to read the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Start {
    /// Host name.
    #[serde(serialize_with = "exact")]
    pub host: Untrusted,
    /// `/proc/sys/kernel/random/boot_id`.
    #[serde(serialize_with = "exact")]
    pub boot_id: Untrusted,
    /// Kernel release.
    #[serde(serialize_with = "exact")]
    pub kernel: Untrusted,
    /// connmon's version.
    #[serde(serialize_with = "exact")]
    pub tool_version: Untrusted,
    /// SHA-256 of the BPF object.
    #[serde(serialize_with = "exact")]
    pub object_sha256: Untrusted,
    /// The backend that records.
    #[serde(serialize_with = "exact")]
    pub backend: Untrusted,
    /// Why the others do not.
    #[serde(serialize_with = "exact")]
    pub backend_notes: Vec<Untrusted>,
    /// Whether packets are counted.
    pub wire: bool,
    /// Whether names are looked for.
    #[serde(default)]
    pub names: bool,
    /// The pause after which a flow of datagrams is over, nanoseconds; 0 in recordings in which none ended by that.
    #[serde(default)]
    pub idle_ns: u64,
    /// CLOCK_REALTIME − CLOCK_BOOTTIME at the start, nanoseconds.
    pub clock_offset_ns: i64,
    /// Whether times follow the clock when it is set. In recordings of earlier versions all go by the clock as it was at the start.
    #[serde(default)]
    pub follows_clock: bool,
    /// When the probes were attached, CLOCK_BOOTTIME.
    pub started_ns: u64,
    /// Names of user ids.
    #[serde(serialize_with = "exact")]
    pub users: Vec<(u32, Untrusted)>,
}

impl Start {
    /// When the probes were attached.
    pub fn started(&self) -> Timestamp {
        Timestamp((self.started_ns as i64).wrapping_add(self.clock_offset_ns))
    }
}

/// Facts about a process from procfs, which complete those of the kernel side.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessFacts {
    /// Thread group id.
    pub tgid: u32,
    /// Start, nanoseconds of CLOCK_BOOTTIME.
    pub start_ns: u64,
    /// Target of `/proc/PID/exe`.
    #[serde(serialize_with = "exact")]
    pub exe: Untrusted,
    /// `/proc/PID/cmdline`; empty once it is in `command_line`.
    pub args: Vec<String>,
    /// The command line, once secrets have been redacted from it.
    #[serde(default)]
    pub command_line: Option<CommandLine>,
    /// Target of `/proc/PID/cwd`.
    #[serde(serialize_with = "exact")]
    pub cwd: Untrusted,
    /// The file that is the executable.
    #[serde(default)]
    pub file: Option<Executable>,
}

/// Counters of loss since the start of the recording.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Counters {
    /// The kernel side's, summed over CPUs, by [`stat`].
    pub kernel: [u64; stat::COUNT as usize],
    /// Program runs that the kernel skipped because the program was already running on that CPU.
    pub misses: u64,
    /// Records in the ring that could not be decoded.
    pub malformed: u64,
}

/// As bytes, so that those of an older version can be read.
impl Serialize for Counters {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        bytes_of(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Counters {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Vec::<u8>::deserialize(deserializer)?;
        Self::decode(&bytes).ok_or_else(|| D::Error::custom("these are no counters"))
    }
}

impl Counters {
    /// Files of older versions have fewer of the kernel side's counters.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut counters = Self::default();
        let (kernel, own) = bytes.split_at_checked(bytes.len().checked_sub(2 * size_of::<u64>())?)?;
        bytes_of_mut(&mut counters.kernel).get_mut(..kernel.len())?.copy_from_slice(kernel);
        [counters.misses, counters.malformed] = try_pod_read_unaligned(own).ok()?;
        Some(counters)
    }
}

/// One piece of a capture.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// The recording begins.
    Start(Box<Start>),
    /// A connection in its final state.
    Closed(Box<SockEntry>),
    /// A connection in passing, met by a sweep.
    Live(Box<SockEntry>),
    /// A further process of a connection, met by a sweep.
    Share(AcctKey, Share),
    /// The address that the process asked for, where a program led its connection to another one.
    Asked(AskedRecord),
    /// A process was born, ended, or existed before.
    Task(TaskRecord),
    /// A process began a new program.
    Exec(Box<Exec>),
    /// procfs on a process.
    Process(ProcessFacts),
    /// More on a program.
    Program(ProgramFacts),
    /// A cgroup came to be, or existed before.
    Cgroup(Box<CgroupRecord>),
    /// Something that was said on a connection.
    Observation(Box<Observation>),
    /// Names of addresses that the host keeps, /etc/hosts, and when they were read; time of CLOCK_BOOTTIME.
    Hosts(u64, AddressNames),
    /// Answers of reverse DNS about addresses, with their time (CLOCK_BOOTTIME).
    Reverse(u64, AddressNames),
    /// Everything that was lost so far.
    Counters(Counters),
    /// The counters of the interfaces, and when they were read; time of CLOCK_BOOTTIME.
    Interfaces(u64, Vec<Interface>),
    /// An interval has no record, or not all of one, for a reason that the recorder knows: times of CLOCK_BOOTTIME.
    Gap(u64, u64, String),
    /// The wall clock has been set: when, as time of CLOCK_BOOTTIME, and CLOCK_REALTIME − CLOCK_BOOTTIME from then on, nanoseconds.
    Clock(u64, i64),
    /// The wall clock is right, and nobody knew that before: all times of the recording go by it, also those before. The same as
    /// [`Frame::Clock`] otherwise.
    ClockRight(u64, i64),
    /// A sweep is complete, and all that happened before this time of CLOCK_BOOTTIME is told. What it did not meet is gone.
    SweepEnd(u64),
    /// The recording ends, in order; time of CLOCK_BOOTTIME.
    End(u64),
}

/// Bytes that are no frame.
#[derive(Debug, thiserror::Error)]
#[error("a record of kind {kind} with {len} bytes cannot be decoded")]
pub struct FrameError {
    kind: u32,
    len: usize,
}

impl FrameError {
    /// Of so many bytes that were to be of `kind`.
    pub fn new(kind: u32, len: usize) -> Self {
        Self { kind, len }
    }
}

// Kinds in a capture file: those of the ring, and these.
const START: u32 = 100;
const LIVE: u32 = 101;
const SHARE: u32 = 102;
const PROCESS: u32 = 103;
const COUNTERS: u32 = 104;
const SWEEP_END: u32 = 105;
const END: u32 = 106;
const INTERFACES: u32 = 107;
const PROGRAM: u32 = 108;
const SIGHTING: u32 = 109;
const HOSTS: u32 = 110;
const REVERSE: u32 = 111;
const CLOCK: u32 = 112;
const GAP: u32 = 113;
const CLOCK_RIGHT: u32 = 115;
/// A program, with a command line without secrets instead of arguments.
const COMMAND: u32 = 114;

impl Frame {
    /// Decodes a record from the ring buffer, which begins with its kind.
    ///
    /// # Errors
    /// The kind is unknown or the length does not fit it.
    pub fn from_ring(bytes: &[u8]) -> Result<Self, FrameError> {
        let kind = bytes.first_chunk().map_or(0, |bytes| u32::from_ne_bytes(*bytes));
        Self::decode(kind, bytes)
    }

    /// Decodes the payload of a frame of `kind`.
    ///
    /// # Errors
    /// The kind is unknown or the payload does not fit it.
    pub fn decode(kind: u32, bytes: &[u8]) -> Result<Self, FrameError> {
        let error = || FrameError { kind, len: bytes.len() };
        fn pod<T: Pod>(bytes: &[u8]) -> Option<T> {
            try_pod_read_unaligned(bytes).ok()
        }
        // A record that had `least` bytes in an earlier version, to whose end fields were added since.
        fn grown<T: Pod>(bytes: &[u8], least: usize) -> Option<T> {
            let mut value = T::zeroed();
            bytes_of_mut(&mut value).get_mut(..bytes.len())?.copy_from_slice(bytes);
            (bytes.len() >= least).then_some(value)
        }
        let time = || pod::<u64>(bytes);
        Some(())
            .and_then(|()| {
                Some(match kind {
                    kind::SOCK => Self::Closed(Box::new(pod::<SockEntry>(bytes)?.without_notes())),
                    LIVE => Self::Live(Box::new(pod(bytes)?)),
                    kind::FORK | kind::EXIT | kind::EXISTS | kind::MOVED | kind::EXEC_LOST => {
                        Self::Task(pod(bytes)?)
                    }
                    kind::EXEC => Self::Exec(Box::new(grown::<ExecRecord>(bytes, EXEC_LEN_0)?.into())),
                    COMMAND => Self::Exec(Box::new(Exec::from_parts(bytes)?)),
                    kind::ASKED => Self::Asked(pod(bytes)?),
                    kind::CGROUP => Self::Cgroup(Box::new(pod(bytes)?)),
                    SHARE => {
                        let (key, share) = bytes.split_at_checked(size_of::<AcctKey>())?;
                        Self::Share(pod(key)?, pod(share)?)
                    }
                    COUNTERS => Self::Counters(Counters::decode(bytes)?),
                    START => Self::Start(serde_json::from_slice(bytes).ok()?),
                    PROCESS => Self::Process(serde_json::from_slice(bytes).ok()?),
                    PROGRAM => Self::Program(serde_json::from_slice(bytes).ok()?),
                    SIGHTING => Self::Observation(serde_json::from_slice(bytes).ok()?),
                    HOSTS => {
                        let (time, names) = serde_json::from_slice(bytes).ok()?;
                        Self::Hosts(time, names)
                    }
                    REVERSE => {
                        let (time, names) = serde_json::from_slice(bytes).ok()?;
                        Self::Reverse(time, names)
                    }
                    INTERFACES => {
                        let (time, interfaces) = serde_json::from_slice(bytes).ok()?;
                        Self::Interfaces(time, interfaces)
                    }
                    CLOCK | CLOCK_RIGHT => {
                        let (time, offset) = bytes.split_at_checked(size_of::<u64>())?;
                        let clock = if kind == CLOCK { Self::Clock } else { Self::ClockRight };
                        clock(pod(time)?, pod(offset)?)
                    }
                    GAP => {
                        let (from, to, reason) = serde_json::from_slice(bytes).ok()?;
                        Self::Gap(from, to, reason)
                    }
                    SWEEP_END => Self::SweepEnd(time()?),
                    END => Self::End(time()?),
                    _ => return None,
                })
            })
            .ok_or_else(error)
    }

    /// Appends kind, length and payload to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut put = |kind: u32, parts: &[&[u8]]| {
            let len: usize = parts.iter().map(|part| part.len()).sum();
            out.extend(kind.to_le_bytes());
            // Payloads are records of some kilobytes.
            out.extend((len as u32).to_le_bytes());
            parts.iter().for_each(|part| out.extend(*part));
        };
        // These structs consist of strings and numbers, which JSON can hold.
        let json = |value: Result<Vec<u8>, serde_json::Error>| value.unwrap_or_default();
        match self {
            Self::Start(start) => put(START, &[&json(serde_json::to_vec(start))]),
            Self::Closed(entry) => put(kind::SOCK, &[bytes_of(&**entry)]),
            Self::Live(entry) => put(LIVE, &[bytes_of(&**entry)]),
            Self::Share(key, share) => put(SHARE, &[bytes_of(key), bytes_of(share)]),
            Self::Task(task) => put(task.kind, &[bytes_of(task)]),
            Self::Exec(exec) => match &exec.command_line {
                None => put(kind::EXEC, &[bytes_of(&exec.record)]),
                Some(line) => {
                    let [head, tail] = exec.parts();
                    put(COMMAND, &[head, tail, &json(serde_json::to_vec(line))]);
                }
            },
            Self::Asked(asked) => put(kind::ASKED, &[bytes_of(asked)]),
            Self::Cgroup(cgroup) => put(kind::CGROUP, &[bytes_of(&**cgroup)]),
            Self::Process(facts) => put(PROCESS, &[&json(serde_json::to_vec(facts))]),
            Self::Program(facts) => put(PROGRAM, &[&json(serde_json::to_vec(facts))]),
            Self::Observation(observation) => put(SIGHTING, &[&json(serde_json::to_vec(observation))]),
            Self::Hosts(time, names) => put(HOSTS, &[&json(serde_json::to_vec(&(time, Exactly(names))))]),
            Self::Reverse(time, names) => put(REVERSE, &[&json(serde_json::to_vec(&(time, Exactly(names))))]),
            Self::Counters(counters) => put(COUNTERS, &[bytes_of(counters)]),
            Self::Interfaces(time, all) => put(INTERFACES, &[&json(serde_json::to_vec(&(time, all)))]),
            Self::Gap(from, to, reason) => put(GAP, &[&json(serde_json::to_vec(&(from, to, reason)))]),
            Self::Clock(time, offset) => put(CLOCK, &[bytes_of(time), bytes_of(offset)]),
            Self::ClockRight(time, offset) => put(CLOCK_RIGHT, &[bytes_of(time), bytes_of(offset)]),
            Self::SweepEnd(time) => put(SWEEP_END, &[bytes_of(time)]),
            Self::End(time) => put(END, &[bytes_of(time)]),
        }
    }
}
