//! Which of two kinds of groups have connections in common: each pair once.

/// Pairs that are kept more than once for a moment, at least.
const SLACK: usize = 1 << 16;

/// Pairs of places.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    all: Vec<(u32, u32)>,
    /// How many there were when each was there once.
    once: usize,
}

impl Pairs {
    /// Adds a pair, which may be there already.
    pub(super) fn add(&mut self, one: usize, other: usize) {
        let place = |place| u32::try_from(place).unwrap_or(u32::MAX);
        let pair = (place(one), place(other));
        if self.all.last() != Some(&pair) {
            self.all.push(pair);
        }
        if self.all.len() >= 2 * self.once + SLACK {
            self.tidy();
        }
    }

    fn tidy(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
        self.once = self.all.len();
    }

    /// All pairs, each once, in ascending order.
    pub(super) fn finish(mut self) -> Vec<(usize, usize)> {
        self.tidy();
        self.all.into_iter().map(|(one, other)| (one as usize, other as usize)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_is_there_once() {
        let mut pairs = Pairs::default();
        for number in 0..3 * SLACK {
            pairs.add(number % 2, number % 3);
            assert!(pairs.all.len() <= SLACK + 12);
        }
        assert_eq!(pairs.finish(), [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]);
    }
}
