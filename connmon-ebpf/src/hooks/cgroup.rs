//! Programs at the root of the cgroup hierarchy, most of them for the `tracepoint` backend. They never deny anything: all return 1, which
//! allows it.

use aya_ebpf::bindings::bpf_sock_addr;
use aya_ebpf::macros::{cgroup_sock, cgroup_sock_addr};
use aya_ebpf::programs::{SockAddrContext, SockContext};
use connmon_ebpf::{Addr, proto};

use super::message;
use super::tracepoint::note;
use super::transfer::{accepted, diverted};
use crate::calls::{self, Call};
use crate::ledger::account::datagrams_end;
use crate::ledger::account::forget;
use crate::ledger::attempt;
use crate::ledger::identity::{displace, evict, is_stream};
use crate::ledger::pool;
use crate::ledger::shares::own;
use crate::maps::{SOCKS, is_off};
use crate::requested;
use crate::sock::{self, number};
use crate::task::thread;

/// An unconnected UDP send over IPv4 names its remote.
#[cgroup_sock_addr(sendmsg4)]
pub fn cgroup_sendmsg4(ctx: SockAddrContext) -> i32 {
    sends(ctx.sock_addr, address_v4(ctx.sock_addr))
}

/// A UDP receive over IPv4 that asked for the sender's address.
#[cgroup_sock_addr(recvmsg4)]
pub fn cgroup_recvmsg4(ctx: SockAddrContext) -> i32 {
    named(address_v4(ctx.sock_addr))
}

/// An unconnected UDP send over IPv6 names its remote.
#[cgroup_sock_addr(sendmsg6)]
pub fn cgroup_sendmsg6(ctx: SockAddrContext) -> i32 {
    sends(ctx.sock_addr, address_v6(ctx.sock_addr))
}

/// A UDP receive over IPv6 that asked for the sender's address.
#[cgroup_sock_addr(recvmsg6)]
pub fn cgroup_recvmsg6(ctx: SockAddrContext) -> i32 {
    named(address_v6(ctx.sock_addr))
}

/// An unconnected UDP send over IPv4 names its remote; runs before the programs of others, see `requested`.
#[cgroup_sock_addr(sendmsg4)]
pub fn cgroup_named4(ctx: SockAddrContext) -> i32 {
    names(ctx.sock_addr, address_v4(ctx.sock_addr))
}

/// An unconnected UDP send over IPv6 names its remote; runs before the programs of others.
#[cgroup_sock_addr(sendmsg6)]
pub fn cgroup_named6(ctx: SockAddrContext) -> i32 {
    names(ctx.sock_addr, address_v6(ctx.sock_addr))
}

/// connect() over IPv4, before the route is looked up.
#[cgroup_sock_addr(connect4)]
pub fn cgroup_connect4(ctx: SockAddrContext) -> i32 {
    connecting(ctx.sock_addr, address_v4(ctx.sock_addr))
}

/// connect() over IPv6, before the route is looked up.
#[cgroup_sock_addr(connect6)]
pub fn cgroup_connect6(ctx: SockAddrContext) -> i32 {
    connecting(ctx.sock_addr, address_v6(ctx.sock_addr))
}

/// connect() over IPv4; runs before the programs of others, see `requested`.
#[cgroup_sock_addr(connect4)]
pub fn cgroup_asked4(ctx: SockAddrContext) -> i32 {
    asks(ctx.sock_addr, address_v4(ctx.sock_addr))
}

/// connect() over IPv6; runs before the programs of others.
#[cgroup_sock_addr(connect6)]
pub fn cgroup_asked6(ctx: SockAddrContext) -> i32 {
    asks(ctx.sock_addr, address_v6(ctx.sock_addr))
}

/// Address of the context's socket, as a plain number.
#[inline(always)]
fn socket(addr: *mut bpf_sock_addr) -> u64 {
    // SAFETY: a field of the context; the verifier checks the access.
    number(unsafe { (*addr).__bindgen_anon_1.sk as u64 })
}

#[inline(always)]
fn asks(addr: *mut bpf_sock_addr, address: Addr) -> i32 {
    if is_off() {
        return 1;
    }
    // SAFETY: a field of the context; the verifier checks the access.
    if unsafe { (*addr).protocol } == u32::from(proto::TCP) {
        attempt::ask(socket(addr), address);
    } else {
        requested::remember(socket(addr), address);
    }
    1
}

