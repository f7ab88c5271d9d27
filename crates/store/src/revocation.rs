//! Which sessions have ended, so that a request can be refused without asking anyone: kept in memory until the last
//! access token of a session has expired, and never given up before. With several nodes and no word from the others,
//! the database is asked instead: slower, still right.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, PoisonError, RwLock};
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
/// began, and committed a little later.
const OVERLAP: Duration = Duration::from_mins(2);

/// A tenant's session: the tenant as a hash, so that an entry has a fixed size.
type Key = (u64, SessionId);

/// When it may be forgotten (Unix seconds), and why it ended.
type Entry = (u32, u8);

/// The ended sessions of all tenants.
#[derive(Clone)]
pub struct Revocations {
    memory: Arc<Memory>,
    /// Set where other nodes end sessions too: the memory alone does not know.
    ask: Option<Db>,
}

struct Memory {
    shards: Vec<RwLock<HashMap<Key, Entry>>>,
    owners: RandomState,
    /// The newest end that a reload has seen.
    seen: RwLock<Timestamp>,
}

impl Revocations {
    /// For a single node: what is not in memory has not ended.
    pub fn alone() -> Self {
        Self { memory: Arc::new(Memory::new()), ask: None }
    }

    /// For one node of several: what is not in memory is asked of the database.
    pub fn among_many(db: Db) -> Self {
        Self { memory: Arc::new(Memory::new()), ask: Some(db) }
    }

    /// Why the session ended, if it has.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`] where the database must be asked and does not answer: unknown is not "alive".
    pub async fn end_reason(&self, owner_id: &OwnerId, session_id: SessionId) -> Result<Option<EndReason>, Error> {
        if let Some(reason) = self.memory.find(owner_id, session_id) {
            return Ok(Some(reason));
        }
        let Some(db) = &self.ask else { return Ok(None) };
        match db.find_session(owner_id, session_id).await? {
            Some(session) => Ok(session.ended.map(|(_, reason)| reason)),
            // A row is removed only long after its session's end.
            None => Ok(Some(EndReason::Expired)),
        }
    }

    /// Refuses these sessions from now on, on every node. The caller has committed their end.
    ///
    /// # Errors
    /// None for a single node.
    #[expect(clippy::unused_async, reason = "announcing to other nodes waits for them; callers must not depend on it being immediate")]
    pub async fn announce(&self, ended: &[EndedSession]) -> Result<(), Error> {
        for session in ended {
            self.memory.insert(session);
        }
        Ok(())
    }

    /// Reads from the database which sessions have ended and could still have a live access token: all of them at
    /// first, then those since the last time.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn reload(&self, db: &Db, now: Timestamp) -> Result<(), Error> {
        let since = self.memory.seen.read().unwrap_or_else(PoisonError::into_inner).minus(OVERLAP);
        let mut newest = since;
        let mut after = None;
        loop {
            let mut page = db.list_ended_sessions(now, since, after.as_ref(), PAGE).await?;
            for session in &page {
                self.memory.insert(session);
                newest = newest.max(session.ended_at);
            }
            let is_last = i64::try_from(page.len()).unwrap_or(PAGE) < PAGE;
            after = page.pop();
            if is_last {
                break;
            }
        }
        *self.memory.seen.write().unwrap_or_else(PoisonError::into_inner) = newest;
        Ok(())
    }

    /// Forgets sessions whose access tokens have all expired.
    pub fn forget_expired(&self, now: Timestamp) {
        let now = seconds(now);
        for shard in &self.memory.shards {
            shard.write().unwrap_or_else(PoisonError::into_inner).retain(|_, (keep_until, _)| *keep_until > now);
        }
    }

    /// How many ended sessions are in memory.
    pub fn len(&self) -> usize {
        self.memory.shards.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// Whether no ended session is in memory.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Memory {
    fn new() -> Self {
        Self {
            shards: std::iter::repeat_with(RwLock::default).take(SHARDS).collect(),
            owners: RandomState::new(),
            seen: RwLock::new(Timestamp(i64::MIN / 2)),
        }
    }

    fn find(&self, owner_id: &OwnerId, session_id: SessionId) -> Option<EndReason> {
        let key = self.key(owner_id, session_id);
        let shard = self.shard(&key).read().unwrap_or_else(PoisonError::into_inner);
        shard.get(&key).and_then(|(_, reason)| EndReason::from_number(i32::from(*reason)))
    }

    fn insert(&self, session: &EndedSession) {
        let key = self.key(&session.owner_id, session.session_id);
        let reason = u8::try_from(session.reason.number()).unwrap_or(u8::MAX);
        let mut shard = self.shard(&key).write().unwrap_or_else(PoisonError::into_inner);
        let entry = shard.entry(key).or_insert((0, reason));
        entry.0 = entry.0.max(seconds(session.keep_until).saturating_add(1));
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
