//! What the backends share: calls that move bytes, accept() and connect().

use connmon_ebpf::{Addr, blind, flag, proto};

use crate::blind::is_blind;
use crate::calls::{self, Call};
use crate::ledger::account::{created, datagram, send_failed, tcp_entry};
use crate::ledger::attempt;
use crate::ledger::direction::{Direction, now};
use crate::ledger::identity::evict;
use crate::ledger::pool;
use crate::ledger::release::LEFT;
use crate::ledger::shares::{add, own};
use crate::maps::{SOCKS, may_straddle, offset};
use crate::requested;
use crate::sock::{self, MSG_ERRQUEUE, MSG_PEEK};
use crate::task::thread;

/// A call handed `bytes` to a TCP socket.
#[inline(always)]
pub fn tcp_sent(sk: u64, bytes: i64) {
    if bytes <= 0 {
        return;
    }
    match tcp_entry(sk) {
        Some(entry) => add(sk, entry, Direction::Tx, bytes as u64, 1),
        // MPTCP's master socket passes here as well, and is not a TCP socket.
        None if sock::class(sk) == proto::TCP => pool::moved(sk, Direction::Tx, bytes as u64),
        None => {}
    }
}

/// Whether a socket is in a sockmap; if so, its entry is marked for good.
#[inline(always)]
pub fn diverted(sk: u64) -> bool {
    if !sock::is_diverted(sk) {
        return false;
    }
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; a byte that only ever becomes 1.
        unsafe { core::ptr::write_volatile(&raw mut (*entry).diverted, 1) };
    }
    true
}

/// A call on a sockmap's own functions handed `bytes` to a TCP socket. Sockets that have left the sockmap are counted the usual way.
#[inline(always)]
pub fn diverted_sent(sk: u64, bytes: i64) {
    if diverted(sk) {
        tcp_sent(sk, bytes);
    }
}

/// Like [`diverted_sent`], for bytes that a call received.
#[inline(always)]
pub fn diverted_received(sk: u64, flags: i32, bytes: i64) {
    if flags & (MSG_PEEK | MSG_ERRQUEUE) == 0 && diverted(sk) {
        layered_received(sk, bytes);
    }
}

/// A call took `bytes` from a TCP socket that tcp_recvmsg() does not tell of: a ULP runs on the socket, or BPF filled a queue of its own.
#[inline(always)]
pub fn layered_received(sk: u64, bytes: i64) {
    if bytes <= 0 {
        return;
    }
    match tcp_entry(sk) {
        Some(entry) => add(sk, entry, Direction::Rx, bytes as u64, 1),
        None => pool::moved(sk, Direction::Rx, bytes as u64),
    }
}

/// The current thread, which holds a TCP socket, advanced its `write_seq` to `to`. `from` is where it was when the call began, for sockets
/// without an entry.
#[inline(always)]
pub fn written(sk: u64, from: u32, to: u32) {
    let Some(entry) = tcp_entry(sk) else {
        if to != from {
            pool::moved(sk, Direction::Tx, u64::from(to.wrapping_sub(from)));
        }
        return;
    };
    // SAFETY: a valid pointer into a map value; the socket is held, so the sequence number has one writer.
    let from = unsafe {
        let from = if (*entry).has_write_seq != 0 { (*entry).write_seq } else { from };
        (*entry).write_seq = to;
        (*entry).has_write_seq = 1;
        from
    };
    // The bytes of a socket in a sockmap are counted at the call (`diverted_sent`).
    if to != from && !diverted(sk) {
        add(sk, entry, Direction::Tx, u64::from(to.wrapping_sub(from)), 1);
    }
}

/// The current thread sent `bytes` with the SYN (TCP Fast Open). They are counted once, however often the socket is released.
#[inline(always)]
pub fn sent_with_syn(sk: u64, bytes: u32) {
    if bytes == 0 {
        return;
    }
    let Some(entry) = tcp_entry(sk) else {
        if pool::is_first_sent_with_syn(sk) {
            pool::moved(sk, Direction::Tx, u64::from(bytes));
        }
        return;
    };
    // SAFETY: a valid pointer into a map value; the socket is held, so the sequence number has one writer.
    unsafe {
        if (*entry).has_write_seq != 0 {
            return;
        }
        (*entry).write_seq = sock::write_seq(sk);
        (*entry).has_write_seq = 1;
    }
    add(sk, entry, Direction::Tx, u64::from(bytes), 1);
}

