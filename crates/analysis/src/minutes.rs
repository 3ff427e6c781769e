//! Counts of processes by the minute, in twelve bytes each.

/// Counts that may belong together, at least.
const SLACK: usize = 1 << 12;

/// How many there were of a place in a minute.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes {
    /// Place, minute from 1970 on, and count.
    all: Vec<(u32, i32, u32)>,
    /// How many there were when each place and minute was there once.
    once: usize,
}

impl Minutes {
    /// Adds to the count of a place in a minute.
    pub(super) fn add(&mut self, place: u32, minute: i64, count: u32) {
        // A moment in nanoseconds is within 154 million minutes of 1970.
        self.all.push((place, minute as i32, count));
        if self.all.len() >= 2 * self.once + SLACK {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        self.all.sort_unstable();
        self.all.dedup_by(|more, one| {
            let same = (one.0, one.1) == (more.0, more.1);
            if same {
                one.2 = one.2.saturating_add(more.2);
            }
            same
        });
        self.once = self.all.len();
    }

    /// Calls `each` with the place and the count of every minute.
    pub(super) fn finish(mut self, mut each: impl FnMut(u32, u32)) {
        self.tidy();
        self.all.into_iter().for_each(|(place, _, count)| each(place, count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_same_minute_are_one() {
        let mut minutes = Minutes::default();
        for number in 0..60_000 {
            minutes.add(number % 3, i64::from(number % 2) - 1, 2);
        }
        assert!(minutes.all.len() <= SLACK + 12);
        minutes.add(7, 30_000_000, u32::MAX);
        minutes.add(7, 30_000_000, 1);
        let mut all = Vec::new();
        minutes.finish(|place, count| all.push((place, count)));
        let each = [0, 0, 1, 1, 2, 2].map(|place| (place, 20_000));
        assert_eq!(all, [&each[..], &[(7, u32::MAX)]].concat());
    }
}
