//! What the allocator does with memory that was freed: left alone, glibc keeps what a burst took, in a heap of its own for each
//! thread, and finds little use for it.

/// Hands memory that was freed back to the system.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: only the allocator's own free memory is concerned.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Lets all threads share one heap: what one has freed, another can use. For programs in which one thread makes what another keeps;
/// to be called before there is a second thread.
pub fn share_one_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: sets a number of the allocator.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}
