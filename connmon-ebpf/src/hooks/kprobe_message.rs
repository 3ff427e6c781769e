//! Backend `kprobe`: sockets that are neither TCP nor UDP, and TCP sockets in sockmaps, as in `fentry_message`.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};

use super::kprobe::{note, noted};
use super::message::{closed, ends_receive, packet_received, packet_sent, received, sent};
use super::transfer::{diverted_received, diverted_sent};
use crate::maps::{is_off, setting};

// Kinds of calls in the keys of notes, continuing those of `kprobe`. A thread is in at most one call of each kind.
const SEND: u64 = 16;
const RECEIVE: u64 = 17;
const PACKET_SEND: u64 = 18;
const PACKET_RECEIVE: u64 = 19;

/// Defines the pair of probes on a sending function.
macro_rules! send {
    ($call:ident, $entry:ident, $exit:ident, |$first:ident, $msg:ident, $ret:ident| $sent:expr) => {
        #[doc = "Entry."]
        #[kprobe]
        pub fn $entry(ctx: ProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            note(&ctx, $call, 0);
            0
        }

        #[doc = "Return."]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            if let Some(($first, $msg, _)) = noted($call) {
                let $ret = i64::from(ctx.ret::<i32>());
                $sent;
            }
            0
        }
    };
}

send!(SEND, kprobe_raw_sendmsg, kretprobe_raw_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!(SEND, kprobe_rawv6_sendmsg, kretprobe_rawv6_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!(SEND, kprobe_ping_v4_sendmsg, kretprobe_ping_v4_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!(SEND, kprobe_ping_v6_sendmsg, kretprobe_ping_v6_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!(SEND, kprobe_mptcp_sendmsg, kretprobe_mptcp_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!(PACKET_SEND, kprobe_packet_sendmsg, kretprobe_packet_sendmsg, |socket, _msg, ret| {
    packet_sent(socket, ret)
});
send!(SEND, kprobe_tcp_bpf_sendmsg, kretprobe_tcp_bpf_sendmsg, |sk, _msg, ret| diverted_sent(sk, ret));
send!(SEND, kprobe_tcp_bpf_sendpage, kretprobe_tcp_bpf_sendpage, |sk, _page, ret| diverted_sent(sk, ret));

/// Defines the pair of probes on a receiving function; the flags are its fourth argument, the fifth up to Linux 5.18.
macro_rules! receive {
    ($entry:ident, $exit:ident, |$sk:ident, $msg:ident, $flags:ident, $ret:ident| $received:expr) => {
        #[doc = "Entry."]
        #[kprobe]
        pub fn $entry(ctx: ProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            let (mut fourth, mut fifth) = (ctx.arg::<u32>(3).unwrap_or(0), ctx.arg::<u32>(4).unwrap_or(0));
            // SAFETY: does nothing but force both values to be loaded: the verifier does not allow a single load from a computed position.
            unsafe { core::arch::asm!("{0} = {0}", "{1} = {1}", inout(reg) fourth, inout(reg) fifth) };
            let six = setting(|s| unsafe { &raw const (*s).recvmsg_parameters }) == 6;
            note(&ctx, RECEIVE, if six { fifth } else { fourth });
            0
        }

        #[doc = "Return."]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            if let Some(($sk, $msg, flags)) = noted(RECEIVE) {
                let ($flags, $ret) = (flags as i32, i64::from(ctx.ret::<i32>()));
                $received;
            }
            0
        }
    };
}

receive!(kprobe_raw_recvmsg, kretprobe_raw_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!(kprobe_rawv6_recvmsg, kretprobe_rawv6_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!(kprobe_ping_recvmsg, kretprobe_ping_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!(kprobe_mptcp_recvmsg, kretprobe_mptcp_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!(kprobe_tcp_bpf_recvmsg, kretprobe_tcp_bpf_recvmsg, |sk, _msg, flags, ret| diverted_received(
    sk, flags, ret
));
receive!(kprobe_tcp_bpf_recvmsg_parser, kretprobe_tcp_bpf_recvmsg_parser, |sk, _msg, flags, ret| {
    diverted_received(sk, flags, ret)
});

/// `int packet_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)`
#[kprobe]
pub fn kprobe_packet_recvmsg(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    note(&ctx, PACKET_RECEIVE, ctx.arg::<u32>(3).unwrap_or(0));
    0
}

/// Its return.
#[kretprobe]
pub fn kretprobe_packet_recvmsg(ctx: RetProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let Some((socket, _, flags)) = noted(PACKET_RECEIVE) {
        packet_received(socket, flags as i32, i64::from(ctx.ret::<i32>()));
    }
    0
}

/// `void skb_free_datagram(struct sock *sk, struct sk_buff *skb)`
#[kprobe]
pub fn kprobe_skb_free_datagram(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let (Some(sk), Some(skb)) = (ctx.arg(0), ctx.arg(1)) {
        ends_receive(sk, skb);
    }
    0
}

/// `int inet_release(struct socket *sock)`
#[kprobe]
pub fn kprobe_inet_release(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let Some(socket) = ctx.arg(0) {
        closed(socket);
    }
    0
}

/// `int packet_release(struct socket *sock)`
#[kprobe]
pub fn kprobe_packet_release(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let Some(socket) = ctx.arg(0) {
        closed(socket);
    }
    0
}
