//! `struct sock` and its relatives → the fields of a [`SockEntry`].

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use connmon_ebpf::{Addr, SockEntry, flag, proto, stat};

use crate::maps::{count_only, offset};

// include/linux/socket.h
pub const MSG_PEEK: i32 = 0x2;
pub const MSG_ERRQUEUE: i32 = 0x2000;

/// AF_INET.
pub const AF_INET: u16 = 2;
/// AF_INET6.
pub const AF_INET6: u16 = 10;
/// TCP_CLOSE, include/net/tcp_states.h.
pub const CLOSE: u8 = 7;
/// TCP_LISTEN.
pub const LISTEN: u8 = 10;
/// AF_PACKET.
const AF_PACKET: u16 = 17;
// Socket types, include/linux/net.h.
const SOCK_STREAM: u16 = 1;
const SOCK_DGRAM: u16 = 2;
const SOCK_RAW: u16 = 3;
/// `SOCK_DONE`: tcp_fin() sets it (enum sock_flags, include/net/sock.h).
const SOCK_DONE: u64 = 1 << 1;

/// Reads a kernel field; zero if that fails, which is counted. Not an `Option`: that leaves the value unset on one path,
/// and the verifier of Linux 5.10 takes offence when the compiler moves it about.
#[inline(always)]
pub fn get<T: Copy>(base: u64, offset: usize) -> T {
    let (value, result) = read(base, offset);
    note_read(result);
    value
}

/// The same of memory that may have been given back, where a failure is an answer.
#[inline(always)]
pub fn peek<T: Copy>(base: u64, offset: usize) -> T {
    read(base, offset).0
}

#[inline(always)]
fn read<T: Copy>(base: u64, offset: usize) -> (T, i64) {
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    let from = (base as usize).wrapping_add(offset);
    // SAFETY: `value` has room for size_of::<T>() bytes; the helper checks the address it reads from.
    let result =
        unsafe { bpf_probe_read_kernel(value.as_mut_ptr().cast(), size_of::<T>() as u32, from as *const _) };
    // SAFETY: the helper writes all of it, zeros if it fails; the callers read numbers and arrays of numbers.
    (unsafe { value.assume_init() }, result)
}

/// Counts a read that failed. A global function, which the verifier follows once and not at each of the calls: without a branch
/// after every read, its work is less than half.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn note_read(result: i64) -> u64 {
    if result < 0 {
        count_only(stat::READ_ERRORS, 1);
    }
    0
}

/// The number behind a pointer that the verifier types: read back from the stack by a helper, it is only a number.
#[inline(always)]
pub fn number(pointer: u64) -> u64 {
    let mut slot = core::mem::MaybeUninit::<u64>::uninit();
    // SAFETY: `slot` is on the stack; volatile, so that the pointer really is stored.
    unsafe { core::ptr::write_volatile(slot.as_mut_ptr(), pointer) };
    get(slot.as_ptr() as u64, 0)
}

/// AF_INET, AF_INET6 or another.
#[inline(always)]
pub fn family(sk: u64) -> u16 {
    get(sk, offset!(skc_family))
}

/// The number of the socket's protocol.
#[inline(always)]
pub fn protocol(sk: u64) -> u16 {
    get(sk, offset!(sk_protocol))
}

/// What connmon counts the socket as, a value of [`proto`], or 0 if it does not.
#[inline(always)]
pub fn class(sk: u64) -> u16 {
    let family = family(sk);
    if family == AF_PACKET {
        return proto::PACKET;
    }
    if family != AF_INET && family != AF_INET6 {
        return 0;
    }
    let protocol = protocol(sk);
    match (get::<u16>(sk, offset!(sk_type)), protocol) {
        (SOCK_STREAM, proto::TCP | proto::MPTCP) => protocol,
        (SOCK_DGRAM | SOCK_RAW, proto::ICMP | proto::ICMPV6) => protocol,
        (SOCK_DGRAM, proto::UDP) => protocol,
        (SOCK_RAW, _) => protocol & 0xff | proto::RAW,
        _ => 0,
    }
}

