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
use crate::requested;
use crate::sock;

/// What is known of an attempt.
#[repr(C)]
#[derive(Clone, Copy)]
struct Attempt {
    remote: Addr,
    /// The address that the process asked for, before other programs could change it; its family is 0 where that is not known.
    asked: Addr,
    /// 1 until the same call comes to [`begin`].
    is_new: u32,
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

/// connect() begins on a TCP socket, and other programs may still change the address. Followed by [`begin`]; so a connect costs one insert,
/// and what was asked for is looked at again only if the socket is then connected to another address.
#[inline(always)]
pub fn ask(sk: u64, asked: Addr) {
    if !insert(sk, asked, asked, 1) {
        requested::remember(sk, asked);
    }
}

/// connect() begins on a TCP socket.
#[inline(always)]
pub fn begin(sk: u64, remote: Addr) {
    if let Some(attempt) = ATTEMPTS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value, which only the connect of this socket writes.
        unsafe {
            if (*attempt).is_new != 0 {
                (*attempt).remote = remote;
                (*attempt).is_new = 0;
                return;
            }
        }
    }
    if !insert(sk, remote, Addr { ip: [0; 4], port: 0, family: 0 }, 0) {
        count(stat::CALLS_FULL, 1);
    }
}

/// Notes an attempt; false if there is no room. An earlier attempt on the socket has failed, and an earlier connection is over: its entry
/// is removed, so that nothing is added to it even if no hook sees how this connection begins.
#[inline(always)]
fn insert(sk: u64, remote: Addr, asked: Addr, is_new: u32) -> bool {
    attempt_failed(sk, 0);
    displace(sk);
    let user = user(sk);
    let attempt = Attempt { remote, asked, is_new, user, write_seq: sock::write_seq(sk) };
    if may_have(quota::ATTEMPTS, user, u64::from(MAX)) && ATTEMPTS.insert(sk, attempt, 0).is_ok() {
        took(quota::ATTEMPTS, user);
        return true;
    }
    false
}

/// A SYN is being sent: from here on the TCP state tells the rest. Removes the attempt, and returns whether there was one.
#[inline(always)]
pub fn sent(sk: u64) -> bool {
    let Some(attempt) = ATTEMPTS.get_ptr(sk) else { return false };
    // SAFETY: a valid pointer into a map value.
    let user = unsafe {
        let asked = &raw const (*attempt).asked;
        if (*asked).family != 0 && !sock::is_remote(sk, asked) {
            requested::remember(sk, *asked);
        }
        (*attempt).user
    };
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
        create_own(&NewEntry { sk, parent: 0, proto: proto::TCP, flags, remote, delivered: 0, is_used: true })
    {
        own(sk, entry);
        // SAFETY: a valid pointer into a map value, made a moment ago by this call.
        unsafe { (*entry).err = err };
        release(sk);
    }
    0
}
