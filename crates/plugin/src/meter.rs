//! How a version's runs went, in all: counters that a run adds to without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The counters of one version on this node.
#[derive(Debug, Default)]
pub struct Meter {
    runs: AtomicU64,
    failures: AtomicU64,
    microseconds: AtomicU64,
}

/// What was counted since it was last taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Runs.
    pub runs: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// How long all of them took.
    pub microseconds: u64,
}

impl Meter {
    /// Counts a run.
    pub(crate) fn count(&self, took: Duration, has_failed: bool) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.failures.fetch_add(u64::from(has_failed), Ordering::Relaxed);
    }

    /// What was counted since this was last asked. Each counter is taken in one step, so that a run
    /// beside it counts here or the next time, never twice and never not at all.
    pub fn take(&self) -> Counted {
        Counted {
            runs: self.runs.swap(0, Ordering::Relaxed),
            failures: self.failures.swap(0, Ordering::Relaxed),
            microseconds: self.microseconds.swap(0, Ordering::Relaxed),
        }
    }

    /// Puts back what could not be kept.
    pub fn put_back(&self, counted: Counted) {
        self.runs.fetch_add(counted.runs, Ordering::Relaxed);
        self.failures.fetch_add(counted.failures, Ordering::Relaxed);
        self.microseconds.fetch_add(counted.microseconds, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_run_is_lost_to_those_who_take_beside_it() {
        const THREADS: u64 = 3;
        const RUNS: u64 = 20_000;
        let (meter, mut taken) = (Meter::default(), Counted::default());
        std::thread::scope(|scope| {
            let counting: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        for run in 0..RUNS {
                            meter.count(Duration::from_micros(3), run % 2 == 0);
                        }
                    })
                })
                .collect();
            let mut add = |counted: Counted| {
                taken.runs += counted.runs;
                taken.failures += counted.failures;
                taken.microseconds += counted.microseconds;
            };
            while counting.iter().any(|thread| !thread.is_finished()) {
                let counted = meter.take();
                if counted.runs % 2 == 0 { add(counted) } else { meter.put_back(counted) }
            }
        });
        let rest = meter.take();
        let runs = THREADS * RUNS;
        assert_eq!((taken.runs + rest.runs, taken.failures + rest.failures), (runs, runs / 2));
        assert_eq!(taken.microseconds + rest.microseconds, 3 * runs);
    }
}
