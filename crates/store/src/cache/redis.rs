//! The cache in Redis: expiry and atomicity are Redis's own. Scripts touch keys of one tenant only, so that they run
//! on a Redis Cluster as well.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::{Pipeline, Script, cmd};

use super::key::UserKeys;
use super::refill::LEASE_LIFETIME;
use crate::{Error, RedisConnection};

/// Returns what is there, or puts the lease. Sharing a lease makes it last for the newest reader.
const READ_OR_LEASE: &str = r"
local found = redis.call('GET', KEYS[1])
if not found then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return ARGV[1]
end
if string.sub(found, 1, 1) == 'L' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return found";

/// Puts the value where the lease still stands.
const REPLACE: &str = r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1";

/// Adds one; what is not a number counts as nothing.
const INCREASE: &str = r"
local count = tonumber(redis.call('GET', KEYS[1]) or '') or 0
if count == 0 then
  redis.call('SET', KEYS[1], 1, 'PX', ARGV[1])
  return 1
end
redis.call('SET', KEYS[1], string.format('%.0f', count + 1), 'KEEPTTL')
return count + 1";

/// The engine for Redis and Redis Cluster.
#[derive(Clone)]
pub struct RedisCache {
    connection: RedisConnection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    read_or_lease: Script,
    replace: Script,
    increase: Script,
}

impl RedisCache {
    pub(super) fn new(connection: RedisConnection) -> Self {
        let scripts = Scripts { read_or_lease: Script::new(READ_OR_LEASE), replace: Script::new(REPLACE), increase: Script::new(INCREASE) };
        // A miss is an answer too, and the database has a better one than a Redis that does not answer.
        Self { connection: connection.hurried(), scripts: Arc::new(scripts) }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(cmd("GET").arg(key).query_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn read_or_lease(&self, key: &str, lease: &[u8]) -> Result<Vec<u8>, Error> {
        let mut call = self.scripts.read_or_lease.key(key);
        Ok(call.arg(lease).arg(millis(LEASE_LIFETIME)).invoke_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn write(&self, key: &str, bytes: &[u8], lifetime: Duration) -> Result<(), Error> {
        Ok(cmd("SET").arg(key).arg(bytes).arg("PX").arg(millis(lifetime)).query_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn replace(&self, key: &str, lease: &[u8], bytes: &[u8], lifetime: Duration) -> Result<bool, Error> {
        let mut call = self.scripts.replace.key(key);
        Ok(call.arg(lease).arg(bytes).arg(millis(lifetime)).invoke_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), Error> {
        Ok(cmd("DEL").arg(key).query_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(cmd("GETDEL").arg(key).query_async(&mut self.connection.clone()).await?)
    }

    pub(super) async fn increase(&self, key: &str, lifetime: Duration) -> Result<u64, Error> {
        Ok(self.scripts.increase.key(key).arg(millis(lifetime)).invoke_async(&mut self.connection.clone()).await?)
    }

    /// One pipeline where there is one server; on a cluster one for each tenant, since a pipeline goes to one slot.
    pub(super) async fn users_left(&self, users: &[UserKeys], flag_lifetime: Duration) -> Result<(), Error> {
        if self.connection.is_cluster() {
            // The caller has sorted by tenant.
            let tenants = users.chunk_by(|one, next| one.owner_id == next.owner_id);
            futures_util::future::try_join_all(tenants.map(|users| self.users_of_one_slot_left(users, flag_lifetime))).await?;
            Ok(())
        } else {
            self.users_of_one_slot_left(users, flag_lifetime).await
        }
    }

    async fn users_of_one_slot_left(&self, users: &[UserKeys], flag_lifetime: Duration) -> Result<(), Error> {
        let mut pipeline = Pipeline::with_capacity(users.len() * 2);
        for user in users {
            pipeline.cmd("DEL").arg(&user.profile).ignore();
            pipeline.cmd("SET").arg(&user.login_flag).arg("1").arg("PX").arg(millis(flag_lifetime)).ignore();
        }
        Ok(pipeline.query_async(&mut self.connection.clone()).await?)
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RedisCache").field("connection", &self.connection).finish_non_exhaustive()
    }
}

/// A lifetime as Redis takes it; it refuses zero.
fn millis(lifetime: Duration) -> u64 {
    u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1)
}
