//! How often an alert is told at most.

use std::collections::VecDeque;

use connmon_record::{Timestamp, length};
use serde::{Deserialize, Serialize};

/// So many within a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Messages.
    pub most: usize,
    /// The time in nanoseconds.
    pub window_ns: i64,
}

impl Default for Limit {
    fn default() -> Self {
        Self { most: 20, window_ns: 3_600_000_000_000 }
    }
}

impl Limit {
    /// Reads `20/1h`.
    pub fn parse(text: &str) -> Option<Self> {
        let (most, window) = text.split_once('/')?;
        let window_ns = i64::try_from(length(window)?.as_nanos()).ok()?;
        let most = most.parse().ok().filter(|most| (1..=10_000).contains(most))?;
        (window_ns > 0).then_some(Self { most, window_ns })
    }
}

/// When messages were sent, and how many were held back since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    times: VecDeque<i64>,
    held_back: u64,
}

impl Sent {
    /// Whether another message may be sent now: with the number of those that were held back before it. Else it is held back.
    pub fn may_send(&mut self, limit: Limit, now: Timestamp) -> Option<u64> {
        let begin = now.0.saturating_sub(limit.window_ns);
        // A clock that was set back must not hold back everything until it has caught up.
        self.times.retain(|time| (begin..=now.0).contains(time));
        if self.times.len() >= limit.most {
            self.held_back += 1;
            return None;
        }
        self.times.push_back(now.0);
        Some(std::mem::take(&mut self.held_back))
    }

    /// Messages that are held back.
    pub fn held_back(&self) -> u64 {
        self.held_back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read() {
        assert_eq!(Limit::parse("3/10m"), Some(Limit { most: 3, window_ns: 600_000_000_000 }));
        for text in ["", "3", "0/1h", "x/1h", "3/soon", "3/0s", "-1/1h"] {
            assert_eq!(Limit::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_too_much_is_held_back_and_counted() {
        let limit = Limit { most: 2, window_ns: 100 };
        let mut sent = Sent::default();
        let mut may = |time: i64| sent.may_send(limit, Timestamp(time));
        assert_eq!([may(0), may(10), may(20), may(30)], [Some(0), Some(0), None, None]);
        assert_eq!(may(101), Some(2), "the first is out of the window");
        assert_eq!(may(105), None);
        assert_eq!(may(50), Some(1), "the clock was set back, and that of 101 is no longer of this window");
        assert_eq!(sent.held_back(), 0);
    }
}
