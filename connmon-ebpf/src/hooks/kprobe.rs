//! Backend `kprobe`: hooks the same functions as `fentry` does, for kernels that refuse trampolines.
//!
//! A return probe no longer sees the arguments, so the entry probe notes them by thread.

use aya_ebpf::macros::{kprobe, kretprobe};
use aya_ebpf::programs::{ProbeContext, RetProbeContext};
use connmon_ebpf::Addr;

use super::transfer::{
    accepted, asks, connected, connecting, named, names, sent_with_syn, udp_received, udp_sent, written,
};
use crate::calls::{self, Call};
use crate::ledger::account::datagrams_end;
use crate::maps::{is_off, setting};
use crate::sock;
use crate::task::thread;

/// Key of a note: the thread and the kind of call, because the calls of one thread can be nested: udpv6_sendmsg() calls udp_sendmsg().
/// Thread ids are below 2^22 (`PID_MAX_LIMIT`), so the upper bits are free.
#[inline(always)]
fn key(call: u64) -> u64 {
    thread() | call << 32
}

const TCP_SENDMSG: u64 = 1;
const UDP_SENDMSG: u64 = 3;
const UDPV6_SENDMSG: u64 = 4;
const TCP_V4_CONNECT: u64 = 5;
const TCP_V6_CONNECT: u64 = 6;

/// Notes the first two arguments of a call for its return.
#[inline(always)]
pub fn note(ctx: &ProbeContext, call: u64, extra: u32) {
    let (Some(sk), Some(arg)) = (ctx.arg::<u64>(0), ctx.arg::<u64>(1)) else { return };
    let note = Call { sk, arg, remote: Addr { ip: [0; 4], port: 0, family: 0 }, extra };
    leave(call, &note);
}

/// Leaves a note for the return of a call, or for later hooks within it; without it, the call's bytes are missing.
#[inline(always)]
fn leave(call: u64, note: &Call) {
    if !calls::put(key(call), note) {
        calls::missed(note.sk);
    }
}

/// What the entry of a call noted.
#[inline(always)]
pub fn noted(call: u64) -> Option<(u64, u64, u32)> {
    let key = key(call);
    let note = calls::get(key)?;
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let args = unsafe { ((*note).sk, (*note).arg, (*note).extra) };
    calls::forget(key);
    Some(args)
}

macro_rules! sending {
    ($call:ident, $entry:ident, $exit:ident, $function:literal, |$sk:ident, $msg:ident, $ret:ident| $sent:expr) => {
        #[doc = concat!("Entry of ", $function, "().")]
        #[kprobe]
        pub fn $entry(ctx: ProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            note(&ctx, $call, 0);
            0
        }

        #[doc = concat!("Return of ", $function, "().")]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            if let Some(($sk, $msg, _)) = noted($call) {
                let $ret = i64::from(ctx.ret::<i32>());
                $sent;
            }
            0
        }
    };
}

/// `int tcp_sendmsg(struct sock *sk, struct msghdr *msg, size_t size)`
#[kprobe]
pub fn kprobe_tcp_sendmsg(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    sending_tcp(&ctx);
    0
}

/// `int tcp_sendpage(struct sock *sk, struct page *page, int offset, size_t size, int flags)`, up to Linux 6.4.
#[kprobe]
pub fn kprobe_tcp_sendpage(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    sending_tcp(&ctx);
    0
}

/// Notes that this thread sends on a socket, and from which `write_seq` on. The note stays until the thread ends: a call can release the
/// socket several times, and a return probe, which would tell that the call is over, can be missed when many threads wait in the call
/// (`maxactive`, Documentation/trace/kprobes.rst).
#[inline(always)]
fn sending_tcp(ctx: &ProbeContext) {
    let Some(sk) = ctx.arg::<u64>(0) else { return };
    let remote = sock::remote(sk, sock::family(sk));
    let note =
        Call { sk, arg: u64::from(sock::write_seq(sk)), remote, extra: u32::from(sock::local_port(sk)) };
    leave(TCP_SENDMSG, &note);
}

/// The thread ends: removes its notes. Harmless with backends that leave none.
#[inline(always)]
pub fn forget_thread() {
    calls::forget(key(TCP_SENDMSG));
    // The note of `message`.
    calls::forget(thread());
}

