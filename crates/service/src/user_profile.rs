//! Users' profiles through the cache: where `cacheType` and `cacheDate` come from. What this node remembers in front of a
//! shared cache is of that cache, and says so.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, UserId};
use bo_auth_core::time::Timestamp;
use bo_auth_store::cache::{CacheKind, Cached, Looked, Lookup, Place, Refill, USER_PURPOSE};
use bo_auth_store::record::UserRecord;

use crate::{Error, Service};

/// A user's profile in the cache.
pub(crate) struct CachedUser;

impl Cached for CachedUser {
    const PURPOSE: &'static str = USER_PURPOSE;
    const LIFETIME: Duration = Duration::from_mins(10);
    type Id = str;
    type Value = UserRecord;
}

/// A value that went through the cache, with where and when it was fetched.
#[derive(Debug, Clone)]
pub struct Fetched<T> {
    /// The value, shared with the cache where that is memory.
    pub value: Arc<T>,
    /// Which cache served or took it.
    pub cache_type: CacheKind,
    /// When it was read from the database.
    pub cache_date: Timestamp,
}

impl Service {
    /// The profile of a user: from this node's memory, from the cache, or from the database and then into both.
    pub(crate) async fn find_profile(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<Option<Fetched<UserRecord>>, Error> {
        let place = match self.revocations.recall::<CachedUser>(owner_id, user_id, self.clock.now()) {
            Some(Looked::Found(hit)) => {
                return Ok(Some(Fetched { value: hit.value, cache_type: self.cache.kind(), cache_date: hit.fetched_at }));
            }
            Some(Looked::Vacant(place)) => Some(place),
            None => None,
        };
        let found = self.find_cached_profile(owner_id, user_id).await?;
        self.remember(place, owner_id, found.as_ref());
        Ok(found)
    }

    async fn find_cached_profile(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<Option<Fetched<UserRecord>>, Error> {
        let cache_type = self.cache.kind();
        // A cache that does not answer is a miss: the database is the truth.
        let refill = match self.cache.lookup::<CachedUser>(owner_id, user_id.as_str()).await {
            Ok(Lookup::Hit(hit)) => return Ok(Some(Fetched { value: hit.value, cache_type, cache_date: hit.fetched_at })),
            Ok(Lookup::Miss(refill)) => Some(refill),
            Err(_) => None,
        };
        // The rare way, kept apart so that the common one stays small.
        Box::pin(self.read_profile(refill, owner_id, user_id)).await
    }

    /// The profile that a login shows. After a logout it is read anew (the seed's `login-<userId>`); otherwise the cached
    /// one serves, with its date.
    pub(crate) async fn find_profile_at_login(&self, owner_id: &OwnerId, user_id: &UserId) -> Result<Option<Fetched<UserRecord>>, Error> {
        // Where the cache does not know whether to read anew, reading anew is right.
        if !self.cache.take_login_flag(owner_id, user_id).await.unwrap_or(true) {
            return self.find_profile(owner_id, user_id).await;
        }
        let place = match self.revocations.recall::<CachedUser>(owner_id, user_id, self.clock.now()) {
            Some(Looked::Vacant(place)) => Some(place),
            Some(Looked::Found(_)) | None => None,
        };
        let refill = self.cache.begin_refill::<CachedUser>(owner_id, user_id.as_str()).await.ok();
        let found = self.read_profile(refill, owner_id, user_id).await?;
        self.remember(place, owner_id, found.as_ref());
        Ok(found)
    }

    fn remember(&self, place: Option<Place>, owner_id: &OwnerId, found: Option<&Fetched<UserRecord>>) {
        if let (Some(place), Some(found)) = (place, found) {
            self.revocations.remember::<CachedUser>(place, owner_id, &found.value, found.cache_date);
        }
    }

    async fn read_profile(
        &self,
        refill: Option<Refill<CachedUser>>,
        owner_id: &OwnerId,
        user_id: &UserId,
    ) -> Result<Option<Fetched<UserRecord>>, Error> {
        let cache_date = self.clock.now();
        let Some(value) = self.db.find_user(owner_id, user_id).await? else { return Ok(None) };
        if let Some(refill) = refill
            && let Err(error) = self.cache.refill(refill, &value, cache_date).await
        {
            tracing::debug!(%error, "a profile was not cached");
        }
        Ok(Some(Fetched { value: Arc::new(value), cache_type: self.cache.kind(), cache_date }))
    }
}
