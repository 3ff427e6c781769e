//! How urgent a thread's work is.

use std::io;

/// A thread of this process whose work can wait for an idle processor, and be hurried again by another thread.
#[derive(Clone, Copy, Debug)]
pub struct Urgency {
    thread: libc::pid_t,
}

/// The nice values that a thread may take again: `20 - RLIMIT_NICE`, see setrlimit(2).
const NICE_0: libc::rlim_t = 20;

/// Allows this process to hurry its own threads again, which root may allow itself: a thread that only runs on idle processors
/// could otherwise never leave that class (sched(7), "SCHED_IDLE").
///
/// # Errors
/// It may not.
pub fn allow_hurrying() -> io::Result<()> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls get a valid pointer to a structure of their own type.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NICE, &raw mut limit) == 0 && limit.rlim_cur >= NICE_0 {
            return Ok(());
        }
        let wanted = libc::rlimit { rlim_cur: NICE_0, rlim_max: limit.rlim_max.max(NICE_0) };
        if libc::setrlimit(libc::RLIMIT_NICE, &raw const wanted) == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

impl Urgency {
    /// That of the thread that calls; `None` where it could not be hurried again once its work has been called idle.
    pub fn of_this_thread() -> Option<Self> {
        // SAFETY: gettid(2) only returns a number.
        let this = Self { thread: unsafe { libc::gettid() } };
        let comes_back = std::thread::spawn(|| {
            // SAFETY: as above.
            let other = Self { thread: unsafe { libc::gettid() } };
            other.wait_for_idle() && other.hurry()
        });
        comes_back.join().unwrap_or(false).then_some(this)
    }

    /// From here on it runs when a processor has nothing else to do.
    pub fn wait_for_idle(self) -> bool {
        self.set(libc::SCHED_IDLE)
    }

    /// From here on it runs as any other.
    pub fn hurry(self) -> bool {
        self.set(libc::SCHED_OTHER)
    }

    fn set(self, policy: libc::c_int) -> bool {
        let parameter = libc::sched_param { sched_priority: 0 };
        // SAFETY: the pointer is valid for the call, and the thread is one of this process.
        unsafe { libc::sched_setscheduler(self.thread, policy, &raw const parameter) == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> libc::c_int {
        // SAFETY: only returns a number.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn work_that_waits_can_be_hurried_by_another_thread() {
        let is_allowed = allow_hurrying().is_ok();
        // Only root may allow it, and only a privileged thread does without: else there is no urgency to be had.
        let Some(urgency) = Urgency::of_this_thread() else { return assert!(!is_allowed) };
        assert!(urgency.wait_for_idle());
        assert_eq!(policy(), libc::SCHED_IDLE);
        assert!(std::thread::spawn(move || urgency.hurry()).join().expect("it ends"));
        assert_eq!(policy(), libc::SCHED_OTHER);
    }
}
