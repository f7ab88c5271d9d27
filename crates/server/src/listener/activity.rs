//! What a connection is doing, as its socket, its requests and its supervisor see it, and when it has taken too long.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Limits;
use super::unsent::Unsent;

/// Shared by the parts of one connection. Instants are microseconds since it was opened; 0 says "not yet".
pub(super) struct Activity {
    opened: Instant,
    /// Requests whose answers are not complete, and [`EVICTED`].
    in_flight: AtomicU32,
    /// Those of them that the endpoint has not answered yet.
    running: AtomicU32,
    /// A request has been handed to the endpoint.
    requested: AtomicBool,
    /// The connection speaks HTTP/2.
    multiplexed: AtomicBool,
    /// When the headers began that are being read now.
    head_began: AtomicU64,
    /// When the endpoint last finished, or its answer last moved.
    last_moved: AtomicU64,
    /// Since when the slowest answer on the wire has not moved, or the socket takes nothing; 0 if there is none.
    slowest_since: AtomicU64,
    /// Whether the socket takes nothing.
    blocked: AtomicBool,
    /// Bytes of bodies that hyper has been given, and those that have gone out on HTTP/2.
    produced: AtomicU64,
    sent: AtomicU64,
    /// When the first of those was produced that have not gone out.
    outstanding_since: AtomicU64,
    /// Told when the connection has to go.
    pub(super) evicted: Notify,
    closed_by_peer: AtomicBool,
    left: Mutex<Left>,
}

/// Set in the count of requests: no request may begin any more.
const EVICTED: u32 = 1 << 31;

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
    /// The peer has taken nothing of an answer for too long.
    Answer,
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
            running: AtomicU32::new(0),
            requested: AtomicBool::new(false),
            multiplexed: AtomicBool::new(false),
            head_began: AtomicU64::new(0),
            last_moved: AtomicU64::new(0),
            slowest_since: AtomicU64::new(0),
            blocked: AtomicBool::new(false),
            produced: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            outstanding_since: AtomicU64::new(0),
            evicted: Notify::new(),
            closed_by_peer: AtomicBool::new(false),
            left: Mutex::default(),
        }
    }

    /// Bytes came in.
    pub(super) fn heard(&self) {
        if !self.is_in_flight() && self.head_began.load(Ordering::Relaxed) == 0 {
            self.head_began.store(self.elapsed(), Ordering::Relaxed);
        }
    }

    /// Bytes went out. On HTTP/2 that may be the answer to a mere ping, which must not keep a connection open.
    pub(super) fn moved(&self) {
        if !self.multiplexed.load(Ordering::Relaxed) {
            self.last_moved.store(self.elapsed(), Ordering::Relaxed);
        }
    }

    /// Hyper was given so many bytes of an answer.
    pub(super) fn produced(&self, bytes: usize) {
        let before = self.produced.fetch_add(bytes as u64, Ordering::AcqRel);
        if before == self.sent.load(Ordering::Acquire) {
            self.outstanding_since.store(self.elapsed(), Ordering::Relaxed);
        }
    }

    /// What [`Unsent`](super::unsent::Unsent) has seen last.
    pub(super) fn waiting(&self, unsent: &Unsent) {
        self.blocked.store(unsent.is_blocked(), Ordering::Relaxed);
        self.slowest_since.store(unsent.slowest_since().unwrap_or(0), Ordering::Relaxed);
        self.sent.store(unsent.sent_bytes(), Ordering::Release);
    }

    /// Since when there is something that the peer does not take. An answer that has nothing to say for now is not it.
    fn waiting_since(&self) -> Option<u64> {
        let slowest = self.slowest_since.load(Ordering::Relaxed);
        if slowest == 0 {
            return None;
        }
        if self.blocked.load(Ordering::Relaxed) {
            return Some(slowest);
        }
        let is_outstanding = self.produced.load(Ordering::Acquire) > self.sent.load(Ordering::Acquire);
        is_outstanding.then(|| slowest.max(self.outstanding_since.load(Ordering::Relaxed)))
    }

    /// A request is to be handed to the endpoint; until [`Activity::finished`] it is in flight. Not if it is false: the
    /// connection is about to be closed, and the request counts as never received.
    pub(super) fn started(&self, multiplexed: bool) -> bool {
        if self.in_flight.fetch_add(1, Ordering::AcqRel) & EVICTED != 0 {
            return false;
        }
        self.running.fetch_add(1, Ordering::AcqRel);
        self.requested.store(true, Ordering::Relaxed);
        self.multiplexed.store(multiplexed, Ordering::Relaxed);
        self.head_began.store(0, Ordering::Relaxed);
        true
    }

    /// The endpoint has answered, or was given up.
    pub(super) fn answered(&self) {
        self.running.fetch_sub(1, Ordering::AcqRel);
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
        self.in_flight.load(Ordering::Acquire) & !EVICTED > 0
    }

    /// Whether the endpoint works on a request.
    pub(super) fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire) > 0
    }

    /// Since when the connection has had no request in flight and no answer under way, if it has none.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        let is_idle = self.in_flight.load(Ordering::Acquire) == 0 && self.waiting_since().is_none();
        is_idle.then(|| self.instant(self.last_moved.load(Ordering::Relaxed)))
    }

    /// Lets no further request begin and has the connection closed, if none is in flight.
    pub(super) fn evict(&self) -> bool {
        let evicted = self.in_flight.compare_exchange(0, EVICTED, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        if evicted {
            self.evicted.notify_one();
        }
        evicted
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
        self.opened + limits.first_request_timeout.min(limits.header_timeout).min(limits.answer_timeout)
    }

    /// Compares what the connection does with its limits. A connection without a request in hand could begin one
    /// at once, so that it is looked at again no later than such a request would be overdue.
    pub(super) fn check(&self, limits: &Limits, now: Instant) -> Check {
        let soon = now + limits.header_timeout.min(limits.answer_timeout);
        if let Some(waiting_since) = self.waiting_since() {
            let due = self.instant(waiting_since) + limits.answer_timeout;
            return if due <= now { Check::Overdue(Overdue::Answer) } else { Check::Again(due.min(soon)) };
        }
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

    /// The present instant.
    pub(super) fn elapsed(&self) -> u64 {
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
        Limits {
            first_request_timeout: 10 * SECOND,
            header_timeout: 5 * SECOND,
            answer_timeout: 20 * SECOND,
            idle_timeout: 60 * SECOND,
            ..Limits::default()
        }
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
    fn an_answer_that_is_not_taken_is_overdue_though_its_request_is_in_flight() {
        let activity = Activity::new();
        activity.started(true);
        activity.slowest_since.store(5_000_000, Ordering::Relaxed);
        assert!(matches!(activity.check(&limits(), activity.opened + 60 * SECOND), Check::Again(_)), "it has nothing to say");
        activity.produced(100);
        let at = |seconds| activity.check(&limits(), activity.opened + seconds * SECOND);
        assert!(matches!(at(24), Check::Again(_)));
        assert_eq!(at(25), Check::Overdue(Overdue::Answer));
        assert_eq!(activity.idle_since(), None);
        activity.sent.store(100, Ordering::Relaxed);
        assert!(matches!(at(25), Check::Again(_)));
    }

    #[test]
    fn what_is_in_flight_is_not_evicted_and_what_is_evicted_begins_nothing() {
        let activity = Activity::new();
        assert!(activity.started(false) && !activity.evict());
        activity.answered();
        activity.finished();
        assert!(activity.idle_since().is_some() && activity.evict());
        assert!(!activity.started(false) && !activity.evict());
        assert_eq!(activity.idle_since(), None);
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
