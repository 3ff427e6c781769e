//! Limits of the process that a recording cannot live with: told at the start in a sentence, and not by a failure somewhere.

/// Files that a recorder opens at most: maps, programs, links, the store, and those who look.
const FILES: u64 = 256;
/// Address space that it uses at least, bytes.
const SPACE: u64 = 512 << 20;

/// A limit that is too low.
#[derive(Debug, thiserror::Error)]
#[error(
    "the process is limited to {limit} {of}, and recording needs {needed}; raise it with `ulimit {option} {value}`"
)]
pub struct LimitError {
    limit: u64,
    of: &'static str,
    needed: u64,
    option: &'static str,
    value: u64,
}

/// Raises what may be raised, and makes sure that the rest is enough.
///
/// # Errors
/// A limit is too low.
pub fn check() -> Result<(), LimitError> {
    let files = raised(libc::RLIMIT_NOFILE);
    if files < FILES {
        return Err(LimitError { limit: files, of: "open files", needed: FILES, option: "-n", value: FILES });
    }
    let space = raised(libc::RLIMIT_AS);
    if space < SPACE {
        let of = "bytes of address space";
        return Err(LimitError { limit: space, of, needed: SPACE, option: "-v", value: SPACE >> 10 });
    }
    Ok(())
}

/// A limit after it was raised as far as it may be.
fn raised(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing.
    if unsafe { libc::getrlimit(resource, &raw mut limit) } != 0 {
        return u64::MAX;
    }
    let wanted = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
    // SAFETY: `wanted` is valid for reading.
    let done = unsafe { libc::setrlimit(resource, &raw const wanted) } == 0;
    if done { wanted.rlim_cur } else { limit.rlim_cur }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_limit_that_is_too_low_is_told_with_what_raises_it() {
        let error = super::LimitError { limit: 8, of: "open files", needed: 256, option: "-n", value: 256 };
        let told =
            "the process is limited to 8 open files, and recording needs 256; raise it with `ulimit -n 256`";
        assert_eq!(error.to_string(), told);
    }
}
