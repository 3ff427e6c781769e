//! The namespaces that this program is in, where they are not the first ones: what it reads of processes and clocks then differs from
//! what the kernel's own side says.

use std::fs;
use std::sync::OnceLock;

/// The first PID namespace (`PROC_PID_INIT_INO`, include/linux/proc_ns.h).
const FIRST: &str = "pid:[4026531836]";

/// Whether /proc has the processes of a PID namespace below the first one: its numbers are not those of the kernel's side, and most
/// processes are not in it.
pub fn is_nested() -> bool {
    static NESTED: OnceLock<bool> = OnceLock::new();
    *NESTED.get_or_init(|| {
        // Of the first process in this /proc; where that must not be looked at, of our own.
        let link =
            ["/proc/1/ns/pid", "/proc/self/ns/pid"].into_iter().find_map(|link| fs::read_link(link).ok());
        link.is_some_and(|link| link.as_os_str() != FIRST)
    })
}

/// Who sees the files of the host, if this program has mounts of its own, as a service or a container has: the process that started it
/// or, when that has ended, the first one.
pub fn sees_host() -> Option<u32> {
    // SAFETY: only returns a number.
    let parent =
        u32::try_from(unsafe { libc::getppid() }).ok().filter(|parent| *parent != 0 && !is_nested())?;
    let mounts = |process: &str| fs::read_link(format!("/proc/{process}/ns/mnt")).ok();
    let (theirs, own) = (mounts(&parent.to_string())?, mounts("self")?);
    (theirs != own).then_some(parent)
}

/// What CLOCK_BOOTTIME shows here less what it shows in the first time namespace, nanoseconds.
pub fn boot_time_shift_ns() -> i64 {
    static SHIFT: OnceLock<i64> = OnceLock::new();
    *SHIFT.get_or_init(|| shift(&fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default()))
}

/// `boottime SECONDS NANOSECONDS` (time_namespaces(7)); 0 where there is no such line, before Linux 5.6.
fn shift(offsets: &str) -> i64 {
    let line = offsets.lines().find_map(|line| line.strip_prefix("boottime"));
    let mut numbers = line.unwrap_or_default().split_whitespace().map_while(|word| word.parse::<i64>().ok());
    let (seconds, nanoseconds) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    seconds.saturating_mul(1_000_000_000).saturating_add(nanoseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shift_of_a_time_namespace_is_read() {
        assert_eq!(shift("monotonic           0         0\nboottime            0         0\n"), 0);
        assert_eq!(shift("monotonic  5 0\nboottime  86400  500\n"), 86_400_000_000_500);
        assert_eq!(shift("boottime -2 0\n"), -2_000_000_000);
        assert_eq!(shift(""), 0);
    }
}
