//! The cache in front of the database: one meaning, three engines, keys tied to the type of their value. A miss means
//! "unknown, ask the database", never "there is none". A refill that was overtaken by an invalidation is refused.

pub(crate) mod front;
pub(crate) mod key;
mod local;
mod redis;
mod refill;
mod sqlite;
mod stored;

use std::any::Any;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::time::{Clock, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::SqlitePool;

pub use self::front::{Looked, Place};
pub use self::local::LocalCache;
pub use self::redis::RedisCache;
pub use self::refill::{Lookup, Refill};
pub use self::sqlite::SqliteCache;

use self::stored::Stored;
use crate::failpoint::{self, Guard};
use crate::record::EndedSession;
use crate::{Error, RedisConnection};

/// The purpose whose values belong to the user whose id is their own: they leave when a session of that user ends.
pub const USER_PURPOSE: &str = "user";

/// How long the flag of [`Cache::take_login_flag`] waits for a login: longer than any profile stays cached.
const LOGIN_FLAG_LIFETIME: Duration = Duration::from_hours(24);

/// A kind of value that is cached: what its keys look like, and how long it stays.
pub trait Cached {
    /// The first part of its keys; no two kinds share one.
    const PURPOSE: &'static str;
    /// How long a value is served.
    const LIFETIME: Duration;
    /// What tells the values of one tenant apart.
    type Id: Display + ?Sized;
    /// The value.
    type Value: Serialize + DeserializeOwned + Any + Send + Sync;
}

/// A value from the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit<V> {
    /// The value, which memory may hold too.
    pub value: Arc<V>,
    /// When it was read from the database.
    pub fetched_at: Timestamp,
}

/// Which engine serves: the `cacheType` of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheKind {
    /// Redis, shared by all nodes.
    Redis,
    /// A table of the embedded database.
    Sqlite,
    /// This process's memory.
    Local,
}

impl CacheKind {
    /// `redis`, `sqlite` or `local`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
            Self::Local => "local",
        }
    }
}

/// The cache. Every operation fails with [`Error::CacheUnavailable`] alone, and only where the engine does not answer;
/// a value that cannot be read is a miss, and removed.
#[derive(Debug, Clone)]
pub enum Cache {
    /// Redis or Redis Cluster.
    Redis(RedisCache),
    /// The table `bo_cache`.
    Sqlite(SqliteCache),
    /// Memory.
    Local(LocalCache),
}

/// Calls the same function of whichever engine it is.
macro_rules! on {
    ($cache:expr, $engine:ident => $call:expr) => {
        match $cache {
            Cache::Redis($engine) => $call.await,
            Cache::Sqlite($engine) => $call.await,
            Cache::Local($engine) => Ok($call),
        }
    };
}

impl Cache {
    /// Keeps values in Redis.
    pub fn redis(connection: RedisConnection) -> Self {
        Self::Redis(RedisCache::new(connection))
    }

    /// Keeps values in the table `bo_cache`.
    pub fn sqlite(read: SqlitePool, write: SqlitePool, clock: Arc<dyn Clock>) -> Self {
        Self::Sqlite(SqliteCache::new(read, write, clock))
    }

    /// Keeps values in memory, at most so many bytes of them; the least recently used give way.
    pub fn local(capacity_bytes: u64, clock: Arc<dyn Clock>) -> Self {
        Self::Local(LocalCache::new(capacity_bytes, clock))
    }

    /// Which engine this is.
    pub const fn kind(&self) -> CacheKind {
        match self {
            Self::Redis(_) => CacheKind::Redis,
            Self::Sqlite(_) => CacheKind::Sqlite,
            Self::Local(_) => CacheKind::Local,
        }
    }

