//! The starts of a group, in bounded memory.

use serde::{Deserialize, Serialize};

use super::score::{BINS, Score, breaks, coverage, evenness, flatness, rhythm};
use crate::rhythm::Rhythm;

/// Starts that one series keeps at most.
const MOST: usize = 1024;
/// Starts after which the hours are counted.
const COUNTED_FROM: usize = 64;
/// Hours of the longest window.
const HOURS: usize = 168;
/// Seconds of an hour.
const HOUR: u32 = 3600;
/// Windows in seconds: 6 hours, a day, a week.
const WINDOWS: [u32; 3] = [6 * HOUR, 24 * HOUR, 168 * HOUR];

/// A start: seconds since 1970, and bytes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Start(pub(crate) u32, pub(crate) u32);

/// The starts of a group in ascending order, each second once, and the number of starts in each hour.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Series {
    starts: Vec<Start>,
    hours: Option<Box<Hours>>,
    /// The number of starts with which it is looked at next.
    pub(crate) due: u32,
    /// Starts, with those that are no longer kept.
    pub(crate) count: u32,
    /// The number with which it was told last.
    pub(crate) looked_at: u32,
    /// It has a finding.
    pub(crate) found: bool,
}

/// Starts by hour: place 0 is the hour `first`, hours since 1970; the latest is at most 167 later.
#[derive(Serialize, Deserialize)]
struct Hours {
    first: u32,
    counts: Vec<u16>,
}

/// What a series is like in the window that shows it best.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Shape {
    pub(crate) score: Score,
    /// The window in seconds.
    pub(crate) window: u32,
    /// Intervals of the window.
    pub(crate) intervals: usize,
    /// The median interval in seconds, and the median distance from it.
    pub(crate) median: f64,
    pub(crate) deviation: f64,
    /// The median of the bytes.
    pub(crate) bytes: f64,
    pub(crate) rhythm: f64,
    pub(crate) breaks: f64,
}

impl Series {
    /// Adds a start; returns by how many starts more are kept, which can be less than none.
    pub(crate) fn add(&mut self, start: Start) -> i64 {
        let place = match self.starts.last() {
            Some(last) if last.0 < start.0 => self.starts.len(),
            None => 0,
            Some(_) => match self.starts.binary_search_by_key(&start.0, |known| known.0) {
                Ok(known) => {
                    let bytes = &mut self.starts[known].1;
                    *bytes = bytes.saturating_add(start.1);
                    return 0;
                }
                Err(place) => place,
            },
        };
        let before = self.starts.len();
        self.starts.insert(place, start);
        self.count = self.count.saturating_add(1);
        match &mut self.hours {
            Some(hours) => hours.add(start.0),
            None if self.starts.len() >= COUNTED_FROM => {
                let mut hours = Box::new(Hours { first: self.starts[0].0 / HOUR, counts: Vec::new() });
                self.starts.iter().for_each(|start| hours.add(start.0));
                self.hours = Some(hours);
            }
            None => (),
        }
        if self.starts.len() > MOST {
            self.starts.drain(..MOST / 4);
        }
        self.starts.len() as i64 - before as i64
    }

    /// Drops the older half of the starts, because all series together have too many.
    pub(crate) fn halve(&mut self) {
        self.starts.drain(..self.starts.len() / 2);
        self.starts.shrink_to_fit();
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len()
    }

    /// When the starts that are kept were, and how far apart.
    pub(crate) fn rhythm(&self, median: f64) -> Option<Rhythm> {
        Rhythm::of_starts(self.starts.iter().map(|start| start.0), median)
    }

