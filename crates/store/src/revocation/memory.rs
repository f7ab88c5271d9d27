//! The ended sessions themselves, and the marks of users: a few bytes for each, spread over many locks, and forgotten only
//! when the last access token that they refuse has expired. What does not fit is not forgotten either: whoever asks for
//! something of a part that has overflowed is told so, and must ask the database.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use super::tenants::{Mark, Tenants, later};
use crate::cache::front::Front;
use crate::record::{EndedSession, NotBefore, Scope};
use crate::{Db, Error};

/// Entries are spread over so many locks, so that readers of one do not wait for writers of another.
const SHARDS: usize = 64;

/// How many rows are read at a time when the memory is filled.
const PAGE: i64 = 5_000;

/// How far a reload looks back behind the newest end it knows: an end is written with the instant at which its request
/// began, by the clock of the node that had it, and committed a little later.
const OVERLAP: Duration = Duration::from_mins(6);

/// How long a user's mark is kept: the longest lifetime that an access token can have (`accessTokenSeconds` is at most a
/// day), and what clocks may differ by. A refresh asks the database, which never forgets a mark.
const USER_MARK_LIFETIME: Duration = Duration::from_mins(24 * 60 + 10);

/// How far a request may be behind the latest forgetting: less than a session is kept beyond its last access token.
const CLOCK_SLACK: Duration = Duration::from_secs(30);

/// Before any session.
const BEGINNING: Timestamp = Timestamp(i64::MIN / 2);

/// Seconds from the epoch to the instant from which on entries count their lifetime: 2020-01-01T00:00:00Z.
const ORIGIN: i64 = 1_577_836_800;

/// The unit of an entry's lifetime, in seconds, and how many bits of an entry it leaves for the reason.
const UNIT: i64 = 16;
const REASON_BITS: u32 = 5;

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

/// A tenant's session: the tenant as a 64-bit hash, so that an entry has a fixed size, and both in halves, so that it has
/// no padding.
type Key = [u32; 4];

/// When it may be forgotten, in units after the origin, and why it ended: 20 bytes with the key.
type Entry = u32;

/// A user's mark: milliseconds, and the reason in the low byte. The key is a hash of tenant and user under a secret of this
/// process; 16 bytes together.
type UserMark = u64;

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

/// How many entries of each kind a shard takes.
#[derive(Clone, Copy)]
struct Capacity {
    sessions: usize,
    users: usize,
}

impl Capacity {
    /// Four fifths of the bytes are for sessions. A table has a power of two of slots, each with a byte of its own, and is
    /// seven eighths full at most.
    fn of(bytes: usize) -> Self {
        let shard = bytes / SHARDS;
        let within = |bytes: usize, entry: usize| {
            let slots = (bytes / (entry + 1)).max(16);
            (1usize << slots.ilog2()) / 8 * 7
        };
        Self { sessions: within(shard / 5 * 4, SESSION_BYTES), users: within(shard / 5, USER_BYTES) }
    }
}

