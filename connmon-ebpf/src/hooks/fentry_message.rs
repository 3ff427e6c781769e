//! Backend `fentry`: sockets that are neither TCP nor UDP: raw, ping, MPTCP, packet.

use aya_ebpf::macros::{fentry, fexit};
use aya_ebpf::programs::{FEntryContext, FExitContext};

use super::message::{closed, ends_receive, packet_received, packet_sent, received, sent};
use crate::copies::{copies, mine};
use crate::maps::setting;
use crate::task::thread;

/// Defines the programs on functions like `int raw_sendmsg(struct sock *sk, struct msghdr *msg, size_t len)`.
macro_rules! send {
    ($function:tt, $name:ident) => {
        copies! {
            /// A call sent, or failed.
            fexit($function) $name (ctx: FExitContext, copy) {
                if mine(copy, thread()) {
                    sent(ctx.arg(0), ctx.arg(1), i64::from(ctx.arg::<i32>(3)));
                }
            }
        }
    };
}

send!("raw_sendmsg", fexit_raw_sendmsg);
send!("rawv6_sendmsg", fexit_rawv6_sendmsg);
send!("ping_v4_sendmsg", fexit_ping_v4_sendmsg);
send!("ping_v6_sendmsg", fexit_ping_v6_sendmsg);
send!("mptcp_sendmsg", fexit_mptcp_sendmsg);

/// Defines the programs on functions like `int raw_recvmsg(struct sock *sk, struct msghdr *msg, size_t len, int flags, int
/// *addr_len)`, with one parameter more before `flags` up to Linux 5.18.
macro_rules! receive {
    ($function:tt, $name:ident) => {
        copies! {
            /// A call received, or failed.
            fexit($function) $name (ctx: FExitContext, copy) {
                if mine(copy, thread()) {
                    let (flags, ret): (i32, i32) =
                        match setting(|s| unsafe { &raw const (*s).recvmsg_parameters }) {
                            4 => (ctx.arg(3), ctx.arg(4)),
                            5 => (ctx.arg(3), ctx.arg(5)),
                            6 => (ctx.arg(4), ctx.arg(6)),
                            _ => return 0,
                        };
                    received(ctx.arg(0), ctx.arg(1), flags, i64::from(ret));
                }
            }
        }
    };
}

receive!("raw_recvmsg", fexit_raw_recvmsg);
receive!("rawv6_recvmsg", fexit_rawv6_recvmsg);
receive!("ping_recvmsg", fexit_ping_recvmsg);
receive!("mptcp_recvmsg", fexit_mptcp_recvmsg);

copies! {
    /// `int packet_sendmsg(struct socket *sock, struct msghdr *msg, size_t len)`
    fexit("packet_sendmsg") fexit_packet_sendmsg (ctx: FExitContext, copy) {
        if mine(copy, thread()) {
            packet_sent(ctx.arg(0), i64::from(ctx.arg::<i32>(3)));
        }
    }
}

copies! {
    /// `int packet_recvmsg(struct socket *sock, struct msghdr *msg, size_t len, int flags)`
    fexit("packet_recvmsg") fexit_packet_recvmsg (ctx: FExitContext, copy) {
        if mine(copy, thread()) {
            packet_received(ctx.arg(0), ctx.arg(3), i64::from(ctx.arg::<i32>(4)));
        }
    }
}

copies! {
    /// `void skb_free_datagram(struct sock *sk, struct sk_buff *skb)`: the end of a receive, before its result is known.
    fentry("skb_free_datagram") fentry_skb_free_datagram (ctx: FEntryContext, copy) {
        if mine(copy, thread()) {
            ends_receive(ctx.arg(0), ctx.arg(1));
        }
    }
}

copies! {
    /// `int inet_release(struct socket *sock)`: the last file that refers to an IP socket was closed.
    fentry("inet_release") fentry_inet_release (ctx: FEntryContext, copy) {
        if mine(copy, thread()) {
            closed(ctx.arg(0));
        }
    }
}

copies! {
    /// `int packet_release(struct socket *sock)`
    fentry("packet_release") fentry_packet_release (ctx: FEntryContext, copy) {
        if mine(copy, thread()) {
            closed(ctx.arg(0));
        }
    }
}
