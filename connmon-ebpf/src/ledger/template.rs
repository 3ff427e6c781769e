//! Where an entry is put together before it is inserted: it does not fit on the stack beside its callers, which have 512 bytes for all
//! their frames, and must be whole when others find it.

use aya_ebpf::macros::map;
use aya_ebpf::maps::PerCpuArray;
use connmon_ebpf::SockEntry;

use crate::maps::add_to;

/// Programs on one CPU that can be making an entry at the same time: one that was interrupted, and others that were preempted.
const SLOTS: u32 = 8;

#[repr(C)]
#[derive(Clone, Copy)]
struct Slot {
    /// How many want it.
    users: u64,
    entry: SockEntry,
}

#[map]
static TEMPLATES: PerCpuArray<Slot> = PerCpuArray::with_max_entries(SLOTS, 0);

/// A place that only its holder uses, with what its last holder left there.
pub struct Template {
    /// What to fill.
    pub entry: *mut SockEntry,
    users: *mut u64,
}

impl Template {
    /// The first place on this CPU that nobody has.
    #[inline(always)]
    pub fn take() -> Option<Self> {
        let slot = TEMPLATES.get_ptr_mut(claim() as u32)?;
        // SAFETY: a valid pointer into a map value.
        let (users, entry) = unsafe { (&raw mut (*slot).users, &raw mut (*slot).entry) };
        Some(Self { entry, users })
    }

    /// The holder is done.
    #[inline(always)]
    pub fn give_back(self) {
        add_to(self.users, u64::MAX);
    }
}

/// Claims a place and returns its number; that of none if all are taken. Whoever makes the number of a place's users 1 has it: who
/// is interrupted between the claim and the look at it finds more, if at all, and goes on to the next. A global function, which the
/// verifier follows once, and not once for each place in each program.
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
