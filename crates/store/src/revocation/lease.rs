//! This node's lease as it knows it: until when it may answer from its memory, by its own monotonic clock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long Redis takes a node to hold its lease.
pub(super) const LEASE: Duration = Duration::from_secs(1);

/// What the node itself leaves unused at its end: so much that neither a node whose clock runs at half speed outlives
/// what the others wait for, nor one whose clock runs at double speed waits too short for the others.
const UNUSED: Duration = Duration::from_millis(500);

/// How often it is renewed.
pub(super) const RENEWAL: Duration = Duration::from_millis(150);

/// The lease.
pub(super) struct Lease {
    origin: Instant,
    /// Nanoseconds after `origin`; 0 where there is none.
    ends: AtomicU64,
    /// When the renewal was sent that was granted last, likewise.
    granted: AtomicU64,
}

impl Lease {
    pub(super) fn none() -> Self {
        Self { origin: Instant::now(), ends: AtomicU64::new(0), granted: AtomicU64::new(0) }
    }

    /// Whether this node may answer from its memory now.
    pub(super) fn is_alive(&self) -> bool {
        self.elapsed(Instant::now()) < self.ends.load(Ordering::Acquire)
    }

    /// Begins or extends it, for a renewal that was sent at `sent` and granted for `granted`.
    pub(super) fn extend(&self, sent: Instant, granted: Duration) {
        self.granted.store(self.elapsed(sent), Ordering::Relaxed);
        self.ends.store(self.elapsed(sent + granted.saturating_sub(UNUSED)), Ordering::Release);
    }

    /// How long ago the last renewal was sent that was granted; since the start where none was.
    pub(super) fn age(&self) -> Duration {
        Duration::from_nanos(self.elapsed(Instant::now()).saturating_sub(self.granted.load(Ordering::Relaxed)))
    }

    /// Ends it.
    pub(super) fn drop_now(&self) {
        self.ends.store(0, Ordering::Release);
    }

    fn elapsed(&self, instant: Instant) -> u64 {
        u64::try_from(instant.saturating_duration_since(self.origin).as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_measured_from_before_the_renewal_was_sent() {
        let lease = Lease::none();
        assert!(!lease.is_alive());
        lease.extend(Instant::now(), LEASE);
        assert!(lease.is_alive());
        lease.extend(Instant::now(), UNUSED);
        assert!(!lease.is_alive());
        if let Some(earlier) = Instant::now().checked_sub(UNUSED) {
            lease.extend(earlier, LEASE);
            assert!(!lease.is_alive());
        }
        lease.extend(Instant::now(), LEASE);
        lease.drop_now();
        assert!(!lease.is_alive());
    }
}
