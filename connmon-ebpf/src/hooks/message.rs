//! Sockets that are neither TCP nor UDP: raw, ping, MPTCP, packet.
//!
//! The remote is written directly to where it will be used, without `Option`s and copies, because BPF programs have little stack; see also
//! [`sock::get`].

use connmon_ebpf::{Addr, flag, proto};

use super::transfer::diverted;
use crate::calls::{self, Call};
use crate::ledger::account::{datagram_slow, datagrams_end, direction, moved, send_failed};
use crate::ledger::direction::Direction;
use crate::ledger::entry::{NewEntry, is_current};
use crate::ledger::shares::add;
use crate::maps::{SOCKS, offset};
use crate::sock::{self, MSG_ERRQUEUE, MSG_PEEK, get};
use crate::task::thread;

/// Whether a socket's class is counted here.
#[inline(always)]
pub fn is_message(class: u16) -> bool {
    !matches!(class, 0 | proto::TCP | proto::UDP)
}

/// A call sent `bytes`, or failed; `msg` is its `struct msghdr *`, or 0 if that is not known.
#[inline(always)]
pub fn sent(sk: u64, msg: u64, bytes: i64) {
    let class = sock::class(sk);
    // The functions of raw sockets never see TCP or UDP; MPTCP falls back to TCP if the peer does not support it.
    if is_message(class) {
        sent_as(class, sk, msg, bytes);
    }
}

/// Like [`sent`], for a socket whose class is known; UDP too.
#[inline(always)]
pub fn sent_as(class: u16, sk: u64, msg: u64, bytes: i64) {
    let mut new = new(sk, class, Direction::Tx);
    take_noted_remote(sk, &mut new.remote);
    if bytes < 0 {
        if class == proto::UDP {
            send_failed(sk, &new.remote, bytes);
        }
        return;
    }
    if new.remote.family == 0 {
        named(msg, &mut new.remote);
    }
    finish(&mut new, Direction::Tx, bytes as u64);
}

/// A call received `bytes`, or failed; `msg` is its `struct msghdr *`, or 0 if that is not known.
#[inline(always)]
pub fn received(sk: u64, msg: u64, flags: i32, bytes: i64) {
    let class = sock::class(sk);
    if is_message(class) {
        received_as(class, sk, msg, flags, bytes);
    }
}

/// Like [`received`], for a socket whose class is known; UDP too.
#[inline(always)]
pub fn received_as(class: u16, sk: u64, msg: u64, flags: i32, bytes: i64) {
    let mut new = new(sk, class, Direction::Rx);
    let mut header = take_noted_remote(sk, &mut new.remote);
    if bytes < 0 || flags & (MSG_PEEK | MSG_ERRQUEUE) != 0 {
        return;
    }
    if new.remote.family == 0 {
        named(msg, &mut new.remote);
    }
    if !sock::shows_header(sk) {
        header = 0;
    }
    finish(&mut new, Direction::Rx, (bytes as u64).saturating_sub(header));
}

/// A call on a packet socket (`struct socket`) sent `bytes`, or failed.
#[inline(always)]
pub fn packet_sent(socket: u64, bytes: i64) {
    sent(get(socket, offset!(socket_sk)), 0, bytes);
}

/// A call on a packet socket (`struct socket`) received `bytes`, or failed.
#[inline(always)]
pub fn packet_received(socket: u64, flags: i32, bytes: i64) {
    received(get(socket, offset!(socket_sk)), 0, flags, bytes);
}

/// The packet that a receive is about to report: its sender and header are noted for the return of the call.
#[inline(always)]
pub fn ends_receive(sk: u64, skb: u64) {
    let class = sock::class(sk);
    if !is_message(class) || class == proto::PACKET {
        return;
    }
    if let Some(remote) = sock::sender(skb) {
        note(sk, remote, sock::header_len(skb));
    }
}

