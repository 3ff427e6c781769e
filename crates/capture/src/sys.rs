//! The few calls that aya 0.14 does not offer: batched map look-ups, runs of a program that is attached nowhere, and the kernel's
//! count of missed program runs.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use bytemuck::{Pod, Zeroable, bytes_of_mut};

// enum bpf_cmd, include/uapi/linux/bpf.h
const BPF_MAP_CREATE: i64 = 0;
const BPF_MAP_UPDATE_ELEM: i64 = 2;
const BPF_MAP_DELETE_ELEM: i64 = 3;
const BPF_PROG_TEST_RUN: i64 = 10;
const BPF_OBJ_GET_INFO_BY_FD: i64 = 15;
const BPF_MAP_LOOKUP_BATCH: i64 = 24;
const BPF_LINK_CREATE: i64 = 28;
/// enum bpf_map_type.
const BPF_MAP_TYPE_ARRAY: u32 = 2;
const BPF_MAP_TYPE_ARRAY_OF_MAPS: u32 = 12;

/// `union bpf_attr` for BPF_MAP_*_BATCH.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct BatchAttr {
    in_batch: u64,
    out_batch: u64,
    keys: u64,
    values: u64,
    count: u32,
    map_fd: u32,
    elem_flags: u64,
    flags: u64,
}

/// `union bpf_attr` for BPF_MAP_CREATE.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct CreateAttr {
    map_type: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
    map_flags: u32,
    inner_map_fd: u32,
}

/// `union bpf_attr` for BPF_MAP_DELETE_ELEM and BPF_MAP_UPDATE_ELEM.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct ElemAttr {
    map_fd: u32,
    pad: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// `union bpf_attr` for BPF_OBJ_GET_INFO_BY_FD.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct InfoAttr {
    bpf_fd: u32,
    info_len: u32,
    info: u64,
}

// include/uapi/linux/bpf.h
const BPF_F_PREORDER: u32 = 1 << 6;
/// Programs of cgroup/connect4.
pub const CGROUP_INET4_CONNECT: u32 = 10;
/// Programs of cgroup/connect6.
pub const CGROUP_INET6_CONNECT: u32 = 11;
/// BPF_CGROUP_UDP4_SENDMSG (the same).
pub const CGROUP_UDP4_SENDMSG: u32 = 14;
/// BPF_CGROUP_UDP6_SENDMSG (the same).
pub const CGROUP_UDP6_SENDMSG: u32 = 15;
/// BPF_CGROUP_UDP4_RECVMSG (the same).
pub const CGROUP_UDP4_RECVMSG: u32 = 19;
/// BPF_CGROUP_UDP6_RECVMSG (the same).
pub const CGROUP_UDP6_RECVMSG: u32 = 20;

/// `union bpf_attr` for BPF_LINK_CREATE, of a cgroup.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct LinkAttr {
    prog_fd: u32,
    target_fd: u32,
    attach_type: u32,
    flags: u32,
    /// `union bpf_iter_link_info`: for a map, its descriptor.
    iter_info: u64,
    iter_info_len: u32,
    pad: u32,
}

/// `union bpf_attr` for BPF_PROG_TEST_RUN.
#[repr(C)]
#[derive(Clone, Copy, Zeroable, Pod)]
struct RunAttr {
    prog_fd: u32,
    retval: u32,
    data_size_in: u32,
    data_size_out: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    ctx_size_in: u32,
    ctx_size_out: u32,
    ctx_in: u64,
    ctx_out: u64,
}

/// `struct bpf_prog_info` up to `recursion_misses`, which Linux 5.12 added.
const PROG_INFO_LEN: usize = 224;
const RECURSION_MISSES_AT: usize = 208;

