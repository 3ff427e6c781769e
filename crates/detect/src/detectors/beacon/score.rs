//! The formulas of beacons, over plain numbers.

use crate::stats::{median, median_deviation, quartiles, rounded, skew, variation};

/// Parts of a window in which starts are counted.
pub(crate) const BINS: usize = 24;
/// Parts in a row that make a whole day's rhythm.
const RUN: f64 = 12.0;
/// Non-empty parts that the bimodal fit needs, and the share of the largest by which it tells heights apart.
const BIMODAL_BARS: usize = 11;
const BIMODAL_STEP: f64 = 0.05;

/// The score of a beacon, each part from 0 to 1 and to three decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// How even the intervals are.
    pub(crate) intervals: f64,
    /// How even the bytes are.
    pub(crate) bytes: f64,
    /// How flat the histogram is.
    pub(crate) histogram: f64,
    /// How much of the window it covers.
    pub(crate) duration: f64,
}

impl Score {
    /// A quarter of each.
    pub(crate) fn total(&self) -> f64 {
        rounded((self.intervals + self.bytes + self.histogram + self.duration) / 4.0)
    }
}

/// How even numbers in ascending order are: ½·\[(1−|skew|) + max(0, (median−MAD)/median)\]. Where the median is below 1, the second
/// term is `of_nothing`.
pub(crate) fn evenness(sorted: &[f64], of_nothing: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let middle = median(sorted);
    let close =
        if middle < 1.0 { of_nothing } else { ((middle - median_deviation(sorted)) / middle).max(0.0) };
    rounded((1.0 - skew(quartiles(sorted)).abs() + close) / 2.0)
}

/// How flat a histogram is: one minus its coefficient of variation, or the share of its bars that have one of two heights.
pub(crate) fn flatness(bins: &[u32; BINS]) -> f64 {
    let even = (1.0 - variation(bins)).max(0.0);
    rounded(even.max(bimodal(bins)))
}

/// The share of non-empty bars, but for one, that have one of the two most frequent heights.
pub(crate) fn bimodal(bins: &[u32; BINS]) -> f64 {
    let bars: Vec<u32> = bins.iter().copied().filter(|count| *count > 0).collect();
    if bars.len() < BIMODAL_BARS {
        return 0.0;
    }
    let largest = bars.iter().copied().max().unwrap_or(1);
    let step = (f64::from(largest) * BIMODAL_STEP).ceil() as u32;
    let mut heights: Vec<u32> = bars.iter().map(|bar| bar / step.max(1)).collect();
    heights.sort_unstable();
    let mut counts: Vec<usize> = heights.chunk_by(|a, b| a == b).map(<[u32]>::len).collect();
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let two: usize = counts.iter().take(2).sum();
    (two as f64 / (bars.len() - 1) as f64).min(1.0)
}

/// How much of the window it covers: its span as a share of the window, or its longest run of non-empty parts as a share of twelve.
pub(crate) fn coverage(span: f64, window: f64, bins: &[u32; BINS]) -> f64 {
    let share = if window > 0.0 { (span / window).min(1.0) } else { 0.0 };
    rounded(share.max((longest_run(bins) as f64 / RUN).min(1.0)))
}

