//! How a version's runs went: counters that a run adds to without a lock, and the rule by which a version that fails too often is
//! switched off.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use crate::failure::FailureCode;

/// The span of time in which failures are weighed, in milliseconds.
const SPAN_MS: i64 = 60_000;
/// How many runs the span must have before anything is concluded from them.
const RUNS: u32 = 20;

/// The counters of one version on this node.
#[derive(Debug, Default)]
pub struct Meter {
    runs: AtomicU64,
    failures: AtomicU64,
    microseconds: AtomicU64,
    /// When the span began, and what has happened in it.
    span_began: AtomicI64,
    span_runs: AtomicU32,
    span_failures: AtomicU32,
    tripped: OnceLock<FailureCode>,
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
    /// Counts a run. A failure that weighs may be the one too many: half of at least 20 runs within a minute.
    pub(crate) fn count(&self, now_ms: i64, took: Duration, failure: Option<FailureCode>) {
        self.runs.fetch_add(1, Ordering::Relaxed);
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        if failure.is_some() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        let began = self.span_began.load(Ordering::Relaxed);
        // Of several that find the span over one begins the next; what the others count meanwhile is lost to neither.
        if (now_ms < began || now_ms - began >= SPAN_MS)
            && self.span_began.compare_exchange(began, now_ms, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            self.span_runs.store(0, Ordering::Relaxed);
            self.span_failures.store(0, Ordering::Relaxed);
        }
        let runs = self.span_runs.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(code) = failure.filter(|code| code.weighs()) {
            let failures = self.span_failures.fetch_add(1, Ordering::Relaxed) + 1;
            if runs >= RUNS && failures * 2 >= runs {
                self.tripped.get_or_init(|| code);
            }
        }
    }

    /// Whether it failed too often.
    pub fn is_tripped(&self) -> bool {
        self.tripped.get().is_some()
    }

    /// The failure that was one too many.
    pub fn tripped_by(&self) -> Option<FailureCode> {
        self.tripped.get().copied()
    }

    /// What was counted since this was last asked.
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

    const TOOK: Duration = Duration::from_micros(3);

    /// Throws where it says so.
    fn thrown(failed: bool) -> Option<FailureCode> {
        failed.then_some(FailureCode::Exception)
    }

    #[test]
    fn half_of_twenty_runs_within_a_minute_trip_it() {
        let meter = Meter::default();
        for run in 0..19 {
            meter.count(0, TOOK, thrown(run % 2 == 0));
            assert!(!meter.is_tripped(), "run {run}");
        }
        meter.count(0, TOOK, Some(FailureCode::Deadline));
        assert_eq!(meter.tripped_by(), Some(FailureCode::Deadline));
        assert_eq!(meter.take(), Counted { runs: 20, failures: 11, microseconds: 60 });
        assert_eq!(meter.take(), Counted::default());
    }

    #[test]
    fn few_failures_old_ones_and_those_that_are_nobodys_fault_do_not() {
        let (few, old, queued) = (Meter::default(), Meter::default(), Meter::default());
        for run in 0..1000 {
            few.count(0, TOOK, thrown(run % 3 == 0));
            old.count(run * SPAN_MS / 10, TOOK, thrown(true));
            queued.count(0, TOOK, Some(FailureCode::QueueFull));
        }
        assert!(!few.is_tripped() && !old.is_tripped() && !queued.is_tripped());
    }
}