/// `void release_sock(struct sock *sk)`: the sender is about to release the socket, but still holds it here, so the growth of `write_seq`
/// is its own.
#[kprobe]
pub fn kprobe_release_sock(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    let Some(sk) = ctx.arg::<u64>(0) else { return 0 };
    let Some(note) = calls::get(key(TCP_SENDMSG)) else { return 0 };
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let (noted, from) = unsafe { ((*note).sk, (*note).arg as u32) };
    if noted == sk && sock::is_connecting(sk) {
        // The call also opens the connection (TCP Fast Open), which has addresses only now. Or the note is of an earlier socket at this
        // address, whose numbers say nothing about this one.
        // SAFETY: as above.
        unsafe {
            (*note).arg = u64::from(sock::write_seq(sk));
            (*note).extra = u32::from(sock::local_port(sk));
            (*note).remote = sock::remote(sk, sock::family(sk));
        }
        sent_with_syn(sk, sock::sent_with_syn(sk));
    }
    // A FIN would advance `write_seq` as well, but the state changes before it is queued (tcp_shutdown(), __tcp_close()).
    if noted != sk || !sock::is_open(sk) {
        return 0;
    }
    // Since this thread sent, the address may have become that of another socket.
    // SAFETY: as above.
    let same = unsafe {
        (*note).extra == u32::from(sock::local_port(sk))
            && (*note).remote == sock::remote(sk, sock::family(sk))
    };
    if !same {
        calls::forget(key(TCP_SENDMSG));
        return 0;
    }
    let to = sock::write_seq(sk);
    // SAFETY: as above.
    unsafe { (*note).arg = u64::from(to) };
    written(sk, from, to);
    0
}

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
            if is_off() {
                return 0;
            }
            note(&ctx, $call, 0);
            if let (Some(sk), Some(name)) = (ctx.arg(0), ctx.arg(1)) {
                connecting(sk, name, $v6);
            }
            0
        }

        #[doc = concat!("Return of ", $function, "().")]
        #[kretprobe]
        pub fn $exit(ctx: RetProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            if let Some((sk, ..)) = noted($call) {
                connected(sk, ctx.ret());
            }
            0
        }
    };
}

connect!(TCP_V4_CONNECT, kprobe_tcp_v4_connect, kretprobe_tcp_v4_connect, "tcp_v4_connect", false);
connect!(TCP_V6_CONNECT, kprobe_tcp_v6_connect, kretprobe_tcp_v6_connect, "tcp_v6_connect", true);

/// Defines the probes on functions like `int tcp_v4_pre_connect(struct sock *sk, struct sockaddr *uaddr, int addr_len)`, see `requested`.
macro_rules! pre_connect {
    ($name:ident) => {
        /// connect() begins, and there are programs that may redirect it.
        #[kprobe]
        pub fn $name(ctx: ProbeContext) -> u32 {
            if is_off() {
                return 0;
            }
            if let (Some(sk), Some(name)) = (ctx.arg(0), ctx.arg(1)) {
                asks(sk, name);
            }
            0
        }
    };
}

pre_connect!(kprobe_tcp_v4_pre_connect);
pre_connect!(kprobe_tcp_v6_pre_connect);
pre_connect!(kprobe_udp_pre_connect);
pre_connect!(kprobe_udpv6_pre_connect);

/// Entry of the function that runs others' cgroup programs for an address: see the fentry backend.
#[kprobe]
pub fn kprobe_sock_addr(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    let (Some(sk), Some(name)) = (ctx.arg(0), ctx.arg(1)) else { return 0 };
    // Both are loaded here: the verifier does not allow a single load from a computed position.
    let (mut fourth, mut fifth) = (ctx.arg::<u64>(3).unwrap_or(0), ctx.arg::<u64>(4).unwrap_or(0));
    // SAFETY: does nothing but force both values to be loaded.
    unsafe { core::arch::asm!("{0} = {0}", "{1} = {1}", inout(reg) fourth, inout(reg) fifth) };
    let six = setting(|s| unsafe { &raw const (*s).filter_parameters }) == 6;
    names(sk, name, if six { fifth } else { fourth });
    0
}

/// Its return.
#[kretprobe]
pub fn kretprobe_sock_addr(_ctx: RetProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    named();
    0
}

/// `void skb_consume_udp(struct sock *sk, struct sk_buff *skb, int len)`: see the fentry backend.
#[kprobe]
pub fn kprobe_skb_consume_udp(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
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
    if is_off() {
        return 0;
    }
    accepted(ctx.ret(), true);
    0
}

/// `void udp_destroy_sock(struct sock *sk)`
#[kprobe]
pub fn kprobe_udp_destroy_sock(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let Some(sk) = ctx.arg(0) {
        datagrams_end(sk);
    }
    0
}

/// `void udpv6_destroy_sock(struct sock *sk)`
#[kprobe]
pub fn kprobe_udpv6_destroy_sock(ctx: ProbeContext) -> u32 {
    if is_off() {
        return 0;
    }
    if let Some(sk) = ctx.arg(0) {
        datagrams_end(sk);
    }
    0
}
