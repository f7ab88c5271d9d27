//! What happened: every operation with the instants of its beginning and its end on one monotonic clock, and the sessions
//! with all their proofs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::frontend::Proof;

/// What was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Login,
    Verify,
    Refresh,
    Cookie,
    Logout,
}

/// How it was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It succeeded.
    Accepted,
    /// It was refused because of what was shown.
    Refused,
    /// It failed, or no answer came: nothing is known.
    Failed,
}

/// One operation.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    /// The session's number; `None` for a login without success.
    pub(crate) session: Option<usize>,
    pub(crate) kind: Kind,
    pub(crate) node: usize,
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Outcome,
    /// Error code, where it is worth a line of a report.
    pub(crate) code: Option<Box<str>>,
}

impl Operation {
    pub(crate) fn time(&self) -> Duration {
        self.ended - self.began
    }
}

/// A session.
pub(crate) struct Session {
    pub(crate) number: usize,
    proofs: Mutex<Vec<Proof>>,
    /// The refresh token that followed each.
    successors: Mutex<HashMap<String, String>>,
    /// Refresh tokens that were followed by two different ones.
    pub(crate) forks: AtomicUsize,
    /// When somebody first tried to sign it out.
    pub(crate) leaving: OnceLock<Instant>,
    /// When the first logout that succeeded was answered.
    pub(crate) signed_out: OnceLock<Instant>,
}

impl Session {
    /// All proofs there ever were, the current one last.
    pub(crate) fn proofs(&self) -> Vec<Proof> {
        lock(&self.proofs).clone()
    }

    /// The newest proof.
    pub(crate) fn current(&self) -> Option<Proof> {
        lock(&self.proofs).last().cloned()
    }

    /// Takes up the proof that a refresh was answered with. Asked again, a refresh gives the same next refresh token.
    pub(crate) fn succeed(&self, refresh: &str, next: Proof) {
        if let Proof::Pair { refresh: successor, .. } = &next {
            let mut successors = lock(&self.successors);
            let known = successors.entry(refresh.to_owned()).or_insert_with(|| successor.clone());
            if known != successor {
                self.forks.fetch_add(1, Ordering::Relaxed);
            }
        }
        lock(&self.proofs).push(next);
    }
}

/// Everything that happened in one run.
#[derive(Default)]
pub(crate) struct History {
    operations: Mutex<Vec<Operation>>,
    shown: AtomicUsize,
    signed_out: AtomicUsize,
    sessions: Mutex<Vec<Arc<Session>>>,
}

impl History {
    /// Records an operation.
    pub(crate) fn record(&self, operation: Operation) {
        if matches!(operation.kind, Kind::Verify | Kind::Cookie) {
            self.shown.fetch_add(1, Ordering::Relaxed);
        }
        lock(&self.operations).push(operation);
    }

    /// Takes up a session that was opened.
    pub(crate) fn open(&self, proof: Proof) -> Arc<Session> {
        let mut sessions = lock(&self.sessions);
        let session = Session {
            number: sessions.len(),
            proofs: Mutex::new(vec![proof]),
            successors: Mutex::default(),
            forks: AtomicUsize::new(0),
            leaving: OnceLock::new(),
            signed_out: OnceLock::new(),
        };
        let session = Arc::new(session);
        sessions.push(Arc::clone(&session));
        session
    }

    /// The sessions, by number.
    pub(crate) fn sessions(&self) -> Vec<Arc<Session>> {
        lock(&self.sessions).clone()
    }

    /// One of them.
    pub(crate) fn session(&self, position: usize) -> Option<Arc<Session>> {
        let sessions = lock(&self.sessions);
        sessions.get(position % sessions.len().max(1)).cloned()
    }

    /// Notes that a logout of a session was answered.
    pub(crate) fn sign_out(&self, session: &Session, answered: Instant) {
        if session.signed_out.set(answered).is_ok() {
            self.signed_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many sessions were signed out.
    pub(crate) fn signed_out(&self) -> usize {
        self.signed_out.load(Ordering::Relaxed)
    }

    /// How often an access token or a cookie was shown: counted as it happens, since a long history takes long to read.
    pub(crate) fn shown(&self) -> usize {
        self.shown.load(Ordering::Relaxed)
    }

    /// The operations, in the order in which they ended.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        lock(&self.operations).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
