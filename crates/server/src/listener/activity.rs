//! What a connection is doing, as its socket, its requests and its supervisor see it, and when it has taken too long.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::Instant;

use super::Limits;

/// Shared by the parts of one connection. Instants are microseconds since it was opened; 0 says "not yet".
pub(super) struct Activity {
    opened: Instant,
    in_flight: AtomicU32,
    /// A request has been handed to the endpoint.
    requested: AtomicBool,
    /// The connection speaks HTTP/2.
    multiplexed: AtomicBool,
    /// When the headers began that are being read now.
    head_began: AtomicU64,
    /// When the endpoint last finished, or its answer last moved.
    last_moved: AtomicU64,
    closed_by_peer: AtomicBool,
    left: Mutex<Left>,
}

/// What hyper leaves behind when it lets go of the socket.
#[derive(Default)]
pub(super) struct Left {
    /// The socket itself.
    pub(super) stream: Option<TcpStream>,
    /// The bare answer hyper gave to a request it could not parse; not sent yet.
    pub(super) bare_answer: Option<Vec<u8>>,
}

/// Which limit a connection has overstepped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No complete first request in time.
    FirstRequest,
    /// A later request's headers were begun and not ended in time.
    Header,
    /// Nothing to do for too long.
    Idle,
}

/// What the supervisor finds when it looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// All is well; look again then.
    Again(Instant),
    /// A limit was overstepped.
    Overdue(Overdue),
}

impl Activity {
    pub(super) fn new() -> Self {
        Self {
            opened: Instant::now(),
            in_flight: AtomicU32::new(0),
            requested: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            head_began: AtomicU64::new(0),
            last_moved: AtomicU64::new(0),
            closed_by_peer: AtomicBool::new(false),
            left: Mutex::default(),
        }
    }

    /// Bytes came in.
    pub(super) fn heard(&self) {
        if self.in_flight.load(Ordering::Relaxed) == 0 && self.head_began.load(Ordering::Relaxed) == 0 {
            self.head_began.store(self.elapsed(), Ordering::Relaxed);
        }
    }

    /// Bytes went out. On HTTP/2 that may be the answer to a mere ping, which must not keep a connection open.
    pub(super) fn moved(&self) {
        if !self.multiplexed.load(Ordering::Relaxed) {
            self.last_moved.store(self.elapsed(), Ordering::Relaxed);
        }
    }

    /// A request was handed to the endpoint; until [`Activity::finished`] it is in flight.
    pub(super) fn started(&self, multiplexed: bool) {
        self.in_flight.fetch_add(1, Ordering::AcqRel);
        self.requested.store(true, Ordering::Relaxed);
        self.multiplexed.store(multiplexed, Ordering::Relaxed);
        self.head_began.store(0, Ordering::Relaxed);
    }

    /// A request's answer is complete, or nobody waits for it any more.
    pub(super) fn finished(&self) {
        self.last_moved.store(self.elapsed(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::AcqRel);
    }

    /// The peer has said that it will send nothing more.
    pub(super) fn peer_closed(&self) {
        self.closed_by_peer.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_closed_by_peer(&self) -> bool {
        self.closed_by_peer.load(Ordering::Relaxed)
    }

    pub(super) fn is_multiplexed(&self) -> bool {
        self.multiplexed.load(Ordering::Relaxed)
    }

    pub(super) fn is_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Acquire) > 0
    }

    /// Whether a request has been begun and not been handed to the endpoint yet.
    pub(super) fn is_mid_head(&self) -> bool {
        !self.is_multiplexed() && self.head_began.load(Ordering::Relaxed) != 0
    }

    /// Whether nothing was asked that has not been answered.
    pub(super) fn is_silent(&self) -> bool {
        !self.is_in_flight() && !self.is_mid_head()
    }

    /// Keeps what hyper left.
    pub(super) fn leave(&self, stream: Option<TcpStream>, bare_answer: Option<Vec<u8>>) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Left { stream, bare_answer };
    }

    /// Hands over what hyper left.
    pub(super) fn take_left(&self) -> Left {
        std::mem::take(&mut *self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// When to look first: by then the first request may have come and gone, and a second be overdue.
    pub(super) fn first_check(&self, limits: &Limits) -> Instant {
        self.opened + limits.first_request_timeout.min(limits.header_timeout)
    }

    /// Compares what the connection does with its limits. A connection without a request in hand could begin one
    /// at once, so that it is looked at again no later than such a request would be overdue.
    pub(super) fn check(&self, limits: &Limits, now: Instant) -> Check {
        let soon = now + limits.header_timeout;
        if self.is_in_flight() {
            return Check::Again(soon);
        }
        let head_began = self.head_began.load(Ordering::Relaxed);
        let (due, overdue) = if !self.requested.load(Ordering::Relaxed) {
            (self.opened + limits.first_request_timeout, Overdue::FirstRequest)
        } else if head_began != 0 && !self.is_multiplexed() {
            (self.instant(head_began) + limits.header_timeout, Overdue::Header)
        } else {
            (self.instant(self.last_moved.load(Ordering::Relaxed)) + limits.idle_timeout, Overdue::Idle)
        };
        if due <= now { Check::Overdue(overdue) } else { Check::Again(due.min(soon)) }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_micros()).unwrap_or(u64::MAX).max(1)
    }

    fn instant(&self, micros: u64) -> Instant {
        self.opened + Duration::from_micros(micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limits() -> Limits {
        Limits { first_request_timeout: 10 * SECOND, header_timeout: 5 * SECOND, idle_timeout: 60 * SECOND, ..Limits::default() }
    }

    #[test]
    fn a_silent_connection_is_overdue_after_the_first_request_timeout() {
        let activity = Activity::new();
        let at = |seconds| activity.check(&limits(), activity.opened + seconds * SECOND);
        assert_eq!(at(9), Check::Again(activity.opened + 10 * SECOND));
        assert_eq!(at(10), Check::Overdue(Overdue::FirstRequest));
    }

    #[test]
    fn a_request_in_flight_is_never_overdue() {
        let activity = Activity::new();
        activity.started(false);
        assert!(matches!(activity.check(&limits(), activity.opened + 3_600 * SECOND), Check::Again(_)));
    }

    #[test]
    fn half_a_header_is_overdue_sooner_than_silence() {
        let activity = Activity::new();
        activity.started(false);
        activity.finished();
        assert!(matches!(activity.check(&limits(), activity.opened + 30 * SECOND), Check::Again(_)));
        activity.heard();
        assert!(activity.is_mid_head());
        assert_eq!(activity.check(&limits(), activity.opened + 30 * SECOND), Check::Overdue(Overdue::Header));
    }

    #[test]
    fn pings_do_not_keep_an_http2_connection_open() {
        let activity = Activity::new();
        activity.started(true);
        activity.finished();
        activity.heard();
        activity.moved();
        assert!(!activity.is_mid_head());
        assert_eq!(activity.check(&limits(), activity.opened + 61 * SECOND), Check::Overdue(Overdue::Idle));
    }
}