/// Bytes of an entry, before the table's own.
pub(super) const SESSION_BYTES: usize = size_of::<(Key, Entry)>();
const USER_BYTES: usize = size_of::<(u64, UserMark)>();
const _: () = assert!(SESSION_BYTES <= 24 && USER_BYTES <= 24, "an entry has at most 24 bytes");

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
    /// The newest end that a reload has seen, and when marks were read last.
    seen: RwLock<(Timestamp, Timestamp)>,
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
            seen: RwLock::new((BEGINNING, BEGINNING)),
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
            // The first reason stands; the longer lifetime counts.
            *known = (*known).max(entry >> REASON_BITS << REASON_BITS | *known & REASON_MASK);
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

    /// Reads all ended sessions and marks that matter at first, then those since the last time.
    pub(super) async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let (ended, marked) = *self.seen.read().unwrap_or_else(PoisonError::into_inner);
        self.reload_since(db, now, ended.minus(OVERLAP), marked.minus(OVERLAP)).await
    }

    /// Reads all that matters, whatever was read before: nodes whose clocks differ may have written it.
    pub(super) async fn reload_all(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        self.reload_since(db, now, BEGINNING, BEGINNING).await?;
        self.forgotten_before.store(now.seconds(), Ordering::Release);
        Ok(())
    }

    async fn reload_since(&self, db: &Db, now: Timestamp, since: Timestamp, marked_since: Timestamp) -> Result<(), Error> {
        self.forgotten_before.fetch_max(now.seconds(), Ordering::AcqRel);
        self.reload_marks(db, now, marked_since).await?;
        let mut newest = since;
        let mut after = None;
        loop {
            let mut page = db.list_ended_sessions(now, since, after.as_ref(), PAGE).await?;
            for session in &page {
                self.insert(session);
                newest = newest.max(session.ended_at);
            }
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                break;
            }
        }
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = (newest, now);
        Ok(())
    }

    async fn reload_marks(&self, db: &Db, now: Timestamp, since: Timestamp) -> Result<(), Error> {
        self.insert_marks(&db.list_tenant_marks(since).await?);
        self.insert_marks(&db.list_system_marks(since).await?);
        let since = since.max(now.minus(USER_MARK_LIFETIME + OVERLAP));
        let mut after = None;
        loop {
            let mut page = db.list_user_marks(since, after.as_ref(), PAGE).await?;
            self.insert_marks(&page);
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                return Ok(());
            }
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

    /// What it holds, and what that takes.
    pub(super) fn usage(&self) -> MemoryUsage {
        let mut usage = MemoryUsage { tenants: self.tenants.len(), ..MemoryUsage::default() };
        for shard in &self.shards {
            usage.answers += shard.answers.load(Ordering::Relaxed);
            let kept = shard.kept.read().unwrap_or_else(PoisonError::into_inner);
            usage.sessions += kept.sessions.len();
            usage.users += kept.users.len();
            usage.bytes +=
                size_of::<Shard>() + table_bytes(kept.sessions.capacity(), SESSION_BYTES) + table_bytes(kept.users.capacity(), USER_BYTES);
            usage.overflown_parts += usize::from(kept.overflown_until != 0);
        }
        usage
    }

    fn key(&self, owner_id: &OwnerId, session_id: SessionId) -> Key {
        let (owner, session) = (self.hash(owner_id.as_str()), session_id.number().cast_unsigned());
        [high(owner), low(owner), high(session), low(session)]
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

/// What the memory of ended sessions holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// Ended sessions.
    pub sessions: usize,
    /// Marks of users.
    pub users: usize,
    /// Tenants with a mark or a revision.
    pub tenants: usize,
    /// Bytes of the tables of sessions and users, empty slots included.
    pub bytes: usize,
    /// Parts, of 64, in which something did not fit and the database is asked.
    pub overflown_parts: usize,
    /// Questions that were answered here.
    pub answers: u64,
}

const REASON_MASK: u32 = (1 << REASON_BITS) - 1;

/// The lifetime is rounded up.
fn pack_entry(until: i64, reason: EndReason) -> Entry {
    let units = (until - ORIGIN).max(0).saturating_add(UNIT - 1) / UNIT;
    let units = u32::try_from(units).unwrap_or(u32::MAX).min(u32::MAX >> REASON_BITS);
    units << REASON_BITS | number(reason)
}

fn expiry_of(entry: Entry) -> i64 {
    ORIGIN + i64::from(entry >> REASON_BITS) * UNIT
}

fn reason_of(entry: Entry) -> EndReason {
    reason(entry & REASON_MASK)
}

fn pack(not_before: Timestamp, reason: EndReason) -> UserMark {
    not_before.millis().max(0).cast_unsigned() << 8 | u64::from(number(reason))
}

fn unpack(mark: UserMark) -> Mark {
    (Timestamp((mark >> 8).cast_signed()), reason(low(mark) & 0xff))
}

fn number(reason: EndReason) -> u32 {
    u32::try_from(reason.number()).unwrap_or(0)
}

fn reason(number: u32) -> EndReason {
    i32::try_from(number).ok().and_then(EndReason::from_number).unwrap_or(EndReason::Kicked)
}

fn high(number: u64) -> u32 {
    u32::try_from(number >> 32).unwrap_or(0)
}

fn low(number: u64) -> u32 {
    u32::try_from(number & u64::from(u32::MAX)).unwrap_or(0)
}

/// Bytes of a hash table of this capacity: a power of two of slots, each with a byte of its own.
fn table_bytes(capacity: usize, entry: usize) -> usize {
    if capacity == 0 { 0 } else { (capacity + capacity / 7).next_power_of_two() * (entry + 1) }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