#[inline(always)]
fn connecting(addr: *mut bpf_sock_addr, remote: Addr) -> i32 {
    // SAFETY: a field of the context; the verifier checks the access.
    if !is_off() && unsafe { (*addr).protocol } == u32::from(proto::TCP) {
        attempt::begin(socket(addr), remote);
    }
    1
}

/// In a note, takes the place of the header's length while programs of others may still change the address.
const NAMED: u64 = u64::MAX;

#[inline(always)]
fn names(addr: *mut bpf_sock_addr, address: Addr) -> i32 {
    if !is_off() {
        message::note(socket(addr), address, NAMED);
    }
    1
}

#[inline(always)]
fn sends(addr: *mut bpf_sock_addr, to: Addr) -> i32 {
    if is_off() {
        return 1;
    }
    if let Some(note) = calls::get(thread()) {
        // SAFETY: a valid pointer into a map value that only this thread uses.
        let Call { sk, arg, remote, .. } = unsafe { *note };
        if arg == NAMED && sk == socket(addr) {
            requested::led(sk, remote, to);
        }
    }
    named(to)
}

#[inline(always)]
fn named(remote: Addr) -> i32 {
    if !is_off() {
        note(remote, 0);
    }
    1
}

#[inline(always)]
fn address_v4(addr: *mut bpf_sock_addr) -> Addr {
    // SAFETY: fields of the context; the verifier checks the access.
    let (ip, port) = unsafe { ((*addr).user_ip4, (*addr).user_port) };
    Addr { ip: [ip, 0, 0, 0], port: u16::from_be(port as u16), family: sock::AF_INET }
}

#[inline(always)]
fn address_v6(addr: *mut bpf_sock_addr) -> Addr {
    // SAFETY: as above; `user_ip6` is read word by word, as the verifier wants it.
    let (ip, port) = unsafe {
        let ip = &raw const (*addr).user_ip6;
        (
            [
                core::ptr::read_volatile(&raw const (*ip)[0]),
                core::ptr::read_volatile(&raw const (*ip)[1]),
                core::ptr::read_volatile(&raw const (*ip)[2]),
                core::ptr::read_volatile(&raw const (*ip)[3]),
            ],
            (*addr).user_port,
        )
    };
    let mut remote = Addr { ip, port: u16::from_be(port as u16), family: sock::AF_INET6 };
    sock::normalise(&mut remote);
    remote
}

#[inline(always)]
fn named_peer(addr: *mut bpf_sock_addr) -> i32 {
    if is_off() {
        return 1;
    }
    // accept() asks for the peer's name before it returns, and so does getpeername() later: the first to ask, in
    // its own context, owns an inbound socket.
    accepted(socket(addr), false);
    1
}

/// accept() over IPv4 with room for the peer's address.
#[cgroup_sock_addr(getpeername4)]
pub fn cgroup_getpeername4(ctx: SockAddrContext) -> i32 {
    named_peer(ctx.sock_addr)
}

/// accept() over IPv6 with room for the peer's address.
#[cgroup_sock_addr(getpeername6)]
pub fn cgroup_getpeername6(ctx: SockAddrContext) -> i32 {
    named_peer(ctx.sock_addr)
}

/// The last file that refers to a socket was closed, in the closer's context. A datagram socket is gone; an inbound TCP socket without an
/// owner becomes that of the process that closed it.
#[cgroup_sock(sock_release)]
pub fn cgroup_sock_release(ctx: SockContext) -> i32 {
    if is_off() {
        return 1;
    }
    let sk = number(ctx.sock as u64);
    // This is the last chance to see it, because closing takes a socket out of its sockmaps.
    diverted(sk);
    if sock::is_closed(sk) {
        attempt::attempt_failed(sk, 0);
    } else {
        // The attempt got past TCP_CLOSE, although the step to SYN_SENT was missed.
        let _ = attempt::sent(sk);
    }
    match SOCKS.get_ptr_mut(sk) {
        Some(entry) if is_stream(entry, sk) => own(sk, entry),
        // SAFETY: a valid pointer into a map value; `proto` never changes.
        Some(entry) if unsafe { (*entry).proto } == proto::TCP => {
            evict(sk);
        }
        _ => datagrams_end(sk),
    }
    1
}

/// A process creates an IP socket; those that accept() returns are created in another way. The kernel never skips such a program, so
/// whatever an earlier socket left at this address, because no hook saw its end, is removed here. For all backends.
#[cgroup_sock(sock_create)]
pub fn cgroup_sock_create(ctx: SockContext) -> i32 {
    if is_off() {
        return 1;
    }
    let sk = number(ctx.sock as u64);
    displace(sk);
    forget(sk);
    pool::leave(sk);
    1
}
