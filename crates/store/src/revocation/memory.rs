//! The ended sessions themselves: a few bytes for each, spread over many locks, and forgotten only when the last access
//! token of a session has expired.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use crate::record::EndedSession;
use crate::{Db, Error};

/// Sessions are spread over so many locks, so that readers of one do not wait for writers of another.
const SHARDS: usize = 64;

/// How many rows are read at a time when the memory is filled.
const PAGE: i64 = 5_000;

/// How far a reload looks back behind the newest end it knows: an end is written with the instant at which its request
/// began, by the clock of the node that had it, and committed a little later.
const OVERLAP: Duration = Duration::from_mins(6);

/// Before any session.
const BEGINNING: Timestamp = Timestamp(i64::MIN / 2);

/// A tenant's session: the tenant as a hash, so that an entry has a fixed size.
type Key = (u64, SessionId);

/// When it may be forgotten (Unix seconds), and why it ended.
type Entry = (u32, u8);

/// The ended sessions of all tenants.
pub(super) struct Memory {
    shards: Vec<RwLock<HashMap<Key, Entry>>>,
    owners: RandomState,
    /// The newest end that a reload has seen.
    seen: RwLock<Timestamp>,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            owners: RandomState::new(),
            seen: RwLock::new(BEGINNING),
        }
    }

    pub(super) fn find(&self, owner_id: &OwnerId, session_id: SessionId) -> Option<EndReason> {
        let key = self.key(owner_id, session_id);
        let shard = self.shard(&key).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(&key).and_then(|(_, reason)| EndReason::from_number(i32::from(*reason)))
    }

    pub(super) fn insert(&self, session: &EndedSession) {
        let key = self.key(&session.owner_id, session.session_id);
        let reason = u8::try_from(session.reason.number()).unwrap_or(u8::MAX);
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.entry(key).or_insert((0, reason));
        entry.0 = entry.0.max(seconds(session.keep_until).saturating_add(1));
    }

    /// Reads all ended sessions that matter at first, then those since the last time.
    pub(super) async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let since = self.seen.read().unwrap_or_else(PoisonError::into_inner).minus(OVERLAP);
        self.reload_since(db, now, since).await
    }

    /// Reads all ended sessions that matter, whatever was read before: nodes whose clocks differ may have written them.
    pub(super) async fn reload_all(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        self.reload_since(db, now, BEGINNING).await
    }

    async fn reload_since(&self, db: &Db, now: Timestamp, since: Timestamp) -> Result<(), Error> {
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
        *self.seen.write().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(())
    }

    /// Forgets sessions whose access tokens have all expired.
    pub(super) fn forget_expired(&self, now: Timestamp) {
        let now = seconds(now);
        for shard in &self.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|_, (keep_until, _)| *keep_until > now);
        }
    }

    /// How many sessions it holds.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    fn key(&self, owner_id: &OwnerId, session_id: SessionId) -> Key {
        (self.owners.hash_one(owner_id.as_str()), session_id)
    }

    fn shard(&self, key: &Key) -> &RwLock<HashMap<Key, Entry>> {
        // The low bits of a session id are random.
        let position = usize::try_from(key.1.number().unsigned_abs() % SHARDS as u64).unwrap_or(0);
        &self.shards[position]
    }
}

fn seconds(instant: Timestamp) -> u32 {
    u32::try_from(instant.seconds().max(0)).unwrap_or(u32::MAX)
}
