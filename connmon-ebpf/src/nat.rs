//! A packet whose addresses the kernel has translated (NAT) no longer has those of its socket. The socket's are read from where the kernel
//! keeps both: the connection tracking entry that the packet refers to.

use connmon_ebpf::Addr;

use crate::maps::offset;
use crate::sock::{AF_INET6, peek};

/// `NFCT_INFOMASK` (include/linux/netfilter/nf_conntrack_common.h): these bits of `sk_buff._nfct` are the state.
const STATE: u64 = 7;
/// `IP_CT_IS_REPLY` (include/uapi/linux/netfilter/nf_conntrack_common.h): from this state on, packets are replies.
const ANSWERS: u64 = 3;
/// `IPS_NAT_MASK` (the same file).
const IS_TRANSLATED: u64 = 0x30;

/// `struct nf_conntrack_tuple` (include/net/netfilter/nf_conntrack_tuple.h): the source and destination of one direction, before
/// translation. Addresses and ports are in network byte order.
#[repr(C)]
#[derive(Clone, Copy)]
struct Tuple {
    from: [u32; 4],
    from_port: u16,
    family: u16,
    to: [u32; 4],
    to_port: u16,
    proto: u8,
    direction: u8,
}

/// Whether the layout of this kernel's connection tracking is known.
#[inline(always)]
pub fn is_known() -> bool {
    offset!(ct_tuples) != u32::MAX as usize
}

/// Replaces the ends of a packet that leaves a socket by those that it had before NAT translated them. The conntrack states of ICMP
/// errors, which belong to another flow, do not occur here, because only TCP and UDP packets get here.
#[inline(always)]
pub fn undo(skb: u64, local: &mut Addr, remote: &mut Addr) {
    let at = tuple_of(skb);
    if at == 0 {
        return;
    }
    let tuple: Tuple = peek(at, 0);
    if tuple.family != remote.family {
        return;
    }
    local.port = u16::from_be(tuple.from_port);
    remote.port = u16::from_be(tuple.to_port);
    if tuple.family == AF_INET6 {
        local.ip = tuple.from;
        remote.ip = tuple.to;
    } else {
        local.ip[0] = tuple.from[0];
        remote.ip[0] = tuple.to[0];
    }
}

/// Address of the tuple in which the kernel keeps the untranslated ends of a packet; 0 if it did not translate the packet. A global
/// function, which the verifier checks once.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn tuple_of(skb: u64) -> u64 {
    let tracked: u64 = peek(skb, offset!(skb_nfct));
    let connection = tracked & !STATE;
    if connection == 0 || peek::<u64>(connection, offset!(ct_status)) & IS_TRANSLATED == 0 {
        return 0;
    }
    let direction = if tracked & STATE >= ANSWERS { offset!(ct_direction) } else { 0 };
    connection + (offset!(ct_tuples) + direction) as u64
}
