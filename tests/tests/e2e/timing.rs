//! How long each test took, and how much of that was recorders getting ready: under emulation, most of it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use connmon_tests::harness::recorder;

/// A line of the table at the end.
struct Took {
    test: String,
    whole: Duration,
    starts: recorder::Starts,
}

/// What the tests of this run took.
#[derive(Clone, Default)]
pub struct Timing(Arc<Mutex<Vec<Took>>>);

impl Timing {
    /// Runs a test and notes what it took.
    pub fn measure<T>(&self, test: &str, run: impl FnOnce() -> T) -> T {
        let (began, before) = (Instant::now(), recorder::starts());
        let done = run();
        let took = Took { test: test.into(), whole: began.elapsed(), starts: recorder::starts() - before };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(took);
        done
    }

    /// A line for each test that took a second or more, the longest first: `took 12.3 s, 2 starts 5.1 s: edges`.
    pub fn print(&self) {
        const SHOWN: Duration = Duration::from_secs(1);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.sort_by_key(|took| std::cmp::Reverse(took.whole));
        for Took { test, whole, starts } in all.iter().filter(|took| took.whole >= SHOWN) {
            let (whole, starting) = (whole.as_secs_f64(), starts.time.as_secs_f64());
            println!("took {whole:.1} s, {} starts {starting:.1} s: {test}", starts.count);
        }
    }
}