/// Whether what the socket receives begins with the IPv4 header.
#[inline(always)]
pub fn shows_header(sk: u64) -> bool {
    family(sk) == AF_INET && get::<u16>(sk, offset!(sk_type)) == SOCK_RAW
}

/// Whether another protocol rides on a TCP socket.
#[inline(always)]
pub fn layered(sk: u64) -> bool {
    get::<u64>(sk, offset!(icsk_ulp_ops)) != 0
}

/// Whether a socket is in a sockmap, whose programs may move its bytes past its protocol. The kernel then hangs a `struct sk_psock`
/// on it, which points back (include/linux/skmsg.h); the lowest bits beside the address are flags. KCM does alike, and takes a
/// socket's bytes as well.
#[inline(always)]
pub fn is_diverted(sk: u64) -> bool {
    let back = offset!(psock_sk);
    if back == u32::MAX as usize {
        return false;
    }
    let psock = peek::<u64>(sk, offset!(sk_user_data)) & !7;
    psock != 0 && peek::<u64>(psock, back) == sk
}

/// Turns an IPv4-mapped IPv6 address into IPv4.
#[inline(always)]
pub fn normalise(addr: &mut Addr) {
    if addr.family == AF_INET6 && addr.ip[0] == 0 && addr.ip[1] == 0 && addr.ip[2] == u32::from_be(0xffff) {
        addr.ip = [addr.ip[3], 0, 0, 0];
        addr.family = AF_INET;
    }
}

/// The beginning of `struct sock_common` (include/net/sock.h), in one read; user space checks that it lies like this.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Common {
    /// Network byte order; of IPv6 too where the remote is IPv4-mapped.
    pub daddr: u32,
    rcv_saddr: u32,
    hash: u32,
    /// Network byte order.
    pub dport: u16,
    /// The local port, 0 once it has been given back.
    pub num: u16,
}

/// Reads it.
#[inline(always)]
pub fn common(sk: u64) -> Common {
    get(sk, offset!(skc_daddr))
}

/// The same of memory that may have been given back.
#[inline(always)]
pub fn peek_common(sk: u64) -> Common {
    peek(sk, offset!(skc_daddr))
}

/// Whether nothing refers to a socket any more: its memory has been given back.
#[inline(always)]
pub fn is_free(sk: u64) -> bool {
    peek::<u32>(sk, offset!(skc_refcnt)) == 0
}

/// Whether a socket's remote address over IPv6 is this one.
///
/// # Safety
/// `remote` is valid.
#[inline(always)]
pub unsafe fn is_remote_v6(sk: u64, remote: *const Addr) -> bool {
    // SAFETY: as the caller promises.
    peek::<[u32; 4]>(sk, offset!(skc_v6_daddr)) == unsafe { (*remote).ip }
}

/// The bound end of the socket. The port is `inet_sport`, since `skc_num` is 0 again by the time that TCP_CLOSE is
/// announced (tcp_set_state() calls inet_put_port(), net/ipv4/tcp.c).
#[inline(always)]
pub fn local(sk: u64, family: u16) -> Addr {
    let mut addr = Addr { ip: [0; 4], port: local_port(sk), family };
    if family == AF_INET6 {
        addr.ip = get(sk, offset!(skc_v6_rcv_saddr));
        normalise(&mut addr);
    } else {
        addr.ip[0] = get(sk, offset!(skc_rcv_saddr));
    }
    addr
}

/// The number of the inode of the file that is the socket, which no socket after it gets soon; 0 where no process has it any
/// more (sock_orphan(), include/net/sock.h).
#[inline(always)]
pub fn inode(sk: u64) -> u32 {
    inode_of(sk) as u32
}

/// As a function of its own: the stack is short.
#[inline(never)]
fn inode_of(sk: u64) -> u64 {
    match peek::<u64>(sk, offset!(sk_socket)) {
        0 => 0,
        socket => peek::<u64>(socket, offset!(socket_inode) + offset!(inode_ino)),
    }
}

