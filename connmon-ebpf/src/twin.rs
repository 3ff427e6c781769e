//! Twins: two copies of a program on the same hook, of which one handles the event.
//!
//! The kernel skips a program that is already running on the CPU (prog->active, kernel/trace/bpf_trace.c since Linux 6.2,
//! and kernel/bpf/trampoline.c). So a softirq that interrupts a program in process context is not seen by it; and where
//! hooks can be preempted, a task that is preempted inside a program makes it blind for every other task on that CPU,
//! until it goes on. Then the twin still sees the event. The first copy marks what it
//! handles, the second handles what is not marked. What both miss is the first one's misses less `RESCUED`.

use connmon_ebpf::{stat, twins};

use crate::maps::{MARKS, count, setting};

/// Which copy runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Copy {
    /// The one that runs first.
    First,
    /// The one that runs after it, only where twins are wanted.
    Second,
}

/// Whether this copy is to handle the event of a hook that softirqs reach as well as processes.
#[inline(always)]
pub fn mine_nested(copy: Copy, key: u64) -> bool {
    setting(|s| unsafe { &raw const (*s).twins }) < twins::NESTED || marked(copy, key)
}

/// Whether this copy is to handle the event of a hook in process context. `key` must be the same for both copies and no other event may come
/// between them under it: the thread for hooks in process context, the socket for hooks that hold its lock. To be asked
/// before anything else is looked at, so that `RESCUED` counts by the same measure as the kernel's misses.
#[inline(always)]
pub fn mine(copy: Copy, key: u64) -> bool {
    setting(|s| unsafe { &raw const (*s).twins }) < twins::ALL || marked(copy, key)
}

#[inline(always)]
fn marked(copy: Copy, key: u64) -> bool {
    if copy == Copy::First {
        // Without room for the mark, the second copy takes it.
        MARKS.insert(key, 1, 0).is_ok()
    } else if MARKS.remove(key).is_ok() {
        false
    } else {
        count(stat::RESCUED, 1);
        true
    }
}

/// Defines both copies of a program: `$body` gets the context and the copy.
macro_rules! twin {
    ($(#[$doc:meta])* $kind:ident($function:tt) $first:ident $second:ident ($ctx:ident: $context:ty, $copy:ident) $body:block) => {
        $(#[$doc])*
        #[$kind(function = $function)]
        pub fn $first($ctx: $context) -> i32 {
            let $copy = $crate::twin::Copy::First;
            let () = $body;
            0
        }

        #[doc = "Its twin."]
        #[$kind(function = $function)]
        pub fn $second($ctx: $context) -> i32 {
            let $copy = $crate::twin::Copy::Second;
            let () = $body;
            0
        }
    };
}
pub(crate) use twin;
