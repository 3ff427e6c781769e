//! What the fentry and kprobe backends do for sockets that are neither TCP nor UDP: raw, ping, MPTCP, packet.

use connmon_ebpf::{Addr, proto, stat};

use super::transfer::{message_received, message_sent};
use crate::account::release;
use crate::maps::{CALLS, Call, SOCKS, count, offset};
use crate::sock::{self, get};
use crate::task::thread;

// include/linux/socket.h
const MSG_PEEK: i32 = 0x2;
const MSG_ERRQUEUE: i32 = 0x2000;

/// A call with `struct msghdr *msg` sent `bytes`, or failed.
#[inline(always)]
pub fn sent(sk: u64, msg: u64, bytes: i64) {
    match sock::class(sk) {
        // A raw socket's functions never see TCP or UDP; MPTCP hands over to TCP when the other side does not know it.
        0 | proto::TCP | proto::UDP => {}
        class => message_sent(sk, class, named(msg), bytes),
    }
}

/// A call with `struct msghdr *msg` received `bytes`, or failed.
#[inline(always)]
pub fn received(sk: u64, msg: u64, flags: i32, bytes: i64) {
    let met = met();
    if flags & (MSG_PEEK | MSG_ERRQUEUE) != 0 {
        return;
    }
    match sock::class(sk) {
        0 | proto::TCP | proto::UDP => {}
        class => message_received(sk, class, met.or_else(|| named(msg).map(|sender| (sender, 20))), bytes),
    }
}

/// A call on a packet socket (`struct socket`) sent `bytes`, or failed.
#[inline(always)]
pub fn packet_sent(socket: u64, bytes: i64) {
    message_sent(get(socket, offset!(socket_sk)), proto::PACKET, None, bytes);
}

/// A call on a packet socket (`struct socket`) received `bytes`, or failed.
#[inline(always)]
pub fn packet_received(socket: u64, flags: i32, bytes: i64) {
    if flags & (MSG_PEEK | MSG_ERRQUEUE) == 0 {
        message_received(get(socket, offset!(socket_sk)), proto::PACKET, None, bytes);
    }
}

/// The packet that a receive is about to report: its sender and header are noted for the return of the call.
#[inline(always)]
pub fn ends_receive(sk: u64, skb: u64) {
    if matches!(sock::class(sk), 0 | proto::TCP | proto::UDP | proto::PACKET) {
        return;
    }
    if let Some(remote) = sock::sender(skb) {
        let note = Call { sk, arg: sock::header_len(skb), remote, extra: 0 };
        if CALLS.insert(thread(), note, 0).is_err() {
            count(stat::CALLS_FULL, 1);
        }
    }
}

/// Nothing refers to the socket (`struct socket`) any more. TCP and UDP have their own ends.
#[inline(always)]
pub fn closed(socket: u64) {
    let sk: u64 = get(socket, offset!(socket_sk));
    let Some(entry) = SOCKS.get_ptr(sk) else { return };
    // SAFETY: a valid pointer into a map value; `proto` never changes.
    if !matches!(unsafe { (*entry).proto }, proto::TCP | proto::UDP) {
        release(sk);
    }
}

#[inline(always)]
fn met() -> Option<(Addr, u64)> {
    let key = thread();
    let note = CALLS.get_ptr(key)?;
    // SAFETY: a valid pointer into a map value that only this thread uses.
    let met = unsafe { ((*note).remote, (*note).arg) };
    let _ = CALLS.remove(key);
    Some(met)
}

#[inline(always)]
fn named(msg: u64) -> Option<Addr> {
    match get::<u64>(msg, offset!(msg_name)) {
        0 => None,
        name => sock::sockaddr(name),
    }
}
