//! What a thread has of the processor: how much it has used, and how far it stands back for others.

use std::time::{Duration, Instant};

use rustix::process::setpriority_process;
use rustix::time::{ClockId, clock_gettime};

/// Lets the calling thread run after those that have not stepped back, so far as the operating system counts that by threads.
pub(super) fn step_back(priority: i32) {
    if priority > 0
        && cfg!(target_os = "linux")
        && let Err(error) = setpriority_process(None, priority)
    {
        tracing::warn!(%error, "a plugin thread keeps the priority of all others");
    }
}

/// Measures both times of a thread.
pub(crate) struct Stopwatch {
    began: Instant,
    processor: Duration,
}

impl Stopwatch {
    /// From now on, of the calling thread.
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), processor: processor_time() }
    }

    /// How long the thread has worked since; on the same thread.
    pub(crate) fn processor_time(&self) -> Duration {
        processor_time().saturating_sub(self.processor)
    }

    /// How long ago it was started.
    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint::black_box;

    #[test]
    fn waiting_is_no_work() {
        let stopwatch = Stopwatch::start();
        std::thread::park_timeout(Duration::from_millis(30));
        let waited = stopwatch.processor_time();
        while stopwatch.processor_time() < waited + Duration::from_millis(5) {
            black_box(0);
        }
        assert!(waited < Duration::from_millis(20) && stopwatch.elapsed() >= waited + Duration::from_millis(5));
    }
}
