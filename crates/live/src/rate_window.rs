//! Rates: exact counters over a sliding window.

use std::collections::VecDeque;

use connmon_record::Timestamp;

/// The time for which samples are remembered, nanoseconds.
const MEMORY: i64 = 60_000_000_000;
/// Traffic within this time makes one sample, nanoseconds.
const GRAIN: i64 = 250_000_000;
/// The window of a rate, nanoseconds.
pub const WINDOW: i64 = 5_000_000_000;

/// The bytes of the last minute, by the time at which they were reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RateWindow {
    samples: VecDeque<(i64, u64, u64)>,
}

/// Bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Rate {
    /// Sent.
    pub tx: f64,
    /// Received.
    pub rx: f64,
}

impl Rate {
    /// Both ways.
    pub fn sum(self) -> f64 {
        self.tx + self.rx
    }
}

impl std::ops::AddAssign for Rate {
    fn add_assign(&mut self, other: Self) {
        self.tx += other.tx;
        self.rx += other.rx;
    }
}

impl RateWindow {
    /// Counts bytes.
    pub fn add(&mut self, time: Timestamp, tx: u64, rx: u64) {
        match self.samples.back_mut() {
            Some(last) if time.0.saturating_sub(last.0) < GRAIN => {
                last.1 = last.1.saturating_add(tx);
                last.2 = last.2.saturating_add(rx);
            }
            _ => self.samples.push_back((time.0, tx, rx)),
        }
        while self.samples.front().is_some_and(|first| time.0.saturating_sub(first.0) > MEMORY) {
            self.samples.pop_front();
        }
    }

    /// The rate over the window that ends now.
    pub fn rate(&self, now: Timestamp) -> Rate {
        let within = self.samples.iter().rev().take_while(|sample| now.0.saturating_sub(sample.0) < WINDOW);
        let (tx, rx) = within.fold((0_u64, 0_u64), |(tx, rx), sample| {
            (tx.saturating_add(sample.1), rx.saturating_add(sample.2))
        });
        let seconds = WINDOW as f64 / 1e9;
        Rate { tx: tx as f64 / seconds, rx: rx as f64 / seconds }
    }

    /// Divides the last minute into as many equal steps as `steps` has, oldest first, and adds the bytes moved in each.
    pub fn history(&self, now: Timestamp, steps: &mut [u64]) {
        let step = (MEMORY / i64::try_from(steps.len().max(1)).unwrap_or(MEMORY)).max(1);
        for (time, tx, rx) in &self.samples {
            let ago = usize::try_from(now.0.saturating_sub(*time).max(0) / step).unwrap_or(usize::MAX);
            if let Some(place) = steps.len().checked_sub(ago.saturating_add(1)) {
                steps[place] = steps[place].saturating_add(tx.saturating_add(*rx));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_what_was_moved_within_the_window() {
        let at = |ms: i64| Timestamp(ms * 1_000_000);
        let mut meter = RateWindow::default();
        meter.add(at(0), 1_000, 0);
        meter.add(at(100), 0, 500);
        meter.add(at(3_000), 4_000, 0);
        assert_eq!(meter.rate(at(3_000)), Rate { tx: 1_000.0, rx: 100.0 });
        assert_eq!(meter.rate(at(5_500)), Rate { tx: 800.0, rx: 0.0 });
        assert_eq!(meter.rate(at(9_000)), Rate::default());
        let mut steps = [0; 6];
        meter.history(at(12_000), &mut steps);
        assert_eq!(steps, [0, 0, 0, 0, 1_500, 4_000]);
        meter.add(at(61_000), 1, 1);
        assert_eq!(meter.samples.len(), 2);
    }
}
