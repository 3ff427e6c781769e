//! `struct sock` and its relatives → the fields of a [`SockEntry`].

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;
use connmon_ebpf::{Addr, SockEntry, flag, proto, stat};

use crate::maps::{add_to, count_only, offset};

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

/// Reads a kernel field; zero if that fails, which is counted. Not an `Option`, whose value is unset on one path: the verifier of Linux
/// 5.10 rejects the program when the compiler moves such a value about.
#[inline(always)]
pub fn get<T: Copy>(base: u64, offset: usize) -> T {
    let (value, result) = read(base, offset);
    note_read(result);
    value
}

/// Like [`get`], for memory that may have been freed: a read that fails gives zero and is not counted.
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

/// Counts a read that failed. A global function, which the verifier checks once and not at each call: without a branch after every read,
/// it has less than half the work.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn note_read(result: i64) -> u64 {
    if result < 0 {
        count_only(stat::READ_ERRORS, 1);
    }
    0
}

/// The address in a pointer whose type the verifier tracks, as a plain number, which is what global functions take. What an atomic add has
/// written to the stack is a number to the verifier, whatever it was before (check_stack_read_fixed_off(), kernel/bpf/verifier.c); a read
/// by a helper would give the same and costs more.
#[inline(always)]
pub fn number(pointer: u64) -> u64 {
    let mut slot = core::mem::MaybeUninit::<u64>::uninit();
    let slot = slot.as_mut_ptr();
    // SAFETY: on the stack; volatile, so that the pointer really is stored, and read again.
    unsafe {
        core::ptr::write_volatile(slot, pointer);
        add_to(slot, 0);
        core::ptr::read_volatile(slot)
    }
}

/// The address family of the socket: AF_INET, AF_INET6 or another.
#[inline(always)]
pub fn family(sk: u64) -> u16 {
    get(sk, offset!(skc_family))
}

/// The number of the socket's protocol.
#[inline(always)]
pub fn protocol(sk: u64) -> u16 {
    get(sk, offset!(sk_protocol))
}

/// The class that connmon counts the socket in, a value of [`proto`]; 0 if it does not count it.
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

/// Whether data received from the socket begins with the IPv4 header.
#[inline(always)]
pub fn shows_header(sk: u64) -> bool {
    family(sk) == AF_INET && get::<u16>(sk, offset!(sk_type)) == SOCK_RAW
}

/// Whether an upper-layer protocol (ULP: kernel TLS, MPTCP) runs on a TCP socket.
#[inline(always)]
pub fn layered(sk: u64) -> bool {
    get::<u64>(sk, offset!(icsk_ulp_ops)) != 0
}

/// Whether a socket is in a sockmap, whose programs may move its bytes past its protocol. Its `sk_user_data` then points to a `struct
/// sk_psock` that points back to the socket (include/linux/skmsg.h); the lowest bits of that pointer are flags. KCM does the same, and
/// also takes over the bytes of a socket.
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

/// The beginning of `struct sock_common` (include/net/sock.h), read at once; user space checks that the kernel has this layout.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Common {
    /// The IPv4 remote, in network byte order; also set for an IPv6 socket whose remote is IPv4-mapped.
    pub daddr: u32,
    rcv_saddr: u32,
    hash: u32,
    /// Network byte order.
    pub dport: u16,
    /// The local port; 0 once the socket has given it up.
    pub num: u16,
}

/// Reads the [`Common`] of a socket.
#[inline(always)]
pub fn common(sk: u64) -> Common {
    get(sk, offset!(skc_daddr))
}

/// Like [`common`], for memory that may have been freed.
#[inline(always)]
pub fn peek_common(sk: u64) -> Common {
    peek(sk, offset!(skc_daddr))
}

/// Whether the reference count of a socket is zero, which means that its memory has been freed.
#[inline(always)]
pub fn is_free(sk: u64) -> bool {
    peek::<u32>(sk, offset!(skc_refcnt)) == 0
}

