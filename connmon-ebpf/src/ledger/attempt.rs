//! connect() calls that fail before a SYN is sent, for example without a route: the TCP state does not change, so `lifecycle` sees
//! nothing. A hook notes the attempt before it is made; if no SYN follows, the attempt gets a record of its own.

use aya_ebpf::macros::map;
use aya_ebpf::maps::HashMap;
use connmon_ebpf::{Addr, flag, proto, quota, stat};

use super::entry::{NewEntry, create_own};
use super::identity::displace;
use super::quota::{gave_back, may_have, took, user};
use super::release::{STUCK, release};
use super::shares::own;
use crate::maps::count;
use crate::sock;

/// What is known of an attempt.
#[repr(C)]
#[derive(Clone, Copy)]
struct Attempt {
    remote: Addr,
    /// The place of the socket's user.
    user: u32,
    /// `write_seq` of the socket, the sequence number of its next byte. It changes when a SYN is made (tcp_v4_connect(), tcp_connect()),
    /// and again when the socket is disconnected (tcp_disconnect(), net/ipv4/tcp.c).
    write_seq: u32,
}

/// Most attempts that are kept: those under way, and those whose failure no hook saw, until their sockets are used again or closed.
const MAX: u32 = 16_384;

/// connect() calls by socket, until a SYN is sent.
#[map]
static ATTEMPTS: HashMap<u64, Attempt> = HashMap::with_max_entries(MAX, 0);

/// connect() begins on a TCP socket. An earlier attempt on it has failed, and an earlier connection is over: its entry is removed, so that
/// nothing is added to it even if no hook sees how this connection begins.
#[inline(always)]
pub fn begin(sk: u64, remote: Addr) {
    attempt_failed(sk, 0);
    displace(sk);
    let user = user(sk);
    if may_have(quota::ATTEMPTS, user, u64::from(MAX))
        && ATTEMPTS.insert(sk, Attempt { remote, user, write_seq: sock::write_seq(sk) }, 0).is_ok()
    {
        took(quota::ATTEMPTS, user);
    } else {
        count(stat::CALLS_FULL, 1);
    }
}

/// A SYN is being sent: from here on the TCP state tells the rest. Removes the attempt, and returns whether there was one.
#[inline(always)]
pub fn sent(sk: u64) -> bool {
    let Some(attempt) = ATTEMPTS.get_ptr(sk) else { return false };
    // SAFETY: a valid pointer into a map value.
    let user = unsafe { (*attempt).user };
    let removed = ATTEMPTS.remove(sk).is_ok();
    if removed {
        gave_back(quota::ATTEMPTS, user);
    }
    removed
}

/// The attempt failed with the errno `err`, or 0 if that is not known.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn attempt_failed(sk: u64, err: u32) -> u64 {
    let Some(attempt) = ATTEMPTS.get_ptr(sk) else { return 0 };
    // SAFETY: a valid pointer into a map value.
    let (remote, write_seq) = unsafe { ((*attempt).remote, (*attempt).write_seq) };
    // Without an errno, the attempt may have succeeded without any hook seeing the state change.
    let went_on = err == 0 && write_seq != sock::write_seq(sk);
    let _ = sent(sk);
    // An earlier connection on the same socket is over as well.
    if displace(sk) == STUCK {
        count(stat::CALLS_FULL, 1);
        return 0;
    }
    // The new entry is released at once, so it takes no room from others.
    let outcome = if went_on { flag::BEGIN_UNSEEN | flag::END_UNSEEN } else { flag::NEVER_SENT };
    let flags = flag::OUTBOUND | outcome;
    if let Some(entry) =
        create_own(&NewEntry { sk, parent: 0, proto: proto::TCP, flags, remote, delivered: 0 })
    {
        own(sk, entry);
        // SAFETY: a valid pointer into a map value, made a moment ago by this call.
        unsafe { (*entry).err = err };
        release(sk);
    }
    0
}
