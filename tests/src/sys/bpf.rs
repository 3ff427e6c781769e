//! A few bpf(2) calls: small programs that do to sockets what service meshes and load balancers do. No compiler is needed.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use super::checked;

// include/uapi/linux/bpf.h
const MAP_CREATE: libc::c_int = 0;
const MAP_UPDATE_ELEM: libc::c_int = 2;
const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_DETACH: libc::c_int = 9;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
/// Where `name` is in `struct bpf_prog_info`, and how long.
const NAME: std::ops::Range<usize> = 64..80;
const MAP_TYPE_SOCKMAP: u32 = 15;
const PROG_TYPE_SK_MSG: u32 = 16;
const PROG_TYPE_CGROUP_SOCK_ADDR: u32 = 18;
const ATTACH_SK_MSG_VERDICT: u32 = 7;

/// `union bpf_attr`, as 32-bit words.
struct Attributes([u32; 40]);

impl Attributes {
    fn of(words: &[u32]) -> Self {
        let mut all = [0; 40];
        all[..words.len()].copy_from_slice(words);
        Self(all)
    }

    fn pointer<T>(mut self, at: usize, to: *const T) -> Self {
        let address = to as u64;
        (self.0[at], self.0[at + 1]) = (address as u32, (address >> 32) as u32);
        self
    }

    fn call(&self, command: libc::c_int) -> io::Result<libc::c_int> {
        // SAFETY: the kernel reads the attributes, which have room for those of every command used here, and what they point to.
        let result = unsafe { libc::syscall(libc::SYS_bpf, command, self.0.as_ptr(), size_of_val(&self.0)) };
        checked(result as libc::c_int)
    }

