//! Backend `fentry`: trampolines on the protocols' own functions.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::transfer::{accepted, connected, connecting, tcp_sent, udp_received, udp_sent};
use crate::account::release;
use crate::maps::setting;
use crate::sock;

/// `int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)`
#[fexit(function = "tcp_sendmsg")]
pub fn fexit_tcp_sendmsg(ctx: FExitContext) -> i32 {
    tcp_sent(ctx.arg(0), i64::from(ctx.arg::<i32>(3)));
    0
}

/// `int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, up to Linux 6.4.
#[fexit(function = "tcp_sendpage")]
pub fn fexit_tcp_sendpage(ctx: FExitContext) -> i32 {
    tcp_sent(ctx.arg(0), i64::from(ctx.arg::<i32>(5)));
    0
}

/// `int udp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`
#[fexit(function = "udp_sendmsg")]
pub fn fexit_udp_sendmsg(ctx: FExitContext) -> i32 {
    udp_sent(ctx.arg(0), ctx.arg(1), i64::from(ctx.arg::<i32>(3)), false);
    0
}

/// `int udpv6_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`
#[fexit(function = "udpv6_sendmsg")]
pub fn fexit_udpv6_sendmsg(ctx: FExitContext) -> i32 {
    udp_sent(ctx.arg(0), ctx.arg(1), i64::from(ctx.arg::<i32>(3)), true);
    0
}

/// `void skb_consume_udp(struct sock *sk, struct sk_buff *skb, int len)`: `len` is what recvmsg() returns, negative
/// for a peek (net/ipv4/udp.c).
#[fentry(function = "skb_consume_udp")]
pub fn fentry_skb_consume_udp(ctx: FEntryContext) -> i32 {
    let len: i32 = ctx.arg(2);
    if len >= 0 {
        udp_received(ctx.arg(0), sock::sender(ctx.arg(1)), i64::from(len));
    }
    0
}

/// `struct sock *inet_csk_accept(…)`: four parameters before Linux 6.10, two since; the return value follows them.
#[fexit(function = "inet_csk_accept")]
pub fn fexit_inet_csk_accept(ctx: FExitContext) -> i32 {
    match setting(|s| unsafe { &raw const (*s).accept_return }) {
        2 => accepted(ctx.arg(2)),
        4 => accepted(ctx.arg(4)),
        _ => {}
    }
    0
}

/// `int tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`
#[fentry(function = "tcp_v4_connect")]
pub fn fentry_tcp_v4_connect(ctx: FEntryContext) -> i32 {
    connecting(ctx.arg(0), ctx.arg(1));
    0
}

/// Its return.
#[fexit(function = "tcp_v4_connect")]
pub fn fexit_tcp_v4_connect(ctx: FExitContext) -> i32 {
    connected(ctx.arg(0), ctx.arg(3));
    0
}

/// `int tcp_v6_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`
#[fentry(function = "tcp_v6_connect")]
pub fn fentry_tcp_v6_connect(ctx: FEntryContext) -> i32 {
    connecting(ctx.arg(0), ctx.arg(1));
    0
}

/// Its return.
#[fexit(function = "tcp_v6_connect")]
pub fn fexit_tcp_v6_connect(ctx: FExitContext) -> i32 {
    connected(ctx.arg(0), ctx.arg(3));
    0
}

/// `void udp_destroy_sock(struct sock *sk)`
#[fentry(function = "udp_destroy_sock")]
pub fn fentry_udp_destroy_sock(ctx: FEntryContext) -> i32 {
    release(ctx.arg(0));
    0
}

/// `void udpv6_destroy_sock(struct sock *sk)`
#[fentry(function = "udpv6_destroy_sock")]
pub fn fentry_udpv6_destroy_sock(ctx: FEntryContext) -> i32 {
    release(ctx.arg(0));
    0
}
