//! The life of a TCP socket, and the bytes that it delivers, from BTF tracepoints that all backends share.

use aya_ebpf::macros::btf_tracepoint;
use aya_ebpf::programs::BtfTracePointContext;
use connmon_ebpf::{SockEntry, blind, flag, proto, stat};

use super::transfer::diverted;
use crate::blind::is_blind;
use crate::ledger::account::{created, tcp_entry, unseen};
use crate::ledger::attempt;
use crate::ledger::direction::{Direction, now};
use crate::ledger::identity::{displace, evict, is_stream};
use crate::ledger::pool;
use crate::ledger::release::{LEFT, NONE, id_of, release, retire};
use crate::ledger::shares::{add, own};
use crate::maps::{SOCKS, count, is_before, may_straddle};
use crate::redundant::{begin_anew, claims_event, copies, has_redundant_programs, mark_made, seen};
use crate::sock::{self, number};

// TCP states, include/net/tcp_states.h.
const ESTABLISHED: i32 = 1;
const SYN_SENT: i32 = 2;
const SYN_RECV: i32 = 3;
const CLOSE: i32 = sock::CLOSE as i32;
const LISTEN: i32 = sock::LISTEN as i32;
const NEW_SYN_RECV: i32 = 12;

// Added to a socket's address, which is aligned to words, so that each hook has marks of its own.
const STATE: u64 = 1;
const DESTROY: u64 = 2;

copies! {
    /// `inet_sock_set_state(sk, oldstate, newstate)`. Often runs in softirq context: only the step to SYN_SENT certainly runs in the
    /// process that connects.
    btf_tracepoint("inet_sock_set_state") inet_sock_set_state (ctx: BtfTracePointContext, copy) {
        let sk = number(ctx.arg(0));
        let old: i32 = ctx.arg(1);
        let new: i32 = ctx.arg(2);
        if is_blind(blind::ENDS, sk, 2) && new == CLOSE
            || is_blind(blind::BEGINNINGS, sk, 2) && matches!(new, SYN_SENT | ESTABLISHED)
        {
            return 0;
        }
        let event = (old as u32) << 8 | new as u32;
        let found = SOCKS.get_ptr_mut(sk);
        // SAFETY: a valid pointer into a map value; `proto` never changes.
        let entry = found.filter(|entry| unsafe { (**entry).proto } == proto::TCP);
        if let Some(entry) = entry {
            // SAFETY: a valid pointer into a map value; the socket is locked here.
            if unsafe { seen(&raw mut (*entry).mark, event, copy) } {
                return 0;
            }
        } else if !claims_event(copy, sk.wrapping_add(STATE)) || (copy > 1 && new != CLOSE && pool::is_noted(sk)) {
            // An earlier copy has counted it.
            return 0;
        }
        if matches!((old, new), (_, SYN_SENT) | (SYN_RECV, ESTABLISHED) | (SYN_SENT, ESTABLISHED) | (_, CLOSE))
            // MPTCP's master sockets pass here as well, but are no `struct tcp_sock`.
            && sock::class(sk) == proto::TCP
        {
            // Without an entry, each copy does this; doing it twice does no harm.
            if set_state(sk, old, new, found.is_some()) {
                if let Some(made) = SOCKS.get_ptr_mut(sk) {
                    // SAFETY: as above.
                    unsafe { mark_made(&raw mut (*made).mark, event, copy, entry.is_none()) };
                    // From here on the entry's mark counts.
                    begin_anew(sk.wrapping_add(STATE));
                }
            }
        }
    }
}

