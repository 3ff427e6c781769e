//! Several copies of a program on the same hook, of which one handles the event.
//!
//! The kernel skips a program that is already running on the CPU (prog->active, kernel/trace/bpf_trace.c since Linux 6.2, and
//! kernel/bpf/trampoline.c since 5.12). So a program in process context does not see the events of a softirq that interrupts it; and where
//! hooks can be preempted, a program whose task is preempted misses the events of every other task on that CPU until its task goes on. The
//! next copy still sees these events. An event is lost only if as many tasks as there are copies are preempted at once, each in another
//! copy.
//!
//! The copies of one event run in rising order, and each writes its number to a mark. So a number that does not rise belongs to another
//! event, and the mark need not be cleared at the end of an event, by a copy that may be skipped. That fails if copies are skipped in two
//! events in a row, as happens in bursts of a softirq: so, for events that occur in softirqs, the mark also holds the event. The number of
//! events that no copy saw is the number that the first copy missed, minus `RESCUED`.

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{MAX_COPIES, stat};

use crate::maps::{count, setting};

/// The number of the last copy that ran, by thread or socket. If a mark is evicted between two copies of one event, both handle it; that
/// takes as many new threads and sockets in between as the map has room for.
#[map]
static MARKS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65_536, 0);

/// Whether an earlier copy has seen this event of a socket, and so has handled it. `mark` is in the socket's entry, and holds the last
/// event and copy. `event` is never 0, and never the same twice in a row on one socket, so that a mark that a skipped copy did not update
/// is not taken for this event's.
///
/// # Safety
/// `mark` is valid, and the socket is locked.
#[inline(always)]
pub unsafe fn seen(mark: *mut u32, event: u32, copy: u32) -> bool {
    // SAFETY: as the caller promises.
    let last = unsafe {
        let last = core::ptr::read_volatile(mark);
        core::ptr::write_volatile(mark, event << 8 | copy);
        last
    };
    if last >> 8 == event && last & 0xff < copy {
        return true;
    }
    if copy > 1 {
        count(stat::RESCUED, 1);
    }
    false
}

/// Marks an entry that this event may have created or replaced. `fresh` says that there was no entry before, so that no earlier copy can
/// have handled the event.
///
/// # Safety
/// As for [`seen`].
#[inline(always)]
pub unsafe fn mark_made(mark: *mut u32, event: u32, copy: u32, fresh: bool) {
    // SAFETY: as the caller promises.
    unsafe { core::ptr::write_volatile(mark, event << 8 | copy) };
    // With redundant programs, `claims_event` has counted it.
    if fresh && copy > 1 && !has_redundant_programs() {
        count(stat::RESCUED, 1);
    }
}

/// Resets the mark of a key, so that whichever copy comes next under it begins another event.
#[inline(always)]
pub fn begin_anew(key: u64) {
    if !has_redundant_programs() {
        return;
    }
    if let Some(mark) = MARKS.get_ptr_mut(key) {
        // SAFETY: a valid pointer into a map value; one event at a time has this key.
        unsafe { core::ptr::write_volatile(mark, MAX_COPIES) };
    }
}

/// Whether all hooks have several copies, because this kernel preempts programs.
#[inline(always)]
pub fn has_redundant_programs() -> bool {
    setting(|s| unsafe { &raw const (*s).copies }) > 1
}

/// Whether copy number `copy` is to handle this event. `key` must be the same for all copies, and no other event may use it in between:
/// the thread for hooks in process context, the socket for hooks that hold its lock. Must be asked before anything else is examined, so
/// that `RESCUED` and the kernel's misses count the same events.
#[inline(always)]
pub fn claims_event(copy: u32, key: u64) -> bool {
    let copies = setting(|s| unsafe { &raw const (*s).copies });
    if copies < 2 {
        return true;
    }
    let ours = match MARKS.get_ptr_mut(key) {
        // SAFETY: a valid pointer into a map value; one event at a time has this key.
        Some(mark) => unsafe {
            let last = core::ptr::read_volatile(mark);
            core::ptr::write_volatile(mark, copy);
            copy <= last
        },
        // Without room for the mark, the last copy handles the event.
        None => MARKS.insert(key, copy, 0).is_ok() || copy == copies,
    };
    if ours && copy > 1 {
        count(stat::RESCUED, 1);
    }
    ours
}

const _: () = assert!(MAX_COPIES == 6, "`copies!` defines as many programs");

/// Defines the copies of a program: `$body` gets the context and the number of the copy.
macro_rules! copies {
    ($(#[$doc:meta])* $kind:ident($function:tt) $name:ident ($ctx:ident: $context:ty, $copy:ident) $body:block) => {
        $(#[$doc])*
        #[$kind(function = $function)]
        pub fn $name($ctx: $context) -> i32 {
            if $crate::maps::is_off() {
                return 0;
            }
            let $copy = 1;
            let () = $body;
            0
        }

        $crate::redundant::further! { $kind($function) $name 2 ($ctx: $context, $copy) $body }
        $crate::redundant::further! { $kind($function) $name 3 ($ctx: $context, $copy) $body }
        $crate::redundant::further! { $kind($function) $name 4 ($ctx: $context, $copy) $body }
        $crate::redundant::further! { $kind($function) $name 5 ($ctx: $context, $copy) $body }
        $crate::redundant::further! { $kind($function) $name 6 ($ctx: $context, $copy) $body }
    };
}
pub(crate) use copies;

/// One further copy, for [`copies!`].
macro_rules! further {
    ($kind:ident($function:tt) $name:ident $number:literal ($ctx:ident: $context:ty, $copy:ident) $body:block) => {
        pastey::paste! {
            #[doc = concat!("Copy ", $number, ".")]
            #[$kind(function = $function)]
            pub fn [<$name _ $number>]($ctx: $context) -> i32 {
                if $crate::maps::is_off() {
                    return 0;
                }
                let $copy = $number;
                let () = $body;
                0
            }
        }
    };
}
pub(crate) use further;