/// The most non-empty parts in a row, where the last is followed by the first.
pub(crate) fn longest_run(bins: &[u32; BINS]) -> usize {
    let (mut longest, mut run) = (0, 0);
    for count in bins.iter().chain(bins) {
        run = if *count > 0 { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest.min(BINS)
}

/// How much a series waits between its starts: the autocorrelation of its start times at lags below half the median interval, compared with
/// that of starts at random. 1: no two starts are so close; 0: as many as by chance; below: they come in bursts. It stays high with
/// jitter of up to half the period and with a third of the starts missing, where other measures fail. `times` are in ascending order.
pub(crate) fn rhythm(times: &[u32], sorted_intervals: &[f64]) -> f64 {
    let half = median(sorted_intervals) / 2.0;
    let (mut close, mut first) = (0, 0);
    for (place, time) in times.iter().enumerate() {
        while f64::from(time - times[first]) >= half && first < place {
            first += 1;
        }
        close += place - first;
    }
    // Of exponential intervals the median is ln 2 of the mean.
    let expected = sorted_intervals.len() as f64 * std::f64::consts::LN_2 / 2.0;
    if expected > 0.0 { 1.0 - close as f64 / expected } else { 0.0 }
}

/// The share of intervals (in ascending order) that are longer than four times the median: pauses of a series, or all that is
/// between bursts.
pub(crate) fn breaks(sorted_intervals: &[f64]) -> f64 {
    let long = 4.0 * median(sorted_intervals);
    let within = sorted_intervals.partition_point(|interval| *interval <= long);
    (sorted_intervals.len() - within) as f64 / sorted_intervals.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_to_three_decimals() {
        for (values, score) in [
            (&[60.0; 9][..], 1.0),
            // Quartiles 40, 60, 80 (no skew), deviation 20.
            (&[30.0, 40.0, 40.0, 60.0, 60.0, 70.0, 80.0, 80.0, 90.0], 0.833),
            // Quartiles 10, 20, 50: skew 0.5; deviation 10: a half.
            (&[5.0, 10.0, 10.0, 20.0, 20.0, 20.0, 50.0, 50.0, 60.0], 0.5),
            // Quartiles 1, 100, 300: skew 0.338; deviation 99.
            (&[1.0, 1.0, 1.0, 100.0, 200.0, 300.0, 400.0], 0.336),
        ] {
            assert_eq!(evenness(values, 1.0), score, "{values:?}");
        }
        assert_eq!((evenness(&[0.0; 5], 1.0), evenness(&[0.0; 5], 0.0)), (1.0, 0.5));
    }

    #[test]
    fn histograms_to_three_decimals() {
        assert_eq!(flatness(&[4; BINS]), 1.0);
        // Mean 3, deviation 1.
        let mut bins = [2; BINS];
        bins[..12].fill(4);
        assert_eq!((rounded(1.0 - variation(&bins)), flatness(&bins)), (0.667, 1.0));
        // Three heights, eight bars each: two of them are 16 of 23.
        let mut bins = [40; BINS];
        bins[..8].fill(70);
        bins[8..16].fill(100);
        assert_eq!(rounded(bimodal(&bins)), 0.696);
        // Ten bars are too few for the fit, and too uneven for the other.
        let mut bins = [0; BINS];
        bins[..10].fill(3);
        assert_eq!((bimodal(&bins), flatness(&bins)), (0.0, 0.0));
        bins[10] = 3;
        assert_eq!(bimodal(&bins), 1.0);
        // Heights within a twentieth of the largest are the same.
        let mut bins = [0; BINS];
        for (place, bin) in bins.iter_mut().enumerate() {
            *bin = 100 + place as u32 % 4;
        }
        assert_eq!(bimodal(&bins), 1.0);
    }

    #[test]
    fn coverage_to_three_decimals() {
        let mut bins = [0; BINS];
        bins[..3].fill(1);
        bins[20..].fill(1);
        // The run goes on from the last to the first: seven.
        assert_eq!(coverage(10_000.0, 86_400.0, &bins), 0.583);
        assert_eq!(coverage(80_000.0, 86_400.0, &bins), 0.926);
        assert_eq!(coverage(0.0, 0.0, &[0; BINS]), 0.0);
        assert_eq!(longest_run(&[1; BINS]), 24);
    }

    #[test]
    fn the_total_is_a_quarter_of_each() {
        let score = Score { intervals: 0.833, bytes: 0.5, histogram: 0.667, duration: 0.583 };
        assert_eq!(score.total(), 0.646);
    }

    #[test]
    fn rhythm_tells_waiting_from_chance_and_bursts() {
        let of = |times: &[u32]| {
            let mut intervals: Vec<f64> = times.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect();
            intervals.sort_unstable_by(f64::total_cmp);
            rhythm(times, &intervals)
        };
        assert_eq!(of(&[0, 60, 120, 180, 240, 420, 480]), 1.0);
        // Two of eight come right after another: of 2.77 by chance.
        assert_eq!(rounded(of(&[0, 60, 120, 121, 180, 240, 241, 300, 360])), 0.279);
        assert!(of(&[0, 1, 2, 30, 60, 61, 100, 120, 121, 122, 160]) < 0.0);
        // Of bursts without anything between, the median is that within them.
        let bursts = [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 58.0, 58.0];
        assert_eq!((breaks(&bursts), breaks(&[60.0; 8]), breaks(&[])), (0.25, 0.0, 0.0));
    }
}
