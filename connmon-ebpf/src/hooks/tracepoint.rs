//! Backend `tracepoint`: for kernels with neither trampolines nor kprobes, from Linux 6.3.
//!
//! `sock_send_length` and `sock_recv_length` (include/trace/events/sock.h) tell the socket and the result of each call, but not the remote
//! address of a datagram. A cgroup program notes it for a send (see `cgroup`), and `consume_skb` for a receive: udp_recvmsg() fires that
//! tracepoint for the datagram that it delivers.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use connmon_ebpf::{Addr, RECEIVE_FUNCTIONS, proto};

use super::message;
use super::transfer::{diverted, layered_received, tcp_sent};
use crate::ledger::release::{id_of, retire};
use crate::maps::{SOCKS, setting};
use crate::redundant::{claims_event, copies};
use crate::sock::{self, MSG_ERRQUEUE, MSG_PEEK, number};
use crate::task::thread;

/// The bits of a value of [`proto`] that hold the protocol number; packet sockets have none.
const NUMBER: u16 = proto::RAW - 1;

/// The class that a socket is counted in, a value of [`proto`], or 0.
#[inline(always)]
fn counted(sk: u64) -> u16 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return sock::class(sk) };
    let id = id_of(entry);
    // SAFETY: a valid pointer into a map value; `proto` is set once.
    let (proto, inode) = unsafe { ((*entry).proto, (*entry).mark) };
    if proto == proto::PACKET && sock::inode(sk) != inode {
        // The entry is of an earlier packet socket at this address, whose end this backend has not seen.
        retire(sk, id, 0);
        return sock::class(sk);
    }
    // The entry may also be that of an earlier socket of another kind at this address.
    let is_stale = proto != proto::PACKET && proto & NUMBER != sock::protocol(sk);
    if is_stale { sock::class(sk) } else { proto }
}

/// Notes a remote address for this thread's call.
#[inline(always)]
pub fn note(remote: Addr, header: u64) {
    message::note(0, remote, header);
}

copies! {
    /// `sock_send_length(sk, ret, flags)`
    btf_tracepoint("sock_send_length") sock_send_length (ctx: BtfTracePointContext, copy) {
        if claims_event(copy, thread()) {
            let sk = number(ctx.arg(0));
            let ret = i64::from(ctx.arg::<i32>(1));
            match counted(sk) {
                0 => {}
                proto::TCP => {
                    diverted(sk);
                    tcp_sent(sk, ret);
                }
                class => message::sent_as(class, sk, 0, ret),
            }
        }
    }
}

copies! {
    /// `sock_recv_length(sk, ret, flags)`
    btf_tracepoint("sock_recv_length") sock_recv_length (ctx: BtfTracePointContext, copy) {
        if claims_event(copy, thread()) {
            let sk = number(ctx.arg(0));
            let ret = i64::from(ctx.arg::<i32>(1));
            let flags: i32 = ctx.arg(2);
            let class = counted(sk);
            if class == 0 {
                return 0;
            }
            if class == proto::TCP {
                if flags & (MSG_PEEK | MSG_ERRQUEUE) == 0 && (sock::layered(sk) || diverted(sk)) {
                    layered_received(sk, ret);
                }
                return 0;
            }
            message::received_as(class, sk, 0, flags, ret);
        }
    }
}

copies! {
    /// `consume_skb(skb, location)`: `location` is the code that consumed the packet, and tells the end of a UDP receive from everything
    /// else. Each copy may leave the same note; without one, the entry is marked as one whose remote is unknown.
    btf_tracepoint("consume_skb") consume_skb (ctx: BtfTracePointContext, _copy) {
        if ends_a_receive(ctx.arg(1)) {
            let skb: u64 = ctx.arg(0);
            if let Some(remote) = sock::sender(skb) {
                note(remote, sock::header_len(skb));
            }
        }
    }
}

#[inline(always)]
fn ends_a_receive(location: u64) -> bool {
    for function in 0..RECEIVE_FUNCTIONS {
        let [from, to] = setting(|s| unsafe { &raw const (*s).receive[function] });
        if location >= from && location < to {
            return true;
        }
    }
    false
}