/// The port that the socket is bound to.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    u16::from_be(get(sk, offset!(inet_sport)))
}

/// The connected end of the socket; all zero where it is not connected.
#[inline(always)]
pub fn remote(sk: u64, family: u16) -> Addr {
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(get(sk, offset!(skc_dport))), family };
    if family == AF_INET6 {
        addr.ip = get(sk, offset!(skc_v6_daddr));
        normalise(&mut addr);
    } else {
        addr.ip[0] = get(sk, offset!(skc_daddr));
    }
    addr
}

/// Where the corked datagram of a UDP socket goes, or went last (`cork`, include/net/inet_sock.h).
#[inline(always)]
pub fn corked(sk: u64, family: u16) -> Addr {
    let port: u16;
    let mut addr = Addr { ip: [0; 4], port: 0, family };
    if family == AF_INET6 {
        addr.ip = get(sk, offset!(cork_v6_daddr));
        port = get(sk, offset!(cork_v6_dport));
        normalise(&mut addr);
    } else {
        addr.ip[0] = get(sk, offset!(cork_v4_daddr));
        port = get(sk, offset!(cork_v4_dport));
    }
    addr.port = u16::from_be(port);
    addr
}

/// The other end of a UDP socket for a send that names none: the connected one, else the one of the datagram that it
/// continues.
#[inline(always)]
pub fn implied(sk: u64, family: u16) -> Addr {
    let connected = remote(sk, family);
    if connected.port != 0 { connected } else { corked(sk, family) }
}

/// Inode number of the socket's network namespace.
#[inline(always)]
pub fn netns(sk: u64) -> u32 {
    match get::<u64>(sk, offset!(skc_net)) {
        0 => 0,
        net => get(net, offset!(net_inum)),
    }
}

/// Bytes that a TCP socket has delivered to its readers so far, without the peer's FIN.
///
/// `bytes_received` and `rcv_nxt` both count the FIN as one, so it cancels out (tcp_rcv_nxt_update(),
/// net/ipv4/tcp_input.c), until `copied_seq` passes it, which only tcp_read_sock() does before the last call here.
#[inline(always)]
pub fn delivered(sk: u64) -> u64 {
    let received: u64 = get(sk, offset!(bytes_received));
    let next: u32 = get(sk, offset!(rcv_nxt));
    let copied: u32 = get(sk, offset!(copied_seq));
    let fin = u64::from(next == copied && fin_received(sk));
    received.saturating_sub(u64::from(next.wrapping_sub(copied))).saturating_sub(fin)
}

#[inline(always)]
fn fin_received(sk: u64) -> bool {
    get::<u64>(sk, offset!(skc_flags)) & SOCK_DONE != 0
}

/// Whether a TCP socket takes data: TCP_ESTABLISHED, TCP_CLOSE_WAIT, or TCP_SYN_RECV, in which TCP Fast Open lets a server
/// answer already (include/net/tcp_states.h).
#[inline(always)]
pub fn is_open(sk: u64) -> bool {
    matches!(get::<u8>(sk, offset!(skc_state)), 1 | 3 | 8)
}

/// Whether a TCP socket is in TCP_CLOSE, in which it begins and ends.
#[inline(always)]
pub fn is_closed(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == CLOSE
}

/// Whether a TCP socket is in TCP_SYN_RECV.
#[inline(always)]
pub fn is_answering(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == 3
}

/// When the SYN came to a TCP socket whose handshake is over at `now`, no later than that: the first round trip of a server
/// is that of its answer (tcp_synack_rtt_meas(), net/ipv4/tcp_input.c). 0 where it was not measured.
#[inline(always)]
pub fn syn_received(sk: u64, now: u64) -> u64 {
    match get::<u32>(sk, offset!(srtt_us)) {
        0 => 0,
        // In eighths; the answer is stamped a little after the SYN was seen.
        eighths => now.saturating_sub((u64::from(eighths) / 8 + 100) * 1000),
    }
}