    /// The value, if it is cached and not too old.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn get<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id) -> Result<Option<Hit<V::Value>>, Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        let found = on!(self, engine => engine.read(&key))?;
        self.hit(&key, found).await
    }

    /// The value, or leave to put it there once it has been read from the database.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn lookup<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id) -> Result<Lookup<V>, Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        // Memory decodes a value once, not for every reader; and most lookups hit.
        if let Self::Local(engine) = self
            && let Some(hit) = engine.read_decoded(&key)
        {
            return Ok(Lookup::Hit(hit));
        }
        let lease = stored::new_lease();
        let found = on!(self, engine => engine.read_or_lease(&key, &lease))?;
        match Stored::decode(&found) {
            Some(Stored::Value { value, fetched_at }) => Ok(Lookup::Hit(Hit { value: Arc::new(value), fetched_at })),
            Some(Stored::Lease) => Ok(Lookup::Miss(Refill::new(key, found))),
            None => {
                on!(self, engine => engine.write(&key, &lease, refill::LEASE_LIFETIME))?;
                Ok(Lookup::Miss(Refill::new(key, lease)))
            }
        }
    }

    /// Drops the value and gives leave to put a new one there: for a reader that must not take what is cached.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn begin_refill<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id) -> Result<Refill<V>, Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        let lease = stored::new_lease();
        on!(self, engine => engine.write(&key, &lease, refill::LEASE_LIFETIME))?;
        Ok(Refill::new(key, lease))
    }

    /// Puts a value that was read from the database after the leave had been given. False, and nothing changes, where
    /// the key was removed, written or lost since: the value could be older than that.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn refill<V: Cached>(&self, refill: Refill<V>, value: &V::Value, fetched_at: Timestamp) -> Result<bool, Error> {
        let Some(bytes) = stored::encode(value, fetched_at) else { return Ok(false) };
        let (key, lease) = refill.into_parts();
        failpoint::reach("refill.read").await;
        if failpoint::left_out(Guard::RefillLease) {
            on!(self, engine => engine.write(&key, &bytes, V::LIFETIME))?;
            return Ok(true);
        }
        on!(self, engine => engine.replace(&key, &lease, &bytes, V::LIFETIME))
    }

    /// Puts a value whatever is there. For values that the cache alone holds; what mirrors the database goes through
    /// [`Cache::lookup`] and [`Cache::refill`].
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn put<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id, value: &V::Value, fetched_at: Timestamp) -> Result<(), Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        match stored::encode(value, fetched_at) {
            Some(bytes) => on!(self, engine => engine.write(&key, &bytes, V::LIFETIME)),
            // What cannot be written must not leave its predecessor behind.
            None => on!(self, engine => engine.remove(&key)),
        }
    }

    /// Removes a value, and refuses the refills that are under way.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn remove<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id) -> Result<(), Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        on!(self, engine => engine.remove(&key))
    }

    /// Removes a value and returns it: of many callers at once, one gets it.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn take<V: Cached>(&self, owner_id: &OwnerId, id: &V::Id) -> Result<Option<Hit<V::Value>>, Error> {
        let key = key::value(owner_id, V::PURPOSE, id);
        let found = on!(self, engine => engine.take(&key))?;
        Ok(found.and_then(|bytes| match Stored::decode(&bytes) {
            Some(Stored::Value { value, fetched_at }) => Some(Hit { value: Arc::new(value), fetched_at }),
            Some(Stored::Lease) | None => None,
        }))
    }

    /// Adds one to a counter and returns it. The counter begins at zero, and again when `lifetime` has passed since
    /// its first increase.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn increase(&self, owner_id: &OwnerId, counter: &str, lifetime: Duration) -> Result<u64, Error> {
        let key = key::counter(owner_id, counter);
        on!(self, engine => engine.increase(&key, lifetime))
    }

    /// How far a counter has come.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn counter(&self, owner_id: &OwnerId, counter: &str) -> Result<u64, Error> {
        let key = key::counter(owner_id, counter);
        let found = on!(self, engine => engine.read(&key))?;
        Ok(found.and_then(|bytes| stored::decode_count(&bytes)).unwrap_or(0))
    }

    /// Sets a counter back to zero.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn reset(&self, owner_id: &OwnerId, counter: &str) -> Result<(), Error> {
        let key = key::counter(owner_id, counter);
        on!(self, engine => engine.remove(&key))
    }

    /// Takes what belongs to the users of ended sessions out of the cache and sets their login flags, in one round
    /// trip for all of them (one for each tenant on a Redis Cluster). Repeating it does no harm.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`]; some of it may have been done.
    pub async fn sessions_ended(&self, ended: &[EndedSession]) -> Result<(), Error> {
        let mut users: Vec<(&OwnerId, &UserId)> = ended.iter().map(|session| (&session.owner_id, &session.user_id)).collect();
        users.sort_unstable();
        users.dedup();
        let removals: Vec<key::UserKeys> = users.into_iter().map(|(owner_id, user_id)| key::UserKeys::new(owner_id, user_id)).collect();
        if removals.is_empty() {
            return Ok(());
        }
        on!(self, engine => engine.users_left(&removals, LOGIN_FLAG_LIFETIME))
    }

    /// Whether a session of the user has ended since the flag was last taken: the login that takes it reads the user
    /// from the database. Of many logins at once, one gets it.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn take_login_flag(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<bool, Error> {
        let key = key::login_flag(owner_id, user_id);
        Ok(on!(self, engine => engine.take(&key))?.is_some())
    }

    /// Gives back the space of what has expired. Expired values are never served, with or without this; Redis does it
    /// by itself.
    ///
    /// # Errors
    /// [`Error::CacheUnavailable`].
    pub async fn forget_expired(&self) -> Result<(), Error> {
        match self {
            Self::Redis(_) => Ok(()),
            Self::Sqlite(engine) => engine.forget_expired().await,
            Self::Local(engine) => {
                engine.forget_expired();
                Ok(())
            }
        }
    }

    /// Reads what was found; a value that cannot be read makes room.
    async fn hit<V: DeserializeOwned>(&self, key: &str, found: Option<Vec<u8>>) -> Result<Option<Hit<V>>, Error> {
        let Some(bytes) = found else { return Ok(None) };
        match Stored::decode(&bytes) {
            Some(Stored::Value { value, fetched_at }) => Ok(Some(Hit { value: Arc::new(value), fetched_at })),
            Some(Stored::Lease) => Ok(None),
            None => {
                on!(self, engine => engine.remove(key))?;
                Ok(None)
            }
        }
    }
}

#[cfg(test)]
mod conformance;