/// A call handed a datagram of `bytes` to a UDP socket; `msg` is its `struct msghdr`. `v6` distinguishes udpv6_sendmsg() from
/// udp_sendmsg(), which it calls for IPv4-mapped addresses: those are counted there.
#[inline(always)]
pub fn udp_sent(sk: u64, msg: u64, bytes: i64, v6: bool) {
    let name: u64 = sock::get(msg, offset!(msg_name));
    let named = if name == 0 { None } else { sock::sockaddr(name) };
    let remote = match named {
        Some(remote) => remote,
        None => sock::implied(sk, if v6 { sock::AF_INET6 } else { sock::AF_INET }),
    };
    if v6 && remote.family == sock::AF_INET {
        return;
    }
    if bytes < 0 {
        send_failed(sk, &remote, bytes);
        return;
    }
    datagram(sk, proto::UDP, Direction::Tx, &remote, 0, bytes as u64);
}

/// A call took a datagram of `bytes` from a UDP socket.
#[inline(always)]
pub fn udp_received(sk: u64, remote: Option<Addr>, bytes: i64) {
    if bytes < 0 {
        return;
    }
    match remote {
        Some(remote) => datagram(sk, proto::UDP, Direction::Rx, &remote, 0, bytes as u64),
        None => datagram(sk, proto::UDP, Direction::Rx, &unknown(sk), flag::REMOTE_UNKNOWN, bytes as u64),
    }
}

#[inline(always)]
fn unknown(sk: u64) -> Addr {
    Addr { ip: [0; 4], port: 0, family: sock::family(sk) }
}

/// The current process got `sk` from accept(), certainly or probably. That can be before the step to ESTABLISHED, because the child is
/// queued earlier (tcp_v4_rcv(), net/ipv4/tcp_ipv4.c).
#[inline(always)]
pub fn accepted(sk: u64, is_certain: bool) {
    if sk == 0 || sock::class(sk) != proto::TCP || is_blind(blind::BEGINNINGS, sk, 4) {
        return;
    }
    let evicted = evict(sk);
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        return own(sk, entry);
    }
    let mut flags = flag::INBOUND;
    if !sock::is_answering(sk) {
        if evicted != LEFT && may_straddle(now()) {
            // It may have been waiting since before the recording.
            flags |= flag::PREEXISTING;
        } else if !is_certain {
            flags = flag::BEGIN_UNSEEN;
        }
    }
    match created(sk, flags, true) {
        Some(entry) => own(sk, entry),
        None => pool::used(sk),
    }
}

/// connect() begins on a TCP socket; `name` is the kernel's copy of the address. tcp_v6_connect() (`v6`) hands
/// IPv4-mapped addresses on to tcp_v4_connect(), which is hooked itself.
#[inline(always)]
pub fn connecting(sk: u64, name: u64, v6: bool) {
    match sock::sockaddr(name) {
        Some(remote) if v6 != (remote.family == sock::AF_INET) => attempt::begin(sk, remote),
        _ => {}
    }
}

/// connect() begins on a socket, and programs may redirect it; `name` is the kernel's copy of the address.
#[inline(always)]
pub fn asks(sk: u64, name: u64) {
    if let Some(address) = sock::sockaddr(name) {
        requested::remember(sk, address);
    }
}

/// Key of a note of [`names`], which differs from the keys of `kprobe` and `kprobe_message`.
#[inline(always)]
fn naming() -> u64 {
    thread() | 32 << 32
}

/// Cgroup programs are about to see the address that a call names, and may change it. `name` is the kernel's copy of it; `answer` is where
/// a program may choose the address to send from, which only sends of datagrams have.
#[inline(always)]
pub fn names(sk: u64, name: u64, answer: u64) {
    if answer == 0 || name == 0 {
        return;
    }
    if let Some(remote) = sock::sockaddr(name) {
        let _ = calls::put(naming(), &Call { sk, arg: name, remote, extra: 0 });
    }
}

/// The cgroup programs that [`names`] waited for have run: notes where they redirected the datagram, if they did.
#[inline(always)]
pub fn named() {
    let Some(note) = calls::get(naming()) else { return };
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let Call { sk, arg: name, remote, .. } = unsafe { *note };
    if let Some(to) = sock::sockaddr(name) {
        requested::led(sk, remote, to);
    }
    calls::forget(naming());
}

/// connect() is back: 0 after sending a SYN, else a negative errno.
#[inline(always)]
pub fn connected(sk: u64, ret: i32) {
    if ret < 0 {
        attempt::attempt_failed(sk, ret.unsigned_abs());
    } else {
        let _ = attempt::sent(sk);
    }
}