/// Handles a change of state; returns whether it may have created or replaced the entry. `is_known` says whether there is an entry at the
/// socket's address.
#[inline(always)]
fn set_state(sk: u64, old: i32, new: i32, is_known: bool) -> bool {
    let family = sock::family(sk);
    // Kernel TLS is set up later, when the process asks for it, so a ULP now means a subflow.
    let fresh = |direction, is_used| {
        created(sk, direction | if sock::layered(sk) { flag::SUBFLOW } else { 0 }, is_used)
    };
    if new == SYN_SENT {
        // A socket may connect again after a failure, or after connect() to AF_UNSPEC.
        if !is_known || displace(sk) == NONE {
            pool::leave(sk);
        }
        let _ = attempt::sent(sk);
        match fresh(flag::OUTBOUND, true) {
            Some(entry) => own(sk, entry),
            None => pool::used(sk),
        }
        return true;
    }
    if new == ESTABLISHED {
        let mut is_new = false;
        if let Some(entry) = SOCKS.get_ptr_mut(sk) {
            let id = id_of(entry);
            // SAFETY: a valid pointer into a map value.
            let over = unsafe { (*entry).established_ns != 0 || (*entry).closed_ns != 0 };
            if over || !is_stream(entry, sk) {
                // The entry is of an earlier socket at the same address, whose end was not seen.
                is_new = retire(sk, id, 1) == LEFT;
            }
        }
        let time = now();
        let before = old == SYN_RECV && may_straddle(time) && is_before(sock::syn_received(sk, time));
        let entry = match SOCKS.get_ptr_mut(sk) {
            Some(entry) => entry,
            None => {
                let attempted = attempt::sent(sk);
                let mut flags = flag::INBOUND;
                if old != SYN_RECV {
                    flags = flag::OUTBOUND | if attempted { 0 } else { unseen(is_new) };
                }
                match fresh(flags, false) {
                    Some(entry) => entry,
                    None => return true,
                }
            }
        };
        // SAFETY: a valid pointer into a map value; the socket is locked here.
        let entry: &mut SockEntry = unsafe { &mut *entry };
        entry.established_ns = time;
        if before {
            entry.flags |= flag::PREEXISTING;
        }
        if entry.has_write_seq == 0 {
            entry.write_seq = sock::write_seq(sk);
            entry.has_write_seq = 1;
        }
        entry.local = sock::local(sk, family);
        entry.remote = sock::remote(sk, family);
        return true;
    }
    // A socket that is over cannot leave a state other than TCP_CLOSE once more, so such an entry is an earlier socket's.
    let over = if old == CLOSE { None } else { SOCKS.get_ptr_mut(sk) };
    let over = over.map(|entry| (id_of(entry), entry));
    // SAFETY: a valid pointer into a map value.
    let evicted = match over.filter(|(_, entry)| unsafe { (**entry).closed_ns } != 0) {
        Some((id, _)) => retire(sk, id, 1),
        None => evict(sk),
    };
    let mut made = false;
    if SOCKS.get_ptr(sk).is_none() {
        let was_open = !matches!(old, LISTEN | SYN_RECV | NEW_SYN_RECV | CLOSE);
        if !was_open || pool::has(sk) || (evicted != LEFT && may_straddle(now())) {
            if old != LISTEN {
                pool::closed_in_pool(sk);
            }
            return false;
        }
        // Neither its beginning nor any of its calls was seen. If there was an attempt, this host opened it.
        let direction = if attempt::sent(sk) { flag::OUTBOUND } else { 0 };
        made = fresh(flag::BEGIN_UNSEEN | direction, false).is_some();
    }
    if let Some(entry) = SOCKS.get_ptr_mut(sk) {
        // SAFETY: a valid pointer into a map value; the socket is locked here.
        let entry: &mut SockEntry = unsafe { &mut *entry };
        entry.old_state = old as u8;
        entry.closed_ns = now();
        sock::read_totals(sk, entry);
        // An address that was bound for connect() has been given up by now, but the port can still be read.
        if entry.local.port == 0 {
            entry.local.port = sock::local_port(sk);
        }
    }
    made
}

copies! {
    /// `tcp_destroy_sock(sk)`: the last event of a TCP socket.
    btf_tracepoint("tcp_destroy_sock") tcp_destroy_sock (ctx: BtfTracePointContext, copy) {
        let sk = number(ctx.arg(0));
        if is_blind(blind::ENDS, sk, 4) {
            return 0;
        }
        if has_redundant_programs() {
            if !claims_event(copy, sk.wrapping_add(DESTROY)) {
                return 0;
            }
        } else if copy > 1 && SOCKS.get_ptr(sk).is_some() {
            // The first copy would have removed the entry, so it did not see this event.
            count(stat::RESCUED, 1);
        }
        if !release(sk) {
            pool::leave(sk);
        }
    }
}

copies! {
    /// `tcp_rcv_space_adjust(sk)`: called in the reader's context after each portion that was delivered, by whatever call it is read; a
    /// peek delivers nothing.
    btf_tracepoint("tcp_rcv_space_adjust") tcp_rcv_space_adjust (ctx: BtfTracePointContext, copy) {
        let sk = number(ctx.arg(0));
        if claims_event(copy, sk) {
            received(sk);
        }
    }
}

#[inline(always)]
fn received(sk: u64) {
    if sock::layered(sk) {
        // The reader may be the kernel, in the context of any process, and these bytes are not those that the process gets.
        return;
    }
    let delivered = sock::delivered(sk);
    // Bytes that a sockmap's programs put into a queue of their own are counted at the call, and so are all others, which may pass through
    // that queue too.
    let by_call = diverted(sk);
    let Some(entry) = tcp_entry(sk) else {
        if pool::is_in_use() {
            pool::received_in_pool(sk, delivered, u64::from(by_call));
        }
        return;
    };
    // SAFETY: a valid pointer into a map value; the socket is locked here, so `delivered` has one writer.
    unsafe {
        let before = (*entry).delivered;
        if delivered > before {
            (*entry).delivered = delivered;
            if !by_call {
                add(sk, entry, Direction::Rx, delivered - before, 1);
            }
        }
    }
}
