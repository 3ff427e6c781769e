//! Backend `tracepoint`: for kernels with neither trampolines nor kprobes, from Linux 6.3.
//!
//! `sock_send_length` and `sock_recv_length` (include/trace/events/sock.h) tell socket and result of each call, but
//! not the remote address of a datagram. For sending, a cgroup program notes it (see `cgroup`); for receiving,
//! `consume_skb` does, which udp_recvmsg() fires for the datagram it delivers.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use connmon_ebpf::{Addr, stat};

use super::transfer::{tcp_sent, udp_received};
use crate::account::{Way, datagram};
use crate::maps::{CALLS, Call, SOCKS, count, setting};
use crate::sock;
use crate::task::thread;
use crate::copies::{copies, mine};

// include/linux/socket.h
const MSG_PEEK: i32 = 0x2;
const MSG_ERRQUEUE: i32 = 0x2000;

/// Protocol of a socket this backend counts, or 0.
#[inline(always)]
fn counted(sk: u64) -> u16 {
    if let Some(entry) = SOCKS.get_ptr(sk) {
        // SAFETY: a valid pointer into a map value; `proto` never changes.
        return unsafe { (*entry).proto };
    }
    let family = sock::family(sk);
    if family != sock::AF_INET && family != sock::AF_INET6 {
        return 0;
    }
    sock::proto(sk)
}

/// The remote address that an earlier hook noted for this thread's call.
#[inline(always)]
fn noted(tid: u64) -> Option<Addr> {
    let note = CALLS.get_ptr(tid)?;
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let remote = unsafe { (*note).remote };
    let _ = CALLS.remove(tid);
    Some(remote)
}

/// Notes a remote address for this thread's call.
#[inline(always)]
pub fn note(tid: u64, remote: Addr) {
    if CALLS.insert(tid, Call { sk: 0, arg: 0, remote, port: 0 }, 0).is_err() {
        count(stat::CALLS_FULL, 1);
    }
}

copies! {
    /// `sock_send_length(sk, ret, flags)`
    btf_tracepoint("sock_send_length") sock_send_length (ctx: BtfTracePointContext, copy) {
        if mine(copy, thread()) {
            let sk: u64 = ctx.arg(0);
            let ret = i64::from(ctx.arg::<i32>(1));
            match counted(sk) {
                sock::TCP => tcp_sent(sk, ret),
                sock::UDP => {
                    let remote = noted(bpf_get_current_pid_tgid());
                    if ret >= 0 {
                        let remote = remote.unwrap_or_else(|| sock::remote(sk, sock::family(sk)));
                        datagram(sk, sock::UDP, Way::Tx, &remote, 0, ret as u64);
                    }
                }
                _ => {}
            }
        }
    }
}

copies! {
    /// `sock_recv_length(sk, ret, flags)`
    btf_tracepoint("sock_recv_length") sock_recv_length (ctx: BtfTracePointContext, copy) {
        if mine(copy, thread()) {
            let sk: u64 = ctx.arg(0);
            let ret = i64::from(ctx.arg::<i32>(1));
            let flags: i32 = ctx.arg(2);
            let noted = if counted(sk) == sock::UDP { noted(bpf_get_current_pid_tgid()) } else { return 0 };
            if ret >= 0 && flags & (MSG_PEEK | MSG_ERRQUEUE) == 0 {
                let remote = noted.or_else(|| {
                    let remote = sock::remote(sk, sock::family(sk));
                    (remote.port != 0).then_some(remote)
                });
                udp_received(sk, remote, ret);
            }
        }
    }
}

copies! {
    /// `consume_skb(skb, location)`: `location` is the code that consumed, and tells the end of a UDP receive from
    /// everything else. Each copy may leave the same note; without one, the record says that the remote is unknown.
    btf_tracepoint("consume_skb") consume_skb (ctx: BtfTracePointContext, _copy) {
        let location: u64 = ctx.arg(1);
        if within(location, 0) || within(location, 1) || within(location, 2) {
            if let Some(remote) = sock::sender(ctx.arg(0)) {
                note(bpf_get_current_pid_tgid(), remote);
            }
        }
    }
}

#[inline(always)]
fn within(location: u64, n: usize) -> bool {
    let [from, to] = setting(|s| unsafe { &raw const (*s).udp_receive[n] });
    location >= from && location < to
}
