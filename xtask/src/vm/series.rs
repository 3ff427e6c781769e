//! The series of kernels that the matrix has, their releases, and where those that were fetched lie.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::{Context, Result};

use super::guest::Backend;
use crate::workspace;

/// A kernel series. Each is a step in what connmon's hooks can rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Series {
    /// Debian 11: the oldest kernel that connmon supports.
    V5_10,
    /// Debian 12.
    V6_1,
    /// Debian 12's newer kernel, Debian 13.
    V6_12,
    /// The newest there is, from 7 on.
    Newest,
}

impl Series {
    /// The whole matrix, oldest first.
    pub const ALL: [Self; 4] = [Self::V5_10, Self::V6_1, Self::V6_12, Self::Newest];

    /// Whether a release such as `6.1.0-56-cloud-amd64` is of this series.
    pub fn has(self, release: &str) -> bool {
        match self {
            Self::V5_10 => release.starts_with("5.10."),
            Self::V6_1 => release.starts_with("6.1."),
            Self::V6_12 => release.starts_with("6.12."),
            Self::Newest => release.split('.').next().and_then(|major| major.parse().ok()) >= Some(7),
        }
    }

    /// The backends that a kernel of this series must be able to run: the tracepoint backend needs
    /// `sock_send_length` and `sock_recv_length`, which came with Linux 6.3 (include/trace/events/sock.h). The newest
    /// can preempt readers of BPF maps, and then skips kprobes: connmon refuses that backend there.
    ///
    /// The first of them also runs what no backend changes. Each backend is the first of some kernel, and of those the one that
    /// starts fastest.
    pub fn backends(self) -> &'static [Backend] {
        match self {
            Self::V5_10 | Self::V6_1 => &[Backend::Kprobe, Backend::Fentry],
            Self::V6_12 => &[Backend::Fentry, Backend::Kprobe, Backend::Tracepoint],
            Self::Newest => &[Backend::Tracepoint, Backend::Fentry],
        }
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V5_10 => "5.10",
            Self::V6_1 => "6.1",
            Self::V6_12 => "6.12",
            Self::Newest => "7+",
        })
    }
}

impl FromStr for Series {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|series| series.has(&format!("{text}.")));
        found.ok_or_else(|| {
            format!("the matrix has {}", Self::ALL.map(|series| series.to_string()).join(", "))
        })
    }
}

/// The cache's folder.
pub fn cache() -> PathBuf {
    workspace::vm_dir().join("kernels")
}

/// A release as numbers, to be compared: `6.1.0-56-cloud-amd64` is `[6, 1, 0, 56, 64]`.
pub fn version(release: &str) -> Vec<u64> {
    release.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

/// The newest of these releases that is of this series.
pub fn newest(series: Series, releases: &[String]) -> Result<&String> {
    let fit = releases.iter().filter(|release| series.has(release));
    fit.max_by_key(|release| version(release)).context("the archive has no such kernel any more")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_a_series_is_chosen_by_number() {
        let releases = [
            "5.10.0-9-cloud-amd64",
            "5.10.0-46-cloud-amd64",
            "6.1.0-0.deb11.52-cloud-amd64",
            "6.1.0-56-cloud-amd64",
            "6.12.90+deb12.1-cloud-amd64",
            "6.12.117+deb12-cloud-amd64",
            "7.2.13+deb14-cloud-amd64",
            "10.0.1+deb15-cloud-amd64",
        ]
        .map(str::to_owned);
        let chosen = Series::ALL.map(|series| newest(series, &releases).expect("there").as_str());
        assert_eq!(
            chosen,
            [
                "5.10.0-46-cloud-amd64",
                "6.1.0-56-cloud-amd64",
                "6.12.117+deb12-cloud-amd64",
                "10.0.1+deb15-cloud-amd64"
            ]
        );
        assert!(newest(Series::Newest, &releases[..6]).is_err());
    }

    #[test]
    fn what_no_backend_changes_runs_with_each_of_them() {
        for backend in [Backend::Fentry, Backend::Kprobe, Backend::Tracepoint] {
            let mut firsts = Series::ALL.iter().map(|series| series.backends()[0]);
            assert!(firsts.any(|first| first == backend), "{backend}");
        }
    }

    #[test]
    fn a_series_is_named_by_its_version() {
        for (text, series) in
            [("5.10", Series::V5_10), ("6.1", Series::V6_1), ("6.12", Series::V6_12), ("7.2", Series::Newest)]
        {
            assert_eq!(text.parse(), Ok(series));
        }
        assert!("6.5".parse::<Series>().is_err());
        assert!("x".parse::<Series>().is_err());
    }
}
