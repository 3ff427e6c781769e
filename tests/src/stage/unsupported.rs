//! What a kernel lacks: a case that needs it is skipped, and says so.

use std::io;

/// A kernel feature that is not there, in words.
#[derive(Debug)]
pub struct Unsupported(pub String);

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unsupported {}

/// Turns those of a call's errors that mean `the kernel has no such thing` into a skip.
pub fn needs<T>(feature: &str, missing: &[i32], result: io::Result<T>) -> anyhow::Result<T> {
    result.map_err(|error| match error.raw_os_error() {
        Some(code) if missing.contains(&code) => {
            anyhow::Error::new(Unsupported(format!("this kernel has no {feature} ({error})")))
        }
        _ => anyhow::Error::new(error).context(feature.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_named_errors_are_a_skip() {
        let failed = || io::Result::<()>::Err(io::Error::from_raw_os_error(libc::ENOENT));
        let skipped = |missing: &[i32]| {
            needs("x", missing, failed()).is_err_and(|error| error.downcast_ref::<Unsupported>().is_some())
        };
        assert!(skipped(&[libc::ENOSYS, libc::ENOENT]));
        assert!(!skipped(&[libc::EPERM]));
    }
}
