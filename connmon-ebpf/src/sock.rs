//! `struct sock` and its relatives → the fields of a [`SockEntry`].

use aya_ebpf::helpers::bpf_probe_read_kernel;
use connmon_ebpf::{Addr, SockEntry, flag, stat};

use crate::maps::{count, offset};

/// AF_INET.
pub const AF_INET: u16 = 2;
/// AF_INET6.
pub const AF_INET6: u16 = 10;
/// IPPROTO_TCP.
pub const TCP: u16 = 6;
/// IPPROTO_UDP.
pub const UDP: u16 = 17;
/// `SOCK_DONE`: tcp_fin() sets it (enum sock_flags, include/net/sock.h).
const SOCK_DONE: u64 = 1 << 1;

/// Reads a kernel field; a failure is counted.
#[inline(always)]
pub fn read<T: Copy>(base: u64, offset: usize) -> Option<T> {
    // SAFETY: the helper checks the address.
    match unsafe { bpf_probe_read_kernel((base as usize).wrapping_add(offset) as *const T) } {
        Ok(value) => Some(value),
        Err(_) => {
            count(stat::READ_ERRORS, 1);
            None
        }
    }
}

/// AF_INET, AF_INET6 or another.
#[inline(always)]
pub fn family(sk: u64) -> u16 {
    read(sk, offset!(skc_family)).unwrap_or(0)
}

/// IPPROTO_* of the socket.
#[inline(always)]
pub fn proto(sk: u64) -> u16 {
    read(sk, offset!(sk_protocol)).unwrap_or(0)
}

/// Turns an IPv4-mapped IPv6 address into IPv4.
#[inline(always)]
pub fn normalise(addr: &mut Addr) {
    if addr.family == AF_INET6 && addr.ip[0] == 0 && addr.ip[1] == 0 && addr.ip[2] == u32::from_be(0xffff) {
        addr.ip = [addr.ip[3], 0, 0, 0];
        addr.family = AF_INET;
    }
}

/// The bound end of the socket. The port is `inet_sport`, since `skc_num` is 0 again by the time that TCP_CLOSE is
/// announced (tcp_set_state() calls inet_put_port(), net/ipv4/tcp.c).
#[inline(always)]
pub fn local(sk: u64, family: u16) -> Addr {
    let mut addr = Addr { ip: [0; 4], port: local_port(sk), family };
    if family == AF_INET6 {
        addr.ip = read(sk, offset!(skc_v6_rcv_saddr)).unwrap_or([0; 4]);
        normalise(&mut addr);
    } else {
        addr.ip[0] = read(sk, offset!(skc_rcv_saddr)).unwrap_or(0);
    }
    addr
}

/// The port that the socket is bound to.
#[inline(always)]
pub fn local_port(sk: u64) -> u16 {
    u16::from_be(read(sk, offset!(inet_sport)).unwrap_or(0))
}

/// The connected end of the socket; all zero where it is not connected.
#[inline(always)]
pub fn remote(sk: u64, family: u16) -> Addr {
    let port: u16 = read(sk, offset!(skc_dport)).unwrap_or(0);
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(port), family };
    if family == AF_INET6 {
        addr.ip = read(sk, offset!(skc_v6_daddr)).unwrap_or([0; 4]);
        normalise(&mut addr);
    } else {
        addr.ip[0] = read(sk, offset!(skc_daddr)).unwrap_or(0);
    }
    addr
}

/// Inode number of the socket's network namespace.
#[inline(always)]
pub fn netns(sk: u64) -> u32 {
    match read::<u64>(sk, offset!(skc_net)) {
        Some(net) => read(net, offset!(net_inum)).unwrap_or(0),
        None => 0,
    }
}

/// Bytes that a TCP socket has delivered to its readers so far, without the peer's FIN.
///
/// `bytes_received` and `rcv_nxt` both count the FIN as one, so it cancels out (tcp_rcv_nxt_update(),
/// net/ipv4/tcp_input.c), until `copied_seq` passes it, which only tcp_read_sock() does before the last call here.
#[inline(always)]
pub fn delivered(sk: u64) -> Option<u64> {
    let received: u64 = read(sk, offset!(bytes_received))?;
    let next: u32 = read(sk, offset!(rcv_nxt))?;
    let copied: u32 = read(sk, offset!(copied_seq))?;
    let fin = u64::from(next == copied && fin_received(sk));
    Some(received.wrapping_sub(u64::from(next.wrapping_sub(copied))).wrapping_sub(fin))
}

#[inline(always)]
fn fin_received(sk: u64) -> bool {
    read::<u64>(sk, offset!(skc_flags)).unwrap_or(0) & SOCK_DONE != 0
}

/// Copies the kernel's totals of a TCP socket into its entry. To be called at the transition to TCP_CLOSE:
/// before it data is still queued, at tcp_destroy_sock the counters of an aborted socket are zero.
#[inline(always)]
pub fn read_totals(sk: u64, entry: &mut SockEntry) {
    let sent: u64 = read(sk, offset!(bytes_sent)).unwrap_or(0);
    let again: u64 = read(sk, offset!(bytes_retrans)).unwrap_or(0);
    entry.kernel_tx = sent.wrapping_sub(again);
    entry.kernel_rx = read(sk, offset!(bytes_received)).unwrap_or(0);
    entry.retransmits = read(sk, offset!(total_retrans)).unwrap_or(0);
    entry.err = read(sk, offset!(sk_err)).unwrap_or(0);
    entry.flags |= flag::TOTALS;
    if fin_received(sk) {
        entry.flags |= flag::FIN_RECEIVED;
    }
}

/// The sender of a received datagram, from the headers in its `struct sk_buff`.
#[inline(always)]
pub fn sender(skb: u64) -> Option<Addr> {
    let head: u64 = read(skb, offset!(skb_head))?;
    let network: u16 = read(skb, offset!(skb_network_header))?;
    let transport: u16 = read(skb, offset!(skb_transport_header))?;
    let protocol: u16 = read(skb, offset!(skb_protocol))?;
    let port: u16 = read(head, transport as usize)?;
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(port), family: AF_INET };
    match u16::from_be(protocol) {
        // ETH_P_IP, ETH_P_IPV6; the source address's offset in either header.
        0x0800 => addr.ip[0] = read(head, network as usize + 12)?,
        0x86dd => {
            addr.family = AF_INET6;
            addr.ip = read(head, network as usize + 8)?;
        }
        _ => return None,
    }
    Some(addr)
}

/// The address in a kernel-side `sockaddr`, as `msghdr.msg_name` points to.
#[inline(always)]
pub fn sockaddr(name: u64) -> Option<Addr> {
    let family: u16 = read(name, 0)?;
    let port: u16 = read(name, 2)?;
    let mut addr = Addr { ip: [0; 4], port: u16::from_be(port), family };
    match family {
        AF_INET6 => {
            addr.ip = read(name, 8)?;
            normalise(&mut addr);
        }
        // UDP takes AF_UNSPEC for AF_INET (udp_sendmsg(), net/ipv4/udp.c).
        AF_INET | 0 => {
            addr.family = AF_INET;
            addr.ip[0] = read(name, 4)?;
        }
        _ => return None,
    }
    Some(addr)
}
