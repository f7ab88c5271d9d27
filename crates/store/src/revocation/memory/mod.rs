//! The ended sessions themselves, and the marks of users: a few bytes for each, spread over many locks, and forgotten only
//! when the last access token that they refuse has expired. What does not fit is not forgotten either: whoever asks for
//! something of a part that has overflowed is told so, and must ask the database.

mod capacity;
mod entry;
mod reload;

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use self::capacity::Capacity;
pub use self::capacity::MemoryUsage;
use self::entry::{Entry, Key, UserMark, expiry_of, key_of, pack, pack_entry, prolonged, reason_of, unpack};
use super::tenants::{Tenants, later};
use crate::cache::front::Front;
use crate::record::{EndedSession, NotBefore, Scope};

/// Entries are spread over so many locks, so that readers of one do not wait for writers of another.
const SHARDS: usize = 64;

/// How long a user's mark is kept: the longest lifetime that an access token can have (`accessTokenSeconds` is at most a
/// day), and what clocks may differ by. A refresh asks the database, which never forgets a mark.
const USER_MARK_LIFETIME: Duration = Duration::from_mins(24 * 60 + 10);

/// How far a request may be behind the latest forgetting: less than a session is kept beyond its last access token.
const CLOCK_SLACK: Duration = Duration::from_secs(30);

/// What is known of a session that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct SessionKey<'a> {
    /// The tenant.
    pub owner_id: &'a OwnerId,
    /// The session.
    pub session_id: SessionId,
    /// Its system, where it is known.
    pub sys_id: Option<&'a SystemId>,
    /// Its user, where it is known.
    pub user_id: Option<&'a UserId>,
}

/// What the memory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It has ended.
    Ended(EndReason),
    /// It has not.
    Live,
    /// It may have ended: not everything did fit.
    Unknown,
}

#[derive(Default)]
struct Kept {
    sessions: HashMap<Key, Entry>,
    users: HashMap<u64, UserMark>,
    /// Until when (Unix seconds) something that did not fit would have had to be kept; 0 where everything did.
    overflown_until: i64,
}

/// Alone on its cache lines: readers of one do not slow down readers of another.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    kept: RwLock<Kept>,
    /// How many questions were answered here.
    answers: AtomicU64,
}

/// The ended sessions and the marks of all tenants.
pub(super) struct Memory {
    shards: Vec<Shard>,
    pub(super) tenants: Tenants,
    /// What is remembered of users, until something is heard about them.
    pub(super) front: Front,
    capacity: Capacity,
    hasher: RandomState,
    /// Whether somebody was told that not everything fits.
    overflow_told: AtomicBool,
    /// What could have been needed before this (Unix seconds) may have been forgotten, or never read.
    forgotten_before: AtomicI64,
}

