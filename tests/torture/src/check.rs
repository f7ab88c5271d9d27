//! The property: a verify, refresh or cookie call that starts after a logout's success was received is refused, on every
//! node, for ever. And what never was signed out is not refused for being signed out.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::history::{History, Kind, Operation, Outcome};

/// How many violations are told in words.
const TOLD: usize = 5;

/// What a history shows.
#[derive(Debug, Default, Clone)]
pub(crate) struct Verdict {
    pub(crate) logouts: usize,
    pub(crate) verifies: usize,
    pub(crate) refreshes: usize,
    pub(crate) cookies: usize,
    pub(crate) logins: usize,
    /// Operations that failed: no violation, but the price of a fault.
    pub(crate) failed: usize,
    /// The same by kind and code.
    pub(crate) failures: BTreeMap<String, usize>,
    /// Accepted after the logout's reply.
    pub(crate) stale: usize,
    /// Refused though nobody had begun to sign the session out.
    pub(crate) wrongly_refused: usize,
    /// Acknowledged, and gone.
    pub(crate) lost: usize,
    /// Refresh tokens that were followed by two different ones.
    pub(crate) forks: usize,
    /// What a scenario found by itself.
    pub(crate) found: usize,
    /// How long logouts took that succeeded, in order.
    pub(crate) logout_times: Vec<Duration>,
    /// The first few violations in words.
    pub(crate) told: Vec<String>,
}

impl Verdict {
    /// Judges a history.
    pub(crate) fn of(history: &History) -> Self {
        let sessions = history.sessions();
        let mut verdict = Self::default();
        for operation in history.operations() {
            match operation.kind {
                Kind::Login => verdict.logins += 1,
                Kind::Verify => verdict.verifies += 1,
                Kind::Refresh => verdict.refreshes += 1,
                Kind::Cookie => verdict.cookies += 1,
                Kind::Logout => verdict.logouts += 1,
            }
            if operation.outcome == Outcome::Failed {
                verdict.failed += 1;
                let what = format!("{:?} {}", operation.kind, operation.code.as_deref().unwrap_or_default());
                *verdict.failures.entry(what).or_default() += 1;
            }
            if (operation.kind, operation.outcome) == (Kind::Logout, Outcome::Accepted) {
                verdict.logout_times.push(operation.time());
            }
            let Some(session) = operation.session.and_then(|number| sessions.get(number)) else { continue };
            let shows = matches!(operation.kind, Kind::Verify | Kind::Refresh | Kind::Cookie);
            let after = session.signed_out.get().filter(|signed_out| operation.began > **signed_out);
            if let (true, Outcome::Accepted, Some(signed_out)) = (shows, operation.outcome, after) {
                verdict.stale += 1;
                verdict.tell(|| stale(&operation, operation.began - *signed_out));
            }
            let untouched = session.leaving.get().is_none_or(|leaving| operation.ended < *leaving);
            if shows && operation.outcome == Outcome::Refused && untouched {
                verdict.wrongly_refused += 1;
                let code = operation.code.as_deref().unwrap_or_default();
                verdict.tell(|| format!("{:?} on node {} refused with {code} before any logout", operation.kind, operation.node + 1));
            }
        }
        verdict.forks = sessions.iter().map(|session| session.forks.load(Ordering::Relaxed)).sum();
        if verdict.forks > 0 {
            let forks = verdict.forks;
            verdict.tell(|| format!("{forks} refresh tokens were followed by two different ones"));
        }
        verdict.logout_times.sort_unstable();
        verdict
    }

    /// Adds what was acknowledged and is gone.
    pub(crate) fn lose(&mut self, sessions: &[usize]) {
        self.lost += sessions.len();
        self.tell(|| format!("sessions that were opened and never signed out are gone: {sessions:?}"));
        if sessions.is_empty() {
            self.told.pop();
        }
    }

    /// Finds the logouts that took longer.
    pub(crate) fn bound_logouts(&mut self, bound: Duration) {
        let late = self.logout_times.iter().filter(|time| **time > bound).count();
        if late > 0 {
            self.found += late;
            let longest = self.logout_time(100);
            self.tell(|| format!("{late} logouts took longer than {bound:?}, one of them {longest:?}"));
        }
    }

    fn tell(&mut self, words: impl FnOnce() -> String) {
        if self.told.len() < TOLD {
            self.told.push(words());
        }
    }

    /// How many violations there are.
    pub(crate) const fn violations(&self) -> usize {
        self.stale + self.lost + self.forks + self.found
    }

    /// So long took logouts at most, of so many in a hundred.
    pub(crate) fn logout_time(&self, percent: usize) -> Duration {
        let position = (self.logout_times.len() * percent / 100).min(self.logout_times.len().saturating_sub(1));
        self.logout_times.get(position).copied().unwrap_or_default()
    }
}

fn stale(operation: &Operation, after: Duration) -> String {
    let (kind, node, session) = (operation.kind, operation.node + 1, operation.session.unwrap_or_default());
    format!("{kind:?} of session {session} accepted on node {node}, begun {after:?} after the logout's reply")
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::frontend::Proof;

    fn before(instant: Instant, millis: u64) -> Instant {
        instant.checked_sub(Duration::from_millis(millis)).unwrap()
    }

    fn verify_at(history: &History, session: usize, began: Instant, outcome: Outcome) {
        let ended = began + Duration::from_millis(1);
        history.record(Operation { session: Some(session), kind: Kind::Verify, node: 0, began, ended, outcome, code: None });
    }

    #[test]
    fn a_logout_that_takes_too_long_is_a_violation() {
        let mut verdict = Verdict { logout_times: [900, 1_200, 1_201].map(Duration::from_millis).to_vec(), ..Verdict::default() };
        verdict.bound_logouts(Duration::from_millis(1_201));
        assert_eq!(verdict.violations(), 0);
        verdict.bound_logouts(Duration::from_millis(1_200));
        assert_eq!((verdict.violations(), verdict.told.len()), (1, 1));
    }

    #[test]
    fn only_what_starts_after_the_reply_and_is_accepted_is_a_violation() {
        let (history, reply) = (History::default(), Instant::now() + Duration::from_secs(1));
        let session = history.open(Proof::Cookie("c".to_owned()));
        session.leaving.set(before(reply, 5)).unwrap();
        session.signed_out.set(reply).unwrap();
        verify_at(&history, 0, before(reply, 1), Outcome::Accepted);
        verify_at(&history, 0, reply + Duration::from_millis(1), Outcome::Refused);
        verify_at(&history, 0, reply + Duration::from_millis(1), Outcome::Failed);
        assert_eq!(Verdict::of(&history).violations(), 0);
        verify_at(&history, 0, reply + Duration::from_millis(1), Outcome::Accepted);
        let verdict = Verdict::of(&history);
        assert_eq!((verdict.violations(), verdict.stale, verdict.failed, verdict.wrongly_refused), (1, 1, 1, 0));
        verify_at(&history, 0, before(reply, 900), Outcome::Refused);
        assert_eq!(Verdict::of(&history).wrongly_refused, 1);
    }
}
