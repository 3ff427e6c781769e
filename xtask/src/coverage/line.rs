//! What the end-to-end test prints about a case:
//! `coverage case=NAME backend=NAME kernel=X.Y result=exact|labelled:REASON|skipped:REASON`.

#[path = "../../../tests/src/harness/outcome.rs"]
mod outcome;

use std::cmp::Ordering;
use std::fmt;

pub use outcome::Outcome;

/// A kernel series and a backend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KernelAndBackend {
    /// Such as `6.12`.
    pub kernel: String,
    /// Such as `fentry`.
    pub backend: String,
}

impl Ord for KernelAndBackend {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |column: &Self| {
            let numbers: Vec<u32> = column.kernel.split('.').filter_map(|part| part.parse().ok()).collect();
            (numbers, column.kernel.clone(), column.backend.clone())
        };
        key(self).cmp(&key(other))
    }
}

impl PartialOrd for KernelAndBackend {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A line.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// The case with its family.
    pub case: String,
    /// Where it was played.
    pub column: KernelAndBackend,
    /// What became of it.
    pub outcome: Outcome,
}

impl Line {
    /// Reads a line; other output is none.
    pub fn parse(line: &str) -> Option<Self> {
        let (case, rest) = line.trim().strip_prefix("coverage case=")?.split_once(" backend=")?;
        let (backend, rest) = rest.split_once(" kernel=")?;
        let (kernel, result) = rest.split_once(" result=")?;
        let outcome = Outcome::parse(result)?;
        let column = KernelAndBackend { kernel: kernel.to_owned(), backend: backend.to_owned() };
        Some(Self { case: case.to_owned(), column, outcome })
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, column: KernelAndBackend { kernel, backend }, outcome } = self;
        write!(f, "coverage case={case} backend={backend} kernel={kernel} result={outcome}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written() {
        for text in [
            "coverage case=tcp-simple-v4 backend=fentry kernel=5.10 result=exact",
            "coverage case=a-v6 backend=tracepoint kernel=6.18 result=labelled:the sender's address: unknown",
            "coverage case=a backend=kprobe kernel=6.1 result=skipped:this kernel has no veth (os error 95)",
        ] {
            assert_eq!(Line::parse(text).expect("a line").to_string(), text);
        }
    }

    #[test]
    fn other_output_is_no_line() {
        for text in
            ["test case::a ... ok", "coverage case=a", "coverage case=a backend=b kernel=c result=poem"]
        {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }

    #[test]
    fn kernels_are_ordered_by_number() {
        let column = |kernel: &str| KernelAndBackend { kernel: kernel.into(), backend: "fentry".into() };
        assert!(column("6.1") < column("6.12") && column("5.10") < column("6.1"));
    }
}
