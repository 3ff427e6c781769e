//! The way out of an entry. It leaves once: it is marked RELEASED, output (else put into `OVERFLOW`, else its bytes are added to a
//! counter), and deleted. A sweep that meets a RELEASED entry leaves it alone, since its final form is on its way.

use aya_ebpf::bindings::BPF_NOEXIST;
use connmon_ebpf::{INLINE_SHARES, SockEntry, flag, quota, stat};

use super::direction::now;
use super::quota::{gave_back, may_have, took};
use crate::maps::{EVENTS, OVERFLOW, SOCKS, count, setting};
use crate::ring::{is_reserved, wakeup};

/// The socket is gone: its entry leaves. 1 if it had none.
#[inline(never)]
pub fn release(sk: u64) -> u64 {
    let Some(entry) = SOCKS.get_ptr_mut(sk) else { return 1 };
    // SAFETY: a valid pointer into a map value, which from here on only this hook uses.
    unsafe {
        if core::ptr::read_volatile(&raw const (*entry).flags) & flag::RELEASED != 0 {
            // Another CPU is at it.
            return 0;
        }
        if (*entry).closed_ns == 0 {
            (*entry).closed_ns = now();
        }
        core::ptr::write_volatile(&raw mut (*entry).flags, (*entry).flags | flag::RELEASED);
        if is_reserved() || EVENTS.output::<SockEntry>(&*entry, wakeup()).is_err() {
            let (id, user) = ((*entry).id, u32::from((*entry).user));
            let max = setting(|s| &raw const (*s).max_overflow);
            if may_have(quota::OVERFLOW, user, max)
                && OVERFLOW.insert(id, &*entry, u64::from(BPF_NOEXIST)).is_ok()
            {
                count(stat::OVERFLOWED, 1);
                took(quota::OVERFLOW, user);
            } else if EVENTS.output::<SockEntry>(&*entry, wakeup()).is_err() {
                count(stat::LOST_CONNECTIONS, 1);
                // Shares in `ACCT` stay there until a sweep has read them.
                for slot in 0..INLINE_SHARES {
                    count(stat::LOST_TX, (*entry).shares[slot].tx_bytes);
                    count(stat::LOST_RX, (*entry).shares[slot].rx_bytes);
                }
            }
        }
    }
    // SAFETY: as above.
    let user = u32::from(unsafe { (*entry).user });
    if SOCKS.remove(sk).is_ok() {
        gave_back(quota::SOCKS, user);
    }
    0
}