    /// What it is like, seen from a moment: in the window with the highest score, if it has `least` intervals in any. `since` is when
    /// anything was first recorded: a window does not reach beyond.
    pub(crate) fn shape(&self, now: u32, since: u32, least: usize) -> Option<Shape> {
        let mut best: Option<Shape> = None;
        let mut known = usize::MAX;
        for length in WINDOWS {
            let begin = now.saturating_sub(length).max(since);
            let from = self.starts.partition_point(|start| start.0 < begin);
            let starts = &self.starts[from..];
            if starts.len() <= least {
                continue;
            }
            let mut shape = match best {
                // The same starts as in the shorter window: only the window is another.
                Some(shape) if known == from => shape,
                _ => shape_of(starts),
            };
            known = from;
            let window = now.saturating_sub(begin).max(1);
            let bins = self.bins(from, begin, window);
            let first = self
                .hours
                .as_ref()
                .filter(|_| from == 0)
                .map_or(starts[0].0, |hours| hours.first_within(begin));
            // There are starts, since there are more than `least`.
            let last = starts[starts.len() - 1].0;
            shape.score.histogram = flatness(&bins);
            shape.score.duration = coverage(f64::from(last.saturating_sub(first)), f64::from(window), &bins);
            shape.window = length;
            if best.is_none_or(|best| shape.score.total() > best.score.total()) {
                best = Some(shape);
            }
        }
        best
    }

    /// How many starts are in each part of a window.
    fn bins(&self, from: usize, begin: u32, window: u32) -> [u32; BINS] {
        let mut bins = [0; BINS];
        let mut add = |time: u32, count: u32| {
            let place = u64::from(time.saturating_sub(begin)) * BINS as u64 / u64::from(window);
            bins[(place as usize).min(BINS - 1)] += count;
        };
        match &self.hours {
            // The starts themselves do not reach as far.
            Some(hours) if from == 0 && self.count as usize > self.starts.len() && window > 12 * HOUR => {
                for (hour, count) in (hours.first..).zip(&hours.counts) {
                    let middle = hour * HOUR + HOUR / 2;
                    if middle >= begin {
                        add(middle, u32::from(*count));
                    }
                }
            }
            _ => self.starts[from..].iter().for_each(|start| add(start.0, 1)),
        }
        bins
    }
}

/// Intervals and bytes of some starts.
fn shape_of(starts: &[Start]) -> Shape {
    let times: Vec<u32> = starts.iter().map(|start| start.0).collect();
    let sorted = |mut values: Vec<f64>| {
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let intervals = sorted(times.windows(2).map(|pair| f64::from(pair[1] - pair[0])).collect());
    let bytes = sorted(starts.iter().map(|start| f64::from(start.1)).collect());
    Shape {
        score: Score {
            intervals: evenness(&intervals, 1.0),
            bytes: evenness(&bytes, 0.0),
            ..Score::default()
        },
        window: 0,
        intervals: intervals.len(),
        median: crate::stats::median(&intervals),
        deviation: crate::stats::median_deviation(&intervals),
        bytes: crate::stats::median(&bytes),
        rhythm: rhythm(&times, &intervals),
        breaks: breaks(&intervals),
    }
}

impl Hours {
    fn add(&mut self, time: u32) {
        let hour = time / HOUR;
        let Some(place) = hour.checked_sub(self.first) else { return };
        let mut place = place as usize;
        if place >= HOURS {
            // The window moves on; a clock that leapt leaves nothing in it.
            let beyond = (place + 1 - HOURS).min(self.counts.len());
            self.counts.drain(..beyond);
            self.first = hour + 1 - HOURS as u32;
            place = HOURS - 1;
        }
        if place >= self.counts.len() {
            self.counts.resize(place + 1, 0);
        }
        self.counts[place] = self.counts[place].saturating_add(1);
    }

    /// When the first start at or after a time was, to the hour.
    fn first_within(&self, begin: u32) -> u32 {
        let hours = (self.first..).zip(&self.counts);
        let first = hours
            .map(|(hour, count)| (hour * HOUR, *count))
            .find(|(time, count)| *count > 0 && time + HOUR > begin);
        first.map_or(begin, |(time, _)| time.max(begin))
    }
}