/// Notes the remote and the length of the IP header for the call that this thread is in; `sk` is 0 if it is not known. The note stays and
/// is overwritten by later calls, so that a call costs neither an insert nor a removal.
#[inline(always)]
pub fn note(sk: u64, remote: Addr, header: u64) {
    let key = thread();
    if let Some(note) = calls::get(key) {
        // SAFETY: a valid pointer into a map value that only this thread uses.
        unsafe {
            (*note).sk = sk;
            (*note).arg = header;
            (*note).remote = remote;
        }
    } else {
        // Without the note, the entry is marked as one whose remote is unknown.
        let _ = calls::put(key, &Call { sk, arg: header, remote, extra: 0 });
    }
}

/// Nothing refers to the socket (`struct socket`) any more. Other hooks see the ends of TCP and UDP sockets.
#[inline(always)]
pub fn closed(socket: u64) {
    let sk: u64 = get(socket, offset!(socket_sk));
    // This is the last chance to see it, because closing takes a socket out of its sockmaps.
    diverted(sk);
    // SAFETY: a valid pointer into a map value; `proto` never changes.
    if SOCKS.get_ptr(sk).is_none_or(|entry| is_message(unsafe { (*entry).proto })) {
        datagrams_end(sk);
    }
}

#[inline(always)]
fn new(sk: u64, proto: u16, way: Direction) -> NewEntry {
    let remote = Addr { ip: [0; 4], port: 0, family: 0 };
    NewEntry { sk, parent: 0, proto, flags: direction(proto, way), remote, delivered: 0, is_used: true }
}

/// Completes the remote and counts the message.
#[inline(always)]
fn finish(new: &mut NewEntry, way: Direction, bytes: u64) {
    if new.proto == proto::PACKET {
        new.remote.family = sock::AF_INET;
    } else if new.proto == proto::UDP {
        if new.remote.family == 0 {
            let family = sock::family(new.sk);
            new.remote = if way == Direction::Tx {
                sock::implied(new.sk, family)
            } else {
                sock::remote(new.sk, family)
            };
        }
        // Nothing is sent to port 0, so the hook that notes the remote has not run.
        if new.remote.port == 0 {
            new.remote = Addr { ip: [0; 4], port: 0, family: sock::family(new.sk) };
            new.flags |= flag::REMOTE_UNKNOWN;
        }
    } else if new.proto == proto::MPTCP {
        new.remote = sock::remote(new.sk, sock::family(new.sk));
    } else {
        if new.remote.family == 0 {
            new.remote = sock::remote(new.sk, sock::family(new.sk));
        }
        new.remote.port = 0;
        if new.remote.ip == [0; 4] {
            new.flags |= flag::REMOTE_UNKNOWN;
        }
    }
    if let Some(entry) = SOCKS.get_ptr_mut(new.sk) {
        // SAFETY: a valid pointer into a map value; `remote` never changes.
        if unsafe { (*entry).remote == new.remote } && is_current(entry) && !moved(entry, new.sk, new.proto) {
            return add(new.sk, entry, way, bytes, 1);
        }
    }
    let is_unknown = new.flags & flag::REMOTE_UNKNOWN != 0;
    datagram_slow(new.sk, new.proto, &new.remote, is_unknown, way, bytes);
}

/// Moves the remote that an earlier hook of this thread's call noted into `remote`; returns the length of the IP header.
#[inline(always)]
fn take_noted_remote(sk: u64, remote: &mut Addr) -> u64 {
    let key = thread();
    let Some(note) = calls::get(key) else { return 20 };
    let mut header = 20;
    // SAFETY: a valid pointer into a map value that only this thread uses.
    unsafe {
        if (*note).remote.family == 0 {
            // The note has been used already.
            return 20;
        }
        // Otherwise the note is of a packet that the kernel sent in answer, on a socket of its own.
        if (*note).sk == 0 || (*note).sk == sk {
            *remote = (*note).remote;
            header = (*note).arg;
        }
        (*note).remote.family = 0;
    }
    header
}

#[inline(always)]
fn named(msg: u64, remote: &mut Addr) {
    if msg == 0 {
        return;
    }
    let name: u64 = get(msg, offset!(msg_name));
    if name != 0 {
        if let Some(named) = sock::sockaddr(name) {
            *remote = named;
        }
    }
}