impl Memory {
    /// Takes up to about so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            shards: std::iter::repeat_with(Shard::default).take(SHARDS).collect(),
            tenants: Tenants::default(),
            front: Front::new(),
            capacity: Capacity::of(bytes),
            hasher: RandomState::new(),
            overflow_told: AtomicBool::new(false),
            forgotten_before: AtomicI64::new(i64::MIN),
        }
    }

    /// Whether it can say what held at `now`: not where the clock was ahead, things were forgotten because of that, and
    /// access tokens that had expired live again.
    pub(super) fn knows(&self, now: Timestamp) -> bool {
        now.plus(CLOCK_SLACK).seconds() >= self.forgotten_before.load(Ordering::Acquire)
    }

    pub(super) fn find(&self, session: &SessionKey<'_>) -> Found {
        let key = self.key(session.owner_id, session.session_id);
        let shard = self.shard_of(session.session_id);
        shard.answers.fetch_add(1, Ordering::Relaxed);
        let kept = shard.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = kept.sessions.get(&key) {
            return Found::Ended(reason_of(*entry));
        }
        let mut overflown = kept.overflown_until != 0;
        drop(kept);
        let mut mark = self.tenants.find(session.owner_id, session.sys_id);
        if let Some(user_id) = session.user_id {
            let hash = self.user_hash(session.owner_id, user_id);
            let kept = self.shard_of_hash(hash).kept.read().unwrap_or_else(PoisonError::into_inner);
            mark = later(mark, kept.users.get(&hash).map(|mark| unpack(*mark)));
            overflown |= kept.overflown_until != 0;
        }
        match mark {
            Some((not_before, reason)) if session.session_id.began() < not_before => Found::Ended(reason),
            _ if overflown => Found::Unknown,
            _ => Found::Live,
        }
    }

    /// Takes in what somebody has announced, and forgets what was remembered of the users it is about.
    pub(super) fn hear(&self, ended: &[EndedSession], marks: &[NotBefore]) {
        for session in ended {
            self.insert(session);
            self.front.forget(&session.owner_id, &session.user_id);
        }
        self.insert_marks(marks);
        for mark in marks {
            match &mark.scope {
                Scope::User(user_id) => self.front.forget(&mark.owner_id, user_id),
                // All of the tenant's users; rare enough for the others to be read again too.
                Scope::System(_) | Scope::Tenant if mark.not_before > Timestamp(0) => self.front.clear(),
                Scope::System(_) | Scope::Tenant => {}
            }
        }
    }

    pub(super) fn insert(&self, session: &EndedSession) {
        let key = self.key(&session.owner_id, session.session_id);
        let until = session.keep_until.seconds().saturating_add(1);
        let entry = pack_entry(until, session.reason);
        let mut kept = self.shard_of(session.session_id).kept.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = kept.sessions.get_mut(&key) {
            *known = prolonged(*known, entry);
        } else if kept.sessions.len() < self.capacity.sessions {
            kept.sessions.insert(key, entry);
        } else {
            kept.overflown_until = kept.overflown_until.max(until);
            self.tell_overflow();
        }
    }

    pub(super) fn insert_marks(&self, marks: &[NotBefore]) {
        self.tenants.insert(marks.iter());
        for mark in marks {
            let Scope::User(user_id) = &mark.scope else { continue };
            if mark.not_before == Timestamp(0) {
                // It refuses nothing: the user's row has changed.
                continue;
            }
            let hash = self.user_hash(&mark.owner_id, user_id);
            let packed = pack(mark.not_before, mark.reason);
            let mut kept = self.shard_of_hash(hash).kept.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) = kept.users.get_mut(&hash) {
                *known = (*known).max(packed);
            } else if kept.users.len() < self.capacity.users {
                kept.users.insert(hash, packed);
            } else {
                kept.overflown_until = kept.overflown_until.max(mark.not_before.plus(USER_MARK_LIFETIME).seconds());
                self.tell_overflow();
            }
        }
    }

    fn tell_overflow(&self) {
        if !self.overflow_told.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                sessions = self.capacity.sessions * SHARDS,
                "more sessions have ended than --revocation-memory has room for; some verifications ask the database until they have expired"
            );
        }
    }

    /// Forgets what no access token can need any more.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        // First: whoever finds nothing any more must find this.
        self.forgotten_before.fetch_max(now.seconds(), Ordering::AcqRel);
        let users_since = pack(now.minus(USER_MARK_LIFETIME), EndReason::LoggedOut);
        let mut overflown = false;
        for shard in &self.shards {
            let mut kept = shard.kept.write().unwrap_or_else(PoisonError::into_inner);
            kept.sessions.retain(|_, entry| expiry_of(*entry) > now.seconds());
            kept.users.retain(|_, mark| *mark >= users_since);
            if kept.overflown_until <= now.seconds() {
                kept.overflown_until = 0;
            }
            overflown |= kept.overflown_until != 0;
        }
        self.overflow_told.fetch_and(overflown, Ordering::Relaxed);
    }

    fn key(&self, owner_id: &OwnerId, session_id: SessionId) -> Key {
        key_of(self.hash(owner_id.as_str()), session_id)
    }

    fn user_hash(&self, owner_id: &OwnerId, user_id: &UserId) -> u64 {
        self.hash((owner_id.as_str(), user_id.as_str()))
    }

    fn hash(&self, of: impl Hash) -> u64 {
        self.hasher.hash_one(of)
    }

    /// The low bits of a session id are random.
    fn shard_of(&self, session_id: SessionId) -> &Shard {
        self.shard_of_hash(session_id.number().cast_unsigned())
    }

    fn shard_of_hash(&self, hash: u64) -> &Shard {
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests;
