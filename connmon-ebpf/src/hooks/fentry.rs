//! Backend `fentry`: trampolines on the protocols' own functions.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::transfer::{
    accepted, asks, connected, connecting, named, names, tcp_sent, udp_received, udp_sent,
};
use crate::ledger::account::datagrams_end;
use crate::maps::{is_off, setting};
use crate::redundant::{claims_event, copies};
use crate::sock::{self, number};
use crate::task::thread;

copies! {
    /// `int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)`
    fexit("tcp_sendmsg") fexit_tcp_sendmsg (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            tcp_sent(number(ctx.arg(0)), i64::from(ctx.arg::<i32>(3)));
        }
    }
}

copies! {
    /// `int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, up to Linux 6.4.
    fexit("tcp_sendpage") fexit_tcp_sendpage (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            tcp_sent(number(ctx.arg(0)), i64::from(ctx.arg::<i32>(5)));
        }
    }
}

copies! {
    /// `int udp_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`
    fexit("udp_sendmsg") fexit_udp_sendmsg (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            udp_sent(number(ctx.arg(0)), ctx.arg(1), i64::from(ctx.arg::<i32>(3)), false);
        }
    }
}

copies! {
    /// `int udpv6_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`
    fexit("udpv6_sendmsg") fexit_udpv6_sendmsg (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            udp_sent(number(ctx.arg(0)), ctx.arg(1), i64::from(ctx.arg::<i32>(3)), true);
        }
    }
}

copies! {
    /// `void skb_consume_udp(struct sock *sk, struct sk_buff *skb, int len)`: `len` is what recvmsg() returns, negative
    /// for a peek (net/ipv4/udp.c).
    fentry("skb_consume_udp") fentry_skb_consume_udp (ctx: FEntryContext, copy) {
        if claims_event(copy, thread()) {
            let len: i32 = ctx.arg(2);
            if len >= 0 {
                udp_received(number(ctx.arg(0)), sock::sender(ctx.arg(1)), i64::from(len));
            }
        }
    }
}

copies! {
    /// `struct sock *inet_csk_accept(…)`: four parameters before Linux 6.10, two since; the return value follows them.
    fexit("inet_csk_accept") fexit_inet_csk_accept (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            match setting(|s| unsafe { &raw const (*s).accept_return }) {
                2 => accepted(number(ctx.arg(2)), true),
                4 => accepted(number(ctx.arg(4)), true),
                _ => {}
            }
        }
    }
}

copies! {
    /// `int tcp_v4_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`
    fentry("tcp_v4_connect") fentry_tcp_v4_connect (ctx: FEntryContext, copy) {
        if claims_event(copy, thread()) {
            connecting(number(ctx.arg(0)), ctx.arg(1), false);
        }
    }
}

copies! {
    /// Its return.
    fexit("tcp_v4_connect") fexit_tcp_v4_connect (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            connected(number(ctx.arg(0)), ctx.arg(3));
        }
    }
}

copies! {
    /// `int tcp_v6_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`
    fentry("tcp_v6_connect") fentry_tcp_v6_connect (ctx: FEntryContext, copy) {
        if claims_event(copy, thread()) {
            connecting(number(ctx.arg(0)), ctx.arg(1), true);
        }
    }
}

copies! {
    /// Its return.
    fexit("tcp_v6_connect") fexit_tcp_v6_connect (ctx: FExitContext, copy) {
        if claims_event(copy, thread()) {
            connected(number(ctx.arg(0)), ctx.arg(3));
        }
    }
}

/// Defines the programs on functions like `int tcp_v4_pre_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`, see
/// `requested`.
macro_rules! pre_connect {
    ($function:tt, $name:ident) => {
        /// connect() begins, and there are programs that may redirect it.
        #[fentry(function = $function)]
        pub fn $name(ctx: FEntryContext) -> i32 {
            if !is_off() {
                asks(number(ctx.arg(0)), ctx.arg(1));
            }
            0
        }
    };
}

pre_connect!("tcp_v4_pre_connect", fentry_tcp_v4_pre_connect);
pre_connect!("tcp_v6_pre_connect", fentry_tcp_v6_pre_connect);
pre_connect!("udp_pre_connect", fentry_udp_pre_connect);
pre_connect!("udpv6_pre_connect", fentry_udpv6_pre_connect);

/// `int __cgroup_bpf_run_filter_sock_addr(struct sock *sk, struct sockaddr *uaddr, enum … type, void *t_ctx, …)`, since Linux 6.6 with
/// `int *uaddrlen` after `uaddr`: runs others' cgroup programs for an address.
#[fentry(function = "__cgroup_bpf_run_filter_sock_addr")]
pub fn fentry_sock_addr(ctx: FEntryContext) -> i32 {
    if !is_off() {
        match setting(|s| unsafe { &raw const (*s).filter_parameters }) {
            6 => names(ctx.arg(0), ctx.arg(1), ctx.arg(4)),
            _ => names(ctx.arg(0), ctx.arg(1), ctx.arg(3)),
        }
    }
    0
}

/// Its return.
#[fexit(function = "__cgroup_bpf_run_filter_sock_addr")]
pub fn fexit_sock_addr(_ctx: FExitContext) -> i32 {
    if !is_off() {
        named();
    }
    0
}

copies! {
    /// `void udp_destroy_sock(struct sock *sk)`
    fentry("udp_destroy_sock") fentry_udp_destroy_sock (ctx: FEntryContext, copy) {
        if claims_event(copy, thread()) {
            datagrams_end(number(ctx.arg(0)));
        }
    }
}

copies! {
    /// `void udpv6_destroy_sock(struct sock *sk)`
    fentry("udpv6_destroy_sock") fentry_udpv6_destroy_sock (ctx: FEntryContext, copy) {
        if claims_event(copy, thread()) {
            datagrams_end(number(ctx.arg(0)));
        }
    }
}
