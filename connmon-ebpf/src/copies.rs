//! Several copies of a program on the same hook, of which one handles the event.
//!
//! The kernel skips a program that is already running on the CPU (prog->active, kernel/trace/bpf_trace.c since Linux 6.2,
//! and kernel/bpf/trampoline.c since 5.12). So a softirq that interrupts a program in process context is not seen by it;
//! and where hooks can be preempted, a task that is preempted inside a program makes it blind for every other task on
//! that CPU, until it goes on. Then the next copy still sees the event. An event is lost only if as many tasks are
//! preempted at once, each in another copy.
//!
//! The copies of one event run in rising order, and each leaves its number in a mark. So a number that does not rise
//! begins another event, and needs no removal of the mark that a skipped copy would not do. Which events no copy saw
//! is the first one's misses less `RESCUED`.

use aya_ebpf::macros::map;
use aya_ebpf::maps::LruHashMap;
use connmon_ebpf::{MAX_COPIES, stat};

use crate::maps::{count, setting};

/// The number of the last copy that ran, by thread or socket. One that is pushed out between two copies of one event
/// would let both handle it: that takes as many new threads and sockets in between as the map has room for.
#[map]
static MARKS: LruHashMap<u64, u32> = LruHashMap::with_max_entries(65_536, 0);

/// Whether copy number `copy` is to handle the event of a hook that softirqs reach as well as processes.
#[inline(always)]
pub fn mine_nested(copy: u32, key: u64) -> bool {
    marked(copy, key, setting(|s| unsafe { &raw const (*s).nested_copies }))
}

/// Whether copy number `copy` is to handle the event of a hook in process context. `key` must be the same for all copies,
/// and no other event may come between them under it: the thread for hooks in process context, the socket for hooks that
/// hold its lock. To be asked before anything else is looked at, so that `RESCUED` counts by the same measure as the
/// kernel's misses.
#[inline(always)]
pub fn mine(copy: u32, key: u64) -> bool {
    marked(copy, key, setting(|s| unsafe { &raw const (*s).copies }))
}

#[inline(always)]
fn marked(copy: u32, key: u64, copies: u32) -> bool {
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
        // Without room for the mark, the last copy takes it.
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
            let $copy = 1;
            let () = $body;
            0
        }

        $crate::copies::further! { $kind($function) $name 2 ($ctx: $context, $copy) $body }
        $crate::copies::further! { $kind($function) $name 3 ($ctx: $context, $copy) $body }
        $crate::copies::further! { $kind($function) $name 4 ($ctx: $context, $copy) $body }
        $crate::copies::further! { $kind($function) $name 5 ($ctx: $context, $copy) $body }
        $crate::copies::further! { $kind($function) $name 6 ($ctx: $context, $copy) $body }
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
                let $copy = $number;
                let () = $body;
                0
            }
        }
    };
}
pub(crate) use further;
