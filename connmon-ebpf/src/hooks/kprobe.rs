//! Backend `kprobe`: the same functions where the kernel refuses trampolines.
//!
//! A return probe does not see the arguments any more, so the entry probe notes them by thread.

use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use connmon_ebpf::{Addr, stat};

use super::transfer::{accepted, connected, connecting, tcp_sent, udp_received, udp_sent};
use crate::account::release;
use crate::maps::{CALLS, Call, count};
use crate::sock;

/// Tells the calls of one thread apart that can be nested: udpv6_sendmsg() calls udp_sendmsg(). Thread ids are
/// below 2^22 (`PID_MAX_LIMIT`), so the upper bits are free.
#[inline(always)]
fn key(call: u64) -> u64 {
    (bpf_get_current_pid_tgid() & 0xffff_ffff) | (call << 32)
}

const TCP_SENDMSG: u64 = 1;
const TCP_SENDPAGE: u64 = 2;
const UDP_SENDMSG: u64 = 3;
const UDPV6_SENDMSG: u64 = 4;
const TCP_V4_CONNECT: u64 = 5;
const TCP_V6_CONNECT: u64 = 6;

#[inline(always)]
fn note(ctx: &ProbeContext, call: u64) {
    let (Some(sk), Some(arg)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else { return };
    let note = Call { sk, arg, remote: Addr { ip: [0; 4], port: 0, family: 0 }, pad: 0 };
    if CALLS.insert(key(call), note, 0).is_err() {
        count(stat::CALLS_FULL, 1);
    }
}

#[inline(always)]
fn noted(call: u64) -> Option<(u64, u64)> {
    let key = key(call);
    let note = CALLS.get_ptr(key)?;
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let args = unsafe { ((*note).sk, (*note).arg) };
    let _ = CALLS.remove(key);
    Some(args)
}

macro_rules! sending {
    ($call:ident, $entry:ident, $exit:ident, $function:literal, |$sk:ident, $msg:ident, $ret:ident| $sent:expr) => {
        #[doc = concat!("Entry of ", $function, "().")]
        #[kprobe]
        pub fn $entry(ctx: ProbeContext) -> u32 {
            note(&ctx, $call);
            0
        }

        #[doc = concat!("Return of ", $function, "().")]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if let Some(($sk, $msg)) = noted($call) {
                let $ret = i64::from(ctx.ret::<i32>());
                $sent;
            }
            0
        }
    };
}

sending!(TCP_SENDMSG, kprobe_tcp_sendmsg, kretprobe_tcp_sendmsg, "tcp_sendmsg", |sk, _msg, ret| tcp_sent(
    sk, ret
));
sending!(
    TCP_SENDPAGE,
    kprobe_tcp_sendpage,
    kretprobe_tcp_sendpage,
    "tcp_sendpage",
    |sk, _msg, ret| tcp_sent(sk, ret)
);
sending!(UDP_SENDMSG, kprobe_udp_sendmsg, kretprobe_udp_sendmsg, "udp_sendmsg", |sk, msg, ret| udp_sent(
    sk, msg, ret, false
));
sending!(UDPV6_SENDMSG, kprobe_udpv6_sendmsg, kretprobe_udpv6_sendmsg, "udpv6_sendmsg", |sk, msg, ret| {
    udp_sent(sk, msg, ret, true)
});

macro_rules! connect {
    ($call:ident, $entry:ident, $exit:ident, $function:literal, $v6:literal) => {
        #[doc = concat!("Entry of ", $function, "().")]
        #[kprobe]
        pub fn $entry(ctx: ProbeContext) -> u32 {
            note(&ctx, $call);
            if let (Some(sk), Some(name)) = (ctx.arg(0), ctx.arg(1)) {
                connecting(sk, name, $v6);
            }
            0
        }

        #[doc = concat!("Return of ", $function, "().")]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if let Some((sk, _)) = noted($call) {
                connected(sk, ctx.ret());
            }
            0
        }
    };
}

connect!(TCP_V4_CONNECT, kprobe_tcp_v4_connect, kretprobe_tcp_v4_connect, "tcp_v4_connect", false);
connect!(TCP_V6_CONNECT, kprobe_tcp_v6_connect, kretprobe_tcp_v6_connect, "tcp_v6_connect", true);

/// `void skb_consume_udp(struct sock *sk, struct sk_buff *skb, int len)`: see the fentry backend.
#[kprobe]
pub fn kprobe_skb_consume_udp(ctx: ProbeContext) -> u32 {
    let (Some(sk), Some(skb), Some(len)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1), ctx.arg::<i32>(2)) else {
        return 0;
    };
    if len >= 0 {
        udp_received(sk, sock::sender(skb), i64::from(len));
    }
    0
}

/// Return of inet_csk_accept(): the new socket.
#[kretprobe]
pub fn kretprobe_inet_csk_accept(ctx: RetProbeContext) -> u32 {
    accepted(ctx.ret());
    0
}

/// `void udp_destroy_sock(struct sock *sk)`
#[kprobe]
pub fn kprobe_udp_destroy_sock(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg(0) {
        release(sk);
    }
    0
}

/// `void udpv6_destroy_sock(struct sock *sk)`
#[kprobe]
pub fn kprobe_udpv6_destroy_sock(ctx: ProbeContext) -> u32 {
    if let Some(sk) = ctx.arg(0) {
        release(sk);
    }
    0
}