fn bpf<T: Pod>(command: i64, attr: &mut T) -> io::Result<i64> {
    let bytes = bytes_of_mut(attr);
    // SAFETY: the pointer and the length describe `attr`, and the pointers inside it come from slices that outlive the
    // call and have the room that their counts say.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, bytes.as_mut_ptr(), bytes.len()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Calls `each` for the entries of a hash map. Entries that stay while this runs are met exactly once.
///
/// # Errors
/// The kernel refuses.
pub fn for_each<K: Pod, V: Pod>(
    map: BorrowedFd<'_>,
    scratch: &mut Scratch,
    mut each: impl FnMut(&K, &V),
) -> io::Result<()> {
    let mut position: Option<u64> = None;
    loop {
        let room = scratch.room;
        scratch.keys.resize(room * size_of::<K>(), 0);
        scratch.values.resize(room * size_of::<V>(), 0);
        let mut next: u64 = 0;
        let mut attr = BatchAttr {
            in_batch: position.as_ref().map_or(0, |position| std::ptr::from_ref(position) as u64),
            out_batch: &raw mut next as u64,
            keys: scratch.keys.as_mut_ptr() as u64,
            values: scratch.values.as_mut_ptr() as u64,
            count: room as u32,
            map_fd: map.as_raw_fd() as u32,
            ..Zeroable::zeroed()
        };
        let last = match bpf(BPF_MAP_LOOKUP_BATCH, &mut attr) {
            Ok(_) => false,
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => true,
            // A bucket has more entries than there is room.
            Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => {
                scratch.room *= 2;
                continue;
            }
            Err(error) => return Err(error),
        };
        let count = attr.count as usize;
        for (key, value) in scratch
            .keys
            .chunks_exact(size_of::<K>())
            .zip(scratch.values.chunks_exact(size_of::<V>()))
            .take(count)
        {
            each(&bytemuck::pod_read_unaligned(key), &bytemuck::pod_read_unaligned(value));
        }
        if last {
            return Ok(());
        }
        position = Some(next);
    }
}

/// Deletes an entry; one that is not there is no error.
///
/// # Errors
/// The kernel refuses.
pub fn delete<K: Pod>(map: BorrowedFd<'_>, key: &K) -> io::Result<()> {
    let mut attr = ElemAttr {
        map_fd: map.as_raw_fd() as u32,
        key: std::ptr::from_ref(key) as u64,
        ..Zeroable::zeroed()
    };
    match bpf(BPF_MAP_DELETE_ELEM, &mut attr) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result.map(drop),
    }
}

/// Whether memory that this process locks is limited (RLIMIT_MEMLOCK).
pub fn locks_little() -> bool {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    unsafe {
        libc::getrlimit(libc::RLIMIT_MEMLOCK, &raw mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY
    }
}

/// Waits for programs to end: the kernel does so whenever user space changes a map of maps, so that nobody uses what it held
/// before (maybe_wait_bpf_programs(), kernel/bpf/syscall.c). The maps have no other purpose.
pub struct Grace {
    inner: OwnedFd,
    outer: OwnedFd,
}

impl Grace {
    /// Makes the maps.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn new() -> io::Result<Self> {
        let array = |map_type, inner_map_fd| {
            let attr = &mut CreateAttr {
                map_type,
                key_size: 4,
                value_size: 4,
                max_entries: 1,
                map_flags: 0,
                inner_map_fd,
            };
            bpf_descriptor(BPF_MAP_CREATE, attr)
        };
        let inner = array(BPF_MAP_TYPE_ARRAY, 0)?;
        let outer = array(BPF_MAP_TYPE_ARRAY_OF_MAPS, inner.as_raw_fd() as u32)?;
        Ok(Self { inner, outer })
    }

    /// Returns when every program has ended that was running when this was called.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn wait(&self) -> io::Result<()> {
        let (key, value) = (0_u32, self.inner.as_raw_fd() as u32);
        let mut attr = ElemAttr {
            map_fd: self.outer.as_raw_fd() as u32,
            key: &raw const key as u64,
            value: &raw const value as u64,
            ..Zeroable::zeroed()
        };
        bpf(BPF_MAP_UPDATE_ELEM, &mut attr).map(drop)
    }
}

