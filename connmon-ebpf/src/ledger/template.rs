//! Where an entry is put together before it is inserted. It must be complete when others find it, but does not fit on the stack beside its
//! callers, which have 512 bytes for all their frames.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use connmon_ebpf::SockEntry;

use crate::maps::add_to;

/// Most programs on one CPU that can be making an entry at the same time: one that was interrupted, and others that were preempted.
const SLOTS: u32 = 8;

#[repr(C)]
#[derive(Clone, Copy)]
struct Slot {
    /// How many programs have claimed the slot, or are trying to.
    users: u64,
    entry: SockEntry,
}

#[map]
static TEMPLATES: PerCpuArray<Slot> = PerCpuArray::with_max_entries(SLOTS, 0);

/// A slot that only its holder uses. It still contains what its last holder left there.
pub struct Template {
    /// What to fill.
    pub entry: *mut SockEntry,
    users: *mut u64,
}

impl Template {
    /// Claims the first slot on this CPU that is free.
    #[inline(always)]
    pub fn take() -> Option<Self> {
        let slot = TEMPLATES.get_ptr_mut(claim() as u32)?;
        // SAFETY: a valid pointer into a map value.
        let (users, entry) = unsafe { (&raw mut (*slot).users, &raw mut (*slot).entry) };
        Some(Self { entry, users })
    }

    /// Frees the slot.
    #[inline(always)]
    pub fn give_back(self) {
        add_to(self.users, u64::MAX);
    }
}

/// Claims a slot and returns its number, or `SLOTS` if all are taken. The program that raises `users` of a slot to 1 has it; one that is
/// interrupted between the add and the read can only find a higher number, and then goes on to the next slot. A global function, which the
/// verifier checks once and not once for each slot in each program.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn claim() -> u64 {
    for slot in 0..SLOTS {
        let Some(place) = TEMPLATES.get_ptr_mut(slot) else { break };
        // SAFETY: a valid pointer into a map value.
        let users = unsafe { &raw mut (*place).users };
        add_to(users, 1);
        // SAFETY: as above; volatile, because programs that interrupt this one write it.
        if unsafe { core::ptr::read_volatile(users) } == 1 {
            return u64::from(slot);
        }
        add_to(users, u64::MAX);
    }
    u64::from(SLOTS)
}
