//! Removes the entries of sockets whose end no hook saw. Some kernels, as seen on a 6.18 with heavy softirq load, sometimes run no program
//! for the tracepoints of a whole burst, and count no miss: what ended in it would stay open for ever.
//!
//! The program is attached nowhere: user space, which walks over `SOCKS` anyway, runs it for the sockets that it has met. An iterator over
//! the map could do the same, but some kernels refuse iterators that make a map's values writable.

use aya_ebpf::EbpfContext;
use aya_ebpf::macros::raw_tracepoint;
use aya_ebpf::programs::RawTracePointContext;
use connmon_ebpf::{SOCKETS_AT_ONCE, SockEntry, flag, proto};

use crate::ledger::identity::is_at;
use crate::ledger::release::{id_of, retire};
use crate::maps::{LOOKED_AT, SOCKS, offset};
use crate::sock::{self, CLOSE, LISTEN, peek};

/// Looks at the first sockets in [`LOOKED_AT`], as many as the only argument says.
#[raw_tracepoint(tracepoint = "none")]
pub fn ends(ctx: RawTracePointContext) -> i32 {
    let Some(sockets) = LOOKED_AT.get_ptr(0) else { return 0 };
    // SAFETY: bpf_prog_test_run_raw_tp() (net/bpf/test_run.c) takes as many arguments as the program reads: one.
    let count = unsafe { *ctx.as_ptr().cast::<u64>() };
    for n in 0..SOCKETS_AT_ONCE {
        if n as u64 >= count {
            break;
        }
        // SAFETY: a valid pointer into a map value, which has so many places.
        look_at(unsafe { core::ptr::read_volatile(sockets.cast::<u64>().add(n)) });
    }
    0
}

/// Removes the entry of a socket that was found ended both now and when it was last examined. A global function, which the verifier checks
/// once and not once for each socket.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn look_at(sk: u64) -> u64 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return 0 };
    let id = id_of(entry);
    // SAFETY: a valid pointer into a map value; only this program writes `stale`.
    unsafe {
        if core::ptr::read_volatile(&raw const (*entry).flags) & flag::RELEASED != 0 {
            return 0;
        }
        let stale = match (*entry).proto {
            proto::TCP => is_stale(sk, entry),
            // A new socket at the same address would have another inode.
            _ => (*entry).mark != 0 && sock::inode(sk) != (*entry).mark,
        };
        // What is found only once may be the moment before a new socket's first change of state.
        if stale && core::ptr::read_volatile(&raw const (*entry).stale) != 0 {
            // There may be no hook for the end of a packet socket, which then counts as seen here.
            retire(sk, id, u64::from((*entry).proto != proto::PACKET));
        } else if id_of(entry) == id {
            core::ptr::write_volatile(&raw mut (*entry).stale, u8::from(stale));
        }
    }
    0
}

/// Whether a TCP socket was closed without any hook seeing it, or its memory is another socket's by now. The kernel sets a state after its
/// tracepoint (inet_sk_state_store(), net/ipv4/af_inet.c), and uses the memory of sockets only for sockets until it is given back
/// (SLAB_TYPESAFE_BY_RCU, net/ipv4/tcp_ipv4.c).
#[inline(always)]
unsafe fn is_stale(sk: u64, entry: *mut SockEntry) -> bool {
    if sock::is_free(sk) || !is_at(entry, sk, sock::peek_common(sk)) {
        return true;
    }
    // SAFETY: as the caller promises, a valid pointer into a map value.
    let is_over = unsafe { (*entry).closed_ns } != 0;
    let state: u8 = peek(sk, offset!(skc_state));
    // A socket that is over stays in TCP_CLOSE until it is gone.
    if is_over { state != CLOSE } else { matches!(state, CLOSE | LISTEN) }
}
