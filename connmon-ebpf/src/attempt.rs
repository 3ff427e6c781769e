//! connect() calls that fail before a SYN is sent, for example without a route: the TCP state never moves, so there is
//! nothing for `lifecycle` to see. A hook before the attempt notes it; if no SYN follows, a record of its own is made.

use connmon_ebpf::{Addr, flag, proto, stat};

use crate::account::{New, create_own, release};
use crate::identity::displace;
use crate::maps::{ATTEMPTS, count};
use crate::shares::own;

/// connect() begins on a TCP socket. An earlier attempt on it that came to nothing is over.
#[inline(always)]
pub fn begin(sk: u64, remote: Addr) {
    failed(sk, 0);
    if ATTEMPTS.insert(sk, remote, 0).is_err() {
        count(stat::CALLS_FULL, 1);
    }
}

/// A SYN is on its way: from here on the state tells. True if there was an attempt.
#[inline(always)]
pub fn sent(sk: u64) -> bool {
    ATTEMPTS.remove(sk).is_ok()
}

/// The attempt came to nothing, with the errno `err`, or 0 where it is not known.
#[inline(never)]
pub fn failed(sk: u64, err: u32) -> u64 {
    let Some(remote) = ATTEMPTS.get_ptr(sk) else { return 0 };
    // SAFETY: a valid pointer into a map value.
    let remote = unsafe { *remote };
    let _ = ATTEMPTS.remove(sk);
    // What an earlier connection on the same socket left is over as well.
    displace(sk);
    // It leaves at once, so it takes no room from others.
    let flags = flag::OUTBOUND | flag::NEVER_SENT;
    if let Some(entry) = create_own(&New { sk, parent: 0, proto: proto::TCP, flags, remote, delivered: 0 }) {
        own(entry);
        // SAFETY: a valid pointer into a map value, made a moment ago by this call.
        unsafe { (*entry).err = err };
        release(sk);
    }
    0
}
