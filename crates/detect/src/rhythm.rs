//! What pictures show of connections at regular times: when they were opened, and how far apart.

use connmon_record::Timestamp;
use serde::{Deserialize, Serialize};

/// Parts of the time, and of the intervals.
const TIMES: usize = 120;
const INTERVALS: usize = 40;

/// Nanoseconds of a second.
const SECOND: i64 = 1_000_000_000;

/// When connections were opened, and how far apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rhythm {
    /// When the first of them was opened.
    pub from: Timestamp,
    /// When the last of them was.
    pub to: Timestamp,
    /// Starts in each of equal parts of that time.
    pub starts: Vec<u16>,
    /// The median interval in seconds, which lies in the middle of `intervals`.
    pub median: f64,
    /// Intervals in each of equal parts of twice the median; the last part has all that are longer.
    pub intervals: Vec<u16>,
}

impl Rhythm {
    /// The rhythm of starts, in seconds since 1970 and in order.
    pub(crate) fn of_starts(starts: impl Iterator<Item = u32> + Clone, median: f64) -> Option<Self> {
        let (first, last) = (starts.clone().next()?, starts.clone().last()?);
        let mut rhythm = Self {
            from: Timestamp(i64::from(first) * SECOND),
            to: Timestamp(i64::from(last) * SECOND),
            starts: vec![0; TIMES],
            median,
            intervals: vec![0; INTERVALS],
        };
        let span = u64::from(last.saturating_sub(first)) + 1;
        let mut before = None;
        for start in starts {
            let part = u64::from(start.saturating_sub(first)) * TIMES as u64 / span;
            add(&mut rhythm.starts, part as usize);
            if let Some(before) = before.replace(start) {
                let interval = f64::from(start.saturating_sub(before));
                let part = interval / (2.0 * median.max(0.5)) * INTERVALS as f64;
                add(&mut rhythm.intervals, part as usize);
            }
        }
        Some(rhythm)
    }
}

/// Counts one in a part, or in the last where there is no such part.
fn add(parts: &mut [u16], part: usize) {
    let last = parts.len().saturating_sub(1);
    if let Some(count) = parts.get_mut(part.min(last)) {
        *count = count.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starts_and_intervals_are_counted_in_their_parts() {
        let starts = (0..31).map(|n| 1_000 + 60 * n).chain([1_000 + 60 * 30 + 500]);
        let rhythm = Rhythm::of_starts(starts, 60.0).unwrap();
        assert_eq!((rhythm.from, rhythm.to), (Timestamp(1_000 * SECOND), Timestamp(3_300 * SECOND)));
        assert_eq!(rhythm.starts.iter().sum::<u16>(), 32);
        assert_eq!((rhythm.starts[0], rhythm.starts[TIMES - 1]), (1, 1));
        // The median is in the middle, and what is longer than twice it in the last part.
        assert_eq!((rhythm.intervals[INTERVALS / 2], rhythm.intervals[INTERVALS - 1]), (30, 1));
        assert_eq!(rhythm.intervals.iter().sum::<u16>(), 31);
        assert_eq!(Rhythm::of_starts(std::iter::empty(), 60.0), None);
        assert!(Rhythm::of_starts([u32::MAX, 0].into_iter(), 0.0).is_some(), "out of order");
    }
}
