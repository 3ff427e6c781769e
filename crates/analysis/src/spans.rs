//! Sets of moments.

/// A set of moments: intervals from a start to before an end, nanoseconds since 1970.
#[derive(Debug, Default)]
pub(super) struct Spans {
    spans: Vec<(i64, i64)>,
    /// The number of spans when they were last sorted.
    ordered: usize,
}

impl Spans {
    /// Adds an interval.
    pub(super) fn add(&mut self, from: i64, to: i64) {
        if from < to {
            self.spans.push((from, to));
            // Those that overlap become one, so memory grows with what is apart only.
            if self.spans.len() > 2 * self.ordered + 16 {
                self.order();
            }
        }
    }

    /// Puts them in order, and makes one of those that touch.
    pub(super) fn order(&mut self) {
        self.spans.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::with_capacity(self.spans.len());
        for &(from, to) in &self.spans {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        self.ordered = joined.len();
        self.spans = joined;
    }

    /// Takes out what is in neither of them any more. Both are in order.
    pub(super) fn without(&self, holes: &Self) -> Self {
        let mut left = Self::default();
        for &(mut from, to) in &self.spans {
            let start = from;
            for &(hole, end) in holes.spans.iter().filter(|hole| hole.0 < to && hole.1 > start) {
                left.spans.extend((from < hole).then_some((from, hole)));
                from = from.max(end);
            }
            left.spans.extend((from < to).then_some((from, to)));
        }
        left.ordered = left.spans.len();
        left
    }

    /// The intersection of two sorted lists of spans.
    pub(super) fn common(&self, other: &Self) -> u64 {
        let (mut length, mut rest) = (0_u64, other.spans.as_slice());
        for &(from, to) in &self.spans {
            while let Some(&(start, end)) = rest.first() {
                length += u64::try_from(to.min(end).saturating_sub(from.max(start))).unwrap_or(0);
                if end > to {
                    break;
                }
                rest = &rest[1..];
            }
        }
        length
    }

    /// The total length of the spans.
    pub(super) fn length(&self) -> u64 {
        self.spans.iter().map(|(from, to)| to.abs_diff(*from)).sum()
    }

    /// The intervals. They are in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.spans.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn spans(list: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        list.iter().for_each(|(from, to)| spans.add(*from, *to));
        spans.order();
        spans
    }

    proptest! {
        /// Against the plain way: every moment by itself.
        #[test]
        fn intervals_are_sets(
            one in prop::collection::vec((0..60_i64, 0..60_i64), 0..40),
            other in prop::collection::vec((0..60_i64, 0..60_i64), 0..40),
        ) {
            let within = |list: &[(i64, i64)], at: i64| list.iter().any(|(from, to)| (*from..*to).contains(&at));
            let (a, b) = (spans(&one), spans(&other));
            let count = |fits: &dyn Fn(i64) -> bool| (0..60).filter(|at| fits(*at)).count() as u64;
            prop_assert_eq!(a.length(), count(&|at| within(&one, at)));
            prop_assert_eq!(a.common(&b), count(&|at| within(&one, at) && within(&other, at)));
            prop_assert_eq!(a.without(&b).length(), count(&|at| within(&one, at) && !within(&other, at)));
        }
    }
}