/// Whether a TCP socket is in TCP_SYN_SENT.
#[inline(always)]
pub fn is_connecting(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == 2
}

/// Bytes that went with the SYN of a socket that is still in TCP_SYN_SENT: behind the SYN itself, from which nothing has been
/// acknowledged yet (tcp_connect_init(), net/ipv4/tcp_output.c).
#[inline(always)]
pub fn sent_with_syn(sk: u64) -> u32 {
    let una: u32 = get(sk, offset!(snd_una));
    if una == 0 {
        // connect() with TCP_FASTOPEN_CONNECT leaves the SYN to the first send; until then the socket has a sequence number,
        // and nothing that was sent (tcp_fastopen_defer_connect(), net/ipv4/tcp_fastopen.c).
        return 0;
    }
    write_seq(sk).wrapping_sub(una).saturating_sub(1)
}

/// Sequence number behind the last byte that was handed to a TCP socket.
#[inline(always)]
pub fn write_seq(sk: u64) -> u32 {
    get(sk, offset!(write_seq))
}

/// Copies the kernel's totals of a TCP socket into its entry. To be called at the transition to TCP_CLOSE:
/// before it data is still queued, at tcp_destroy_sock the counters of an aborted socket are zero.
#[inline(always)]
pub fn read_totals(sk: u64, entry: &mut SockEntry) {
    let sent: u64 = get(sk, offset!(bytes_sent));
    let again: u64 = get(sk, offset!(bytes_retrans));
    entry.kernel_tx = sent.wrapping_sub(again);
    entry.retransmitted = again;
    entry.srtt = get(sk, offset!(srtt_us));
    entry.kernel_rx = get(sk, offset!(bytes_received));
    entry.retransmits = get(sk, offset!(total_retrans));
    entry.err = get(sk, offset!(sk_err));
    entry.flags |= flag::TOTALS;
    if fin_received(sk) {
        entry.flags |= flag::FIN_RECEIVED;
    }
    if layered(sk) {
        entry.flags |= flag::LAYERED;
    }
}

/// Bytes of the IP header of a received packet.
#[inline(always)]
pub fn header_len(skb: u64) -> u64 {
    let network: u16 = get(skb, offset!(skb_network_header));
    let transport: u16 = get(skb, offset!(skb_transport_header));
    u64::from(transport.wrapping_sub(network))
}

/// The sender of a received datagram, from the headers in its `struct sk_buff`.
#[inline(always)]
pub fn sender(skb: u64) -> Option<Addr> {
    let head: u64 = get(skb, offset!(skb_head));
    let network: u16 = get(skb, offset!(skb_network_header));
    let transport: u16 = get(skb, offset!(skb_transport_header));
    let protocol: u16 = get(skb, offset!(skb_protocol));
    let port: u16 = get(head, transport as usize);
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(port), family: AF_INET };
    match u16::from_be(protocol) {
        // ETH_P_IP, ETH_P_IPV6; the source address's offset in either header.
        0x0800 => addr.ip[0] = get(head, network as usize + 12),
        0x86dd => {
            addr.family = AF_INET6;
            addr.ip = get(head, network as usize + 8);
        }
        _ => return None,
    }
    Some(addr)
}

/// The address in a kernel-side `sockaddr`, as `msghdr.msg_name` points to.
#[inline(always)]
pub fn sockaddr(name: u64) -> Option<Addr> {
    let family: u16 = get(name, 0);
    let port: u16 = get(name, 2);
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(port), family };
    match family {
        AF_INET6 => {
            addr.ip = get(name, 8);
            normalise(&mut addr);
        }
        // UDP takes AF_UNSPEC for AF_INET (udp_sendmsg(), net/ipv4/udp.c).
        AF_INET | 0 => {
            addr.family = AF_INET;
            addr.ip[0] = get(name, 4);
        }
        _ => return None,
    }
    Some(addr)
}
