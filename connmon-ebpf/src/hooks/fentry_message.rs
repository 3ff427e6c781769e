//! Backend `fentry`: sockets that are neither TCP nor UDP (raw, ping, MPTCP, packet), and TCP sockets in sockmaps. They are rare enough to
//! need no redundant copies; runs that the kernel skips are counted.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::message::{closed, ends_receive, packet_received, packet_sent, received, sent};
use super::transfer::{diverted_received, diverted_sent};
use crate::maps::{is_off, setting};
use crate::sock::number;

/// Defines the programs on functions like `int raw_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`.
macro_rules! send {
    ($function:tt, $name:ident, |$sk:ident, $msg:ident, $ret:ident| $sent:expr) => {
        /// A call sent, or failed.
        #[fexit(function = $function)]
        pub fn $name(ctx: FExitContext) -> i32 {
            if is_off() {
                return 0;
            }
            let ($sk, $msg, $ret): (u64, u64, _) =
                (number(ctx.arg(0)), ctx.arg(1), i64::from(ctx.arg::<i32>(3)));
            $sent;
            0
        }
    };
}

send!("raw_sendmsg", fexit_raw_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!("rawv6_sendmsg", fexit_rawv6_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!("ping_v4_sendmsg", fexit_ping_v4_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!("ping_v6_sendmsg", fexit_ping_v6_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!("mptcp_sendmsg", fexit_mptcp_sendmsg, |sk, msg, ret| sent(sk, msg, ret));
send!("tcp_bpf_sendmsg", fexit_tcp_bpf_sendmsg, |sk, _msg, ret| diverted_sent(sk, ret));

/// The argument at a byte position of the context. Plain loads would be merged by the compiler into one from a computed position, which
/// the verifier does not allow.
#[inline(always)]
fn argument<const AT: usize>(ctx: &FExitContext) -> i32 {
    let value: u64;
    // SAFETY: a load from the context; the verifier checks the position.
    unsafe {
        core::arch::asm!("{v} = *(u64 *)({c} + {at})", v = out(reg) value, c = in(reg) ctx.as_ptr(), at = const AT);
    }
    value as i32
}

/// Defines the programs on functions like `int raw_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int *addr_len)`,
/// with one more parameter before `flags` up to Linux 5.18.
macro_rules! receive {
    ($function:tt, $name:ident, |$sk:ident, $msg:ident, $flags:ident, $ret:ident| $received:expr) => {
        /// A call received, or failed.
        #[fexit(function = $function)]
        pub fn $name(ctx: FExitContext) -> i32 {
            if is_off() {
                return 0;
            }
            let ($flags, ret): (i32, i32) = match setting(|s| unsafe { &raw const (*s).recvmsg_parameters }) {
                4 => (argument::<24>(&ctx), argument::<32>(&ctx)),
                5 => (argument::<24>(&ctx), argument::<40>(&ctx)),
                6 => (argument::<32>(&ctx), argument::<48>(&ctx)),
                _ => return 0,
            };
            let ($sk, $msg, $ret): (u64, u64, _) = (number(ctx.arg(0)), ctx.arg(1), i64::from(ret));
            $received;
            0
        }
    };
}

receive!("raw_recvmsg", fexit_raw_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!("rawv6_recvmsg", fexit_rawv6_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!("ping_recvmsg", fexit_ping_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!("mptcp_recvmsg", fexit_mptcp_recvmsg, |sk, msg, flags, ret| received(sk, msg, flags, ret));
receive!("tcp_bpf_recvmsg", fexit_tcp_bpf_recvmsg, |sk, _msg, flags, ret| diverted_received(sk, flags, ret));
receive!("tcp_bpf_recvmsg_parser", fexit_tcp_bpf_recvmsg_parser, |sk, _msg, flags, ret| diverted_received(
    sk, flags, ret
));

/// `int tcp_bpf_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, up to Linux 6.4.
#[fexit(function = "tcp_bpf_sendpage")]
pub fn fexit_tcp_bpf_sendpage(ctx: FExitContext) -> i32 {
    if is_off() {
        return 0;
    }
    diverted_sent(number(ctx.arg(0)), i64::from(ctx.arg::<i32>(5)));
    0
}

/// `int packet_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)`
#[fexit(function = "packet_sendmsg")]
pub fn fexit_packet_sendmsg(ctx: FExitContext) -> i32 {
    if is_off() {
        return 0;
    }
    packet_sent(ctx.arg(0), i64::from(ctx.arg::<i32>(3)));
    0
}

/// `int packet_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)`
#[fexit(function = "packet_recvmsg")]
pub fn fexit_packet_recvmsg(ctx: FExitContext) -> i32 {
    if is_off() {
        return 0;
    }
    packet_received(ctx.arg(0), ctx.arg(3), i64::from(ctx.arg::<i32>(4)));
    0
}

/// `void skb_free_datagram(struct sock *sk, struct sk_buff *skb)`: the end of a receive, before its result is known.
#[fentry(function = "skb_free_datagram")]
pub fn fentry_skb_free_datagram(ctx: FEntryContext) -> i32 {
    if is_off() {
        return 0;
    }
    ends_receive(number(ctx.arg(0)), ctx.arg(1));
    0
}

/// `int inet_release(struct socket *sock)`: the last file that refers to an IP socket was closed.
#[fentry(function = "inet_release")]
pub fn fentry_inet_release(ctx: FEntryContext) -> i32 {
    if is_off() {
        return 0;
    }
    closed(ctx.arg(0));
    0
}

/// `int packet_release(struct socket *sock)`
#[fentry(function = "packet_release")]
pub fn fentry_packet_release(ctx: FEntryContext) -> i32 {
    if is_off() {
        return 0;
    }
    closed(ctx.arg(0));
    0
}