/// Whether the IPv6 remote address of a socket is that of `remote`.
///
/// # Safety
/// `remote` is valid.
#[inline(always)]
pub unsafe fn is_remote_v6(sk: u64, remote: *const Addr) -> bool {
    // SAFETY: as the caller promises.
    peek::<[u32; 4]>(sk, offset!(skc_v6_daddr)) == unsafe { (*remote).ip }
}

/// Whether the socket is connected to `remote`.
///
/// # Safety
/// `remote` is valid.
#[inline(always)]
pub unsafe fn is_remote(sk: u64, remote: *const Addr) -> bool {
    let now = common(sk);
    // SAFETY: as the caller promises.
    unsafe {
        u16::from_be(now.dport) == (*remote).port
            && match (*remote).family {
                AF_INET => now.daddr == (*remote).ip[0],
                _ => is_remote_v6(sk, remote),
            }
    }
}

/// The local end of the socket. The port is `inet_sport`, because `skc_num` is 0 again by the time TCP_CLOSE is announced (tcp_set_state()
/// calls inet_put_port(), net/ipv4/tcp.c).
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

/// Inode number of the socket's file, which the kernel does not soon give to another socket; 0 once no process has the socket any more
/// (sock_orphan(), include/net/sock.h).
#[inline(always)]
pub fn inode(sk: u64) -> u32 {
    inode_of(sk) as u32
}

#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn inode_of(sk: u64) -> u64 {
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

/// The remote end of the socket; address and port are zero if the socket is not connected.
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

/// The destination of a UDP socket's corked datagram, or of the last one that it had (`cork`, include/net/inet_sock.h).
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

/// The remote of a UDP send that names none: the one that the socket is connected to, else that of the corked datagram that the send
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
/// `bytes_received` and `rcv_nxt` both count the FIN as one, so it cancels out (tcp_rcv_nxt_update(), net/ipv4/tcp_input.c) until
/// `copied_seq` passes it. Before the last call of this function, only tcp_read_sock() lets it pass.
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

/// Whether a TCP socket is in TCP_CLOSE, the state in which it begins and ends.
#[inline(always)]
pub fn is_closed(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == CLOSE
}

/// Whether a TCP socket is in TCP_SYN_RECV.
#[inline(always)]
pub fn is_answering(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == 3
}

/// When the SYN reached a TCP socket whose handshake is over at `now`, or a little earlier: the first round trip that a server measures is
/// that of its SYN-ACK (tcp_synack_rtt_meas(), net/ipv4/tcp_input.c). 0 if it was not measured.
#[inline(always)]
pub fn syn_received(sk: u64, now: u64) -> u64 {
    match get::<u32>(sk, offset!(srtt_us)) {
        0 => 0,
        // `srtt_us` is in eighths of a microsecond; the SYN-ACK is stamped a little after the SYN arrived.
        eighths => now.saturating_sub((u64::from(eighths) / 8 + 100) * 1000),
    }
}

/// Whether a TCP socket is in TCP_SYN_SENT.
#[inline(always)]
pub fn is_connecting(sk: u64) -> bool {
    get::<u8>(sk, offset!(skc_state)) == 2
}

/// Bytes that went with the SYN of a socket that is still in TCP_SYN_SENT: those behind the SYN itself, since nothing has been
/// acknowledged yet (tcp_connect_init(), net/ipv4/tcp_output.c).
#[inline(always)]
pub fn sent_with_syn(sk: u64) -> u32 {
    let una: u32 = get(sk, offset!(snd_una));
    if una == 0 {
        // connect() with TCP_FASTOPEN_CONNECT leaves the SYN to the first send; until then the socket has a sequence number but has sent
        // nothing (tcp_fastopen_defer_connect(), net/ipv4/tcp_fastopen.c).
        return 0;
    }
    write_seq(sk).wrapping_sub(una).saturating_sub(1)
}

/// Sequence number behind the last byte that was handed to a TCP socket.
#[inline(always)]
pub fn write_seq(sk: u64) -> u32 {
    get(sk, offset!(write_seq))
}

/// Copies the kernel's totals of a TCP socket into its entry. Must be called at the transition to TCP_CLOSE: earlier, data is still
/// queued; later, at tcp_destroy_sock, the counters of an aborted socket are zero.
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