/// Attaches a program to a cgroup, before those of the cgroups below it; it stays as long as what is returned is open.
///
/// # Errors
/// The kernel refuses, as those before Linux 6.17 do.
pub fn attach_first(
    program: BorrowedFd<'_>,
    cgroup: BorrowedFd<'_>,
    attach_type: u32,
) -> io::Result<OwnedFd> {
    bpf_descriptor(
        BPF_LINK_CREATE,
        &mut LinkAttr {
            prog_fd: program.as_raw_fd() as u32,
            target_fd: cgroup.as_raw_fd() as u32,
            attach_type,
            flags: BPF_F_PREORDER,
            ..Zeroable::zeroed()
        },
    )
}

/// Runs a program of a raw tracepoint that is attached nowhere, with one argument.
///
/// # Errors
/// The kernel refuses.
pub fn run(program: BorrowedFd<'_>, argument: u64) -> io::Result<()> {
    let mut attr = RunAttr {
        prog_fd: program.as_raw_fd() as u32,
        ctx_size_in: size_of_val(&argument) as u32,
        ctx_in: &raw const argument as u64,
        ..Zeroable::zeroed()
    };
    bpf(BPF_PROG_TEST_RUN, &mut attr).map(drop)
}

/// A command that answers with a new descriptor.
fn bpf_descriptor<T: Pod>(command: i64, attr: &mut T) -> io::Result<OwnedFd> {
    let fd = bpf(command, attr)?;
    // SAFETY: the kernel has just made it for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

/// Buffers of [`for_each`], to be used again.
pub struct Scratch {
    room: usize,
    keys: Vec<u8>,
    values: Vec<u8>,
}

impl Default for Scratch {
    fn default() -> Self {
        Self { room: 1024, keys: Vec::new(), values: Vec::new() }
    }
}

/// The number of times that the kernel skipped a program because it was already running on that CPU; 0 before Linux 5.12.
pub fn recursion_misses(program: BorrowedFd<'_>) -> u64 {
    let mut info = [0_u8; PROG_INFO_LEN];
    let mut attr = InfoAttr {
        bpf_fd: program.as_raw_fd() as u32,
        info_len: PROG_INFO_LEN as u32,
        info: info.as_mut_ptr() as u64,
    };
    if bpf(BPF_OBJ_GET_INFO_BY_FD, &mut attr).is_err() || (attr.info_len as usize) < RECURSION_MISSES_AT + 8 {
        return 0;
    }
    bytemuck::pod_read_unaligned(&info[RECURSION_MISSES_AT..RECURSION_MISSES_AT + 8])
}

/// CLOCK_BOOTTIME in nanoseconds.
pub fn boot_time_ns() -> u64 {
    boot_time() as u64
}

fn boot_time() -> i64 {
    clock(libc::CLOCK_BOOTTIME) - super::namespaces::boot_time_shift_ns()
}

/// CLOCK_REALTIME − CLOCK_BOOTTIME, read as close together as it goes: the two are read again where something came between.
pub fn clock_offset_ns() -> i64 {
    /// As close as is good enough, and how often that is tried.
    const CLOSE: i64 = 1_000_000;
    const TRIES: u32 = 5;
    let read = || {
        let before = boot_time();
        let real = clock(libc::CLOCK_REALTIME);
        let apart = boot_time() - before;
        (apart, real - (before + apart / 2))
    };
    let mut best = read();
    for _ in 1..TRIES {
        if best.0 <= CLOSE {
            break;
        }
        best = best.min(read());
    }
    best.1
}

/// Whether the kernel says that CLOCK_REALTIME follows a server's clock.
pub fn clock_is_synchronised() -> bool {
    // SAFETY: plain numbers, for which zero is a value; nothing is to be changed.
    let mut state: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: `state` is valid for writing.
    let clock = unsafe { libc::adjtimex(&raw mut state) };
    clock >= 0 && clock != libc::TIME_ERROR && state.status & libc::STA_UNSYNC == 0
}

fn clock(id: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is valid for writing.
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}