    fn open(&self, command: libc::c_int) -> io::Result<OwnedFd> {
        let fd = self.call(command)?;
        // SAFETY: the kernel just gave us this descriptor.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }
}

/// `struct bpf_insn`: opcode, target and source register, offset, number.
fn instruction(opcode: u8, target: u8, source: u8, offset: i16, number: u32) -> u64 {
    u64::from_le_bytes({
        let [o0, o1] = offset.to_le_bytes();
        let [n0, n1, n2, n3] = number.to_le_bytes();
        [opcode, source << 4 | target, o0, o1, n0, n1, n2, n3]
    })
}

fn load(kind: u32, attach: u32, code: &[u64]) -> io::Result<OwnedFd> {
    let mut attributes = Attributes::of(&[kind, code.len() as u32]).pointer(2, code.as_ptr());
    attributes.0[17] = attach;
    attributes.pointer(4, c"GPL".as_ptr()).open(PROG_LOAD)
}

/// Before Linux 5.11 maps and programs count as locked memory. Where the limit may not be lifted, it matters no more.
fn lift_limit() {
    let limit = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: the kernel reads the limit.
    let _ = unsafe { libc::setrlimit(libc::RLIMIT_MEMLOCK, &raw const limit) };
}

/// The name of a loaded program, of which the kernel keeps fifteen bytes.
pub fn program_name(id: u32) -> io::Result<String> {
    let program = Attributes::of(&[id]).open(PROG_GET_FD_BY_ID)?;
    let mut info = [0_u8; NAME.end];
    let attributes = Attributes::of(&[fd(&program), info.len() as u32]).pointer(2, info.as_mut_ptr());
    attributes.call(OBJ_GET_INFO_BY_FD)?;
    let name = info[NAME].split(|&byte| byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

fn fd(fd: &impl AsRawFd) -> u32 {
    fd.as_raw_fd() as u32
}

/// A sockmap whose program puts what its sockets send into the queue of the second one.
pub struct Sockmap {
    map: OwnedFd,
    /// Attached as long as it is open.
    _program: OwnedFd,
}

impl Sockmap {
    /// Makes it.
    pub fn new() -> io::Result<Self> {
        lift_limit();
        let map = Attributes::of(&[MAP_TYPE_SOCKMAP, 4, 4, 2, 0]).open(MAP_CREATE)?;
        let program = load(
            PROG_TYPE_SK_MSG,
            0,
            &[
                instruction(0x18, 2, 1, 0, fd(&map)), // r2 = the map
                0,
                instruction(0xb7, 3, 0, 0, 1),  // r3 = the key
                instruction(0xb7, 4, 0, 0, 1),  // r4 = BPF_F_INGRESS
                instruction(0x85, 0, 0, 0, 60), // bpf_msg_redirect_map()
                instruction(0x95, 0, 0, 0, 0),  // exit
            ],
        )?;
        Attributes::of(&[fd(&map), fd(&program), ATTACH_SK_MSG_VERDICT]).call(PROG_ATTACH)?;
        Ok(Self { map, _program: program })
    }

    /// Puts a socket into it.
    pub fn put(&self, key: u32, socket: BorrowedFd<'_>) -> io::Result<()> {
        let value = fd(&socket);
        let attributes =
            Attributes::of(&[fd(&self.map)]).pointer(2, &raw const key).pointer(4, &raw const value);
        attributes.call(MAP_UPDATE_ELEM).map(drop)
    }
}

/// Leads calls in a cgroup from one address to another, while it lives.
pub struct Detour {
    cgroup: OwnedFd,
    program: OwnedFd,
    attach: u32,
}

/// Where a program changes the address of a call over IPv4: `enum bpf_attach_type` (include/uapi/linux/bpf.h). What does it over IPv6
/// is the next one.
#[derive(Clone, Copy)]
pub enum Rewrites {
    /// connect().
    Connect = 10,
    /// A send over UDP that names its target.
    Send = 14,
    /// What a receive over UDP tells of the sender.
    Receive = 19,
}

/// Where words of `struct bpf_sock_addr` are, and what stands there for an address: `user_ip4` at 4, `user_ip6` at 8, `user_port`
/// at 24, all big endian.
fn words(address: SocketAddr) -> Vec<(i16, u32)> {
    let ip: Vec<u8> = match address.ip() {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    };
    let first = if address.is_ipv4() { 4 } else { 8 };
    let numbers = ip.as_chunks().0.iter().map(|bytes| u32::from_ne_bytes(*bytes));
    let port = (24, u32::from(address.port().to_be()));
    (first..).step_by(4).zip(numbers).chain([port]).collect()
}

impl Detour {
    /// Attaches the program: where a call of the cgroup names the first address, the other one takes its place.
    pub fn new(cgroup: OwnedFd, at: Rewrites, from: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        lift_limit();
        let attach = at as u32 + u32::from(from.is_ipv6());
        let (from, to) = (words(from), words(to));
        // To the end, from behind the jump.
        let mut left = (2 * from.len() + 2 * to.len()) as i16;
        let mut code = Vec::new();
        for (at, number) in from {
            left -= 2;
            code.extend([instruction(0x61, 2, 1, at, 0), instruction(0x56, 2, 0, left, number)]);
        }
        for (at, number) in to {
            code.extend([instruction(0xb4, 2, 0, 0, number), instruction(0x63, 1, 2, at, 0)]);
        }
        code.extend([instruction(0xb7, 0, 0, 0, 1), instruction(0x95, 0, 0, 0, 0)]);
        let program = load(PROG_TYPE_CGROUP_SOCK_ADDR, attach, &code)?;
        Attributes::of(&[fd(&cgroup), fd(&program), attach]).call(PROG_ATTACH)?;
        Ok(Self { cgroup, program, attach })
    }
}

impl Drop for Detour {
    fn drop(&mut self) {
        let attributes = Attributes::of(&[fd(&self.cgroup), fd(&self.program), self.attach]);
        // It goes with its cgroup otherwise.
        let _ = attributes.call(PROG_DETACH);
    }
}
