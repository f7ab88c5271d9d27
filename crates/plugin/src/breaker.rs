//! A circuit breaker for each route of each system that a version answers on. A version that fails
//! too often at one place stands back there, and there alone, until trial runs succeed.
//!
//! Only answers of success weigh, one user's a few times a minute: neither who has not signed in,
//! nor one who has, can switch a plugin off for others. A place becomes known with its first
//! failure, and their number is bounded.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::context::Context;
use crate::failure::FailureCode;

/// The span of time in which failures are weighed, in milliseconds.
const SPAN_MS: i64 = 60_000;
/// How many runs the span must have before anything is concluded from them.
const RUNS: u32 = 20;
/// How many of them may be one user's: no two users alone reach [`RUNS`].
const RUNS_OF_USER: u8 = 7;
/// So many users' runs are weighed in a span; those of others say nothing new.
const USERS: usize = 64;
/// How long a version stands back before it is tried again; twice as long after each time in vain.
const WAIT_MS: i64 = 30_000;
const LONGEST_WAIT_MS: i64 = 600_000;
/// How many runs a trial has, each of another user.
const TRIALS: u32 = 5;
/// After so long a trial is decided by the runs that it has had.
const TRIAL_MS: i64 = 10_000;
/// Places that are known of one version. Beyond them nothing is weighed, and so nothing stands back.
const PLACES: usize = 1_024;

/// Where a run counts. All three are what is served and stored, never what a stranger sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The tenant.
    pub owner_id: Arc<str>,
    /// The tenant's system.
    pub sys_id: Arc<str>,
    /// The route's pattern.
    pub route: Cow<'static, str>,
}

impl Place {
    /// The place of a request whose tenant and system are known.
    pub(crate) fn of(context: &Context) -> Option<Self> {
        let (owner_id, sys_id) = context.owner_id.clone().zip(context.sys_id.clone())?;
        Some(Self { owner_id, sys_id, route: context.route.clone() })
    }
}

/// Whether a version may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// As usual.
    Usual,
    /// On trial: if it fails, what stands below it answers.
    Trial,
    /// It stands back.
    Refused,
}

/// Why a version stands back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tripped {
    /// The failure that was one too many.
    pub code: FailureCode,
    /// When, in milliseconds since 1970-01-01 UTC.
    pub at_ms: i64,
}

/// A change that others have yet to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Switch {
    /// Where.
    pub place: Place,
    /// Why the version stands back there; `None` where it answers again.
    pub tripped: Option<Tripped>,
}

/// The breakers of one version on this node.
#[derive(Debug, Default)]
pub struct Breakers {
    places: Mutex<HashMap<Place, Breaker>>,
    /// Whether there are any: a version that never failed takes no lock.
    is_any: AtomicBool,
}

#[derive(Debug)]
struct Breaker {
    state: State,
    /// Whether others know that the version stands back here.
    is_told: bool,
    /// How often trials were in vain since it last answered.
    vain: u32,
}

#[derive(Debug)]
enum State {
    Closed(Span),
    Open { tripped: Tripped, until_ms: i64 },
    Trying { tripped: Tripped, admitted: u32, span: Span },
}

/// What happened since an instant.
#[derive(Debug)]
struct Span {
    began_ms: i64,
    runs: u32,
    failures: u32,
    /// Users, as digests of their ids, with their runs.
    of_users: Vec<(u64, u8)>,
}

impl Span {
    const fn new(began_ms: i64) -> Self {
        Self { began_ms, runs: 0, failures: 0, of_users: Vec::new() }
    }

    /// Whether it is over. A run whose instant lies a little before, since requests overtake one
    /// another, belongs to it; a clock that was set far back begins anew.
    const fn is_over(&self, now_ms: i64) -> bool {
        now_ms.abs_diff(self.began_ms) >= SPAN_MS.unsigned_abs()
    }

    /// Takes one of the runs that a user may have in it, if there is one left.
    fn take(&mut self, user_id: &str, most: u8) -> bool {
        let mut hasher = DefaultHasher::new();
        user_id.hash(&mut hasher);
        let user = hasher.finish();
        let is_full = self.of_users.len() >= USERS;
        match self.of_users.iter_mut().find(|(other, _)| *other == user) {
            Some((_, runs)) if *runs >= most => return false,
            Some((_, runs)) => *runs += 1,
            None if is_full => return false,
            None => self.of_users.push((user, 1)),
        }
        true
    }

    fn count(&mut self, has_failed: bool) {
        self.runs += 1;
        self.failures += u32::from(has_failed);
    }

    const fn has_mostly_failed(&self) -> bool {
        self.failures * 2 >= self.runs
    }
}

impl Breaker {
    const fn new(now_ms: i64) -> Self {
        Self { state: State::Closed(Span::new(now_ms)), is_told: false, vain: 0 }
    }

    const fn stands_back(&self) -> bool {
        !matches!(self.state, State::Closed(_))
    }

    /// Whether nothing is lost with it.
    const fn is_idle(&self, now_ms: i64) -> bool {
        match &self.state {
            State::Closed(span) => span.is_over(now_ms) && !self.is_told,
            State::Open { .. } | State::Trying { .. } => false,
        }
    }

    fn open(&mut self, tripped: Tripped, now_ms: i64) {
        let wait = WAIT_MS.saturating_mul(1 << self.vain.min(10)).min(LONGEST_WAIT_MS);
        self.state = State::Open { tripped, until_ms: now_ms + wait };
    }

    fn admit(&mut self, user_id: Option<&str>, now_ms: i64) -> Admission {
        if let State::Open { tripped, until_ms } = self.state
            && now_ms >= until_ms
            && user_id.is_some()
        {
            self.state = State::Trying { tripped, admitted: 0, span: Span::new(now_ms) };
        }
        self.decide_when_due(now_ms);
        match &mut self.state {
            State::Closed(_) => Admission::Usual,
            State::Open { .. } => Admission::Refused,
            State::Trying { admitted, span, .. } => {
                if *admitted < TRIALS && user_id.is_some_and(|user_id| span.take(user_id, 1)) {
                    *admitted += 1;
                    Admission::Trial
                } else {
                    Admission::Refused
                }
            }
        }
    }

    /// Ends a trial that has had its runs, or its time.
    fn decide_when_due(&mut self, now_ms: i64) {
        let State::Trying { tripped, admitted, span } = &mut self.state else { return };
        let is_late = now_ms.abs_diff(span.began_ms) >= TRIAL_MS.unsigned_abs();
        if span.runs == 0 && is_late {
            // Whoever was let through gave no answer.
            *admitted = 0;
            *span = Span::new(now_ms);
        } else if span.runs >= TRIALS || is_late {
            if span.has_mostly_failed() {
                let tripped = *tripped;
                self.vain += 1;
                self.open(tripped, now_ms);
            } else {
                self.vain = 0;
                self.state = State::Closed(Span::new(now_ms));
            }
        }
    }

    fn count(&mut self, user_id: &str, now_ms: i64, failure: Option<FailureCode>, admission: Admission) {
        match &mut self.state {
            State::Closed(span) => {
                if span.is_over(now_ms) {
                    *span = Span::new(now_ms);
                }
                if !span.take(user_id, RUNS_OF_USER) {
                    return;
                }
                span.count(failure.is_some());
                if let Some(code) = failure.filter(|_| span.runs >= RUNS && span.has_mostly_failed()) {
                    self.open(Tripped { code, at_ms: now_ms }, now_ms);
                }
            }
            State::Trying { span, tripped, .. } if admission == Admission::Trial => {
                span.count(failure.is_some());
                tripped.code = failure.unwrap_or(tripped.code);
                self.decide_when_due(now_ms);
            }
            // What ran before it stood back counts no more.
            State::Open { .. } | State::Trying { .. } => {}
        }
    }
}

impl Breakers {
    fn lock(&self) -> MutexGuard<'_, HashMap<Place, Breaker>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the version may run for an answer at a place. Only for a `user_id`, whose answer
    /// weighs, is it tried again.
    pub(crate) fn admit(&self, place: &Place, user_id: Option<&str>, now_ms: i64) -> Admission {
        if !self.is_any.load(Ordering::Relaxed) {
            return Admission::Usual;
        }
        self.lock().get_mut(place).map_or(Admission::Usual, |breaker| breaker.admit(user_id, now_ms))
    }

    /// Counts a run whose answer weighs.
    pub(crate) fn count(&self, place: &Place, user_id: &str, now_ms: i64, failure: Option<FailureCode>, admission: Admission) {
        // A full queue and a busy machine say nothing of the version.
        if failure.is_some_and(|code| !code.weighs()) || (failure.is_none() && !self.is_any.load(Ordering::Relaxed)) {
            return;
        }
        let mut places = self.lock();
        if let Some(breaker) = places.get_mut(place) {
            breaker.count(user_id, now_ms, failure, admission);
        } else if failure.is_some() && has_room(&mut places, now_ms) {
            let mut breaker = Breaker::new(now_ms);
            breaker.count(user_id, now_ms, failure, admission);
            places.insert(place.clone(), breaker);
            self.is_any.store(true, Ordering::Relaxed);
        }
    }

    /// Where the version stands back, and where it answers again, of what others do not know yet.
    pub fn untold(&self) -> Vec<Switch> {
        if !self.is_any.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let places = self.lock();
        let changed = places.iter().filter(|(_, breaker)| breaker.is_told != breaker.stands_back());
        changed
            .map(|(place, breaker)| {
                let tripped = match breaker.state {
                    State::Closed(_) => None,
                    State::Open { tripped, .. } | State::Trying { tripped, .. } => Some(tripped),
                };
                Switch { place: place.clone(), tripped }
            })
            .collect()
    }

    /// Others have been told of a change.
    pub fn tell(&self, switch: &Switch) {
        if let Some(breaker) = self.lock().get_mut(&switch.place) {
            breaker.is_told = switch.tripped.is_some();
        }
    }

    /// Takes over where the version stands back on all nodes, as others have told.
    pub fn take_over(&self, told: &[(Place, Tripped)], now_ms: i64) {
        let mut places = self.lock();
        for (_, breaker) in places.iter_mut().filter(|(place, _)| !told.iter().any(|(other, _)| other == *place)) {
            // Another node has taken it back.
            if breaker.is_told && breaker.stands_back() {
                breaker.state = State::Closed(Span::new(now_ms));
            }
            breaker.is_told = false;
        }
        for (place, tripped) in told {
            if let Some(breaker) = places.get_mut(place) {
                // What has just come back here is told in a moment.
                if breaker.stands_back() || !breaker.is_told {
                    if !breaker.stands_back() {
                        breaker.open(*tripped, tripped.at_ms);
                    }
                    breaker.is_told = true;
                }
            } else if has_room(&mut places, now_ms) {
                let mut breaker = Breaker { is_told: true, ..Breaker::new(now_ms) };
                breaker.open(*tripped, tripped.at_ms);
                places.insert(place.clone(), breaker);
            }
        }
        self.is_any.store(!places.is_empty(), Ordering::Relaxed);
    }
}

/// Whether one more place can be known; those of which nothing is to be known make room.
fn has_room(places: &mut HashMap<Place, Breaker>, now_ms: i64) -> bool {
    if places.len() >= PLACES {
        places.retain(|_, breaker| !breaker.is_idle(now_ms));
    }
    places.len() < PLACES
}

#[cfg(test)]
mod tests;
