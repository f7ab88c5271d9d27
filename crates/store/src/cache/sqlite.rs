//! The cache in the table `bo_cache` of the embedded database: one row a key, one statement an operation, so that
//! SQLite's single writer makes each of them atomic.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::time::{Clock, Timestamp};
use sqlx::SqlitePool;

use super::key::UserKeys;
use super::refill::LEASE_LIFETIME;
use super::stored;
use crate::Error;

/// The engine in SQLite.
#[derive(Clone)]
pub struct SqliteCache {
    read: SqlitePool,
    write: SqlitePool,
    clock: Arc<dyn Clock>,
}

impl SqliteCache {
    pub(super) fn new(read: SqlitePool, write: SqlitePool, clock: Arc<dyn Clock>) -> Self {
        Self { read, write, clock }
    }

    pub(super) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar("SELECT value FROM bo_cache WHERE key = $1 AND expires_at > $2")
            .bind(key)
            .bind(self.now().millis())
            .fetch_optional(&self.read)
            .await
            .map_err(unavailable)
    }

    pub(super) async fn read_or_lease(&self, key: &str, lease: &[u8]) -> Result<Vec<u8>, Error> {
        // Most lookups hit, and reading does not wait for the writer.
        if let Some(bytes) = self.read(key).await?
            && bytes.first() == Some(&b'V')
        {
            return Ok(bytes);
        }
        // A live value stays as it is; a live lease stays and lasts for the newest reader; anything else gives way.
        sqlx::query_scalar(
            "INSERT INTO bo_cache (key, value, expires_at) VALUES ($1, $2, $3) ON CONFLICT (key) DO UPDATE SET \
             value = CASE WHEN bo_cache.expires_at > $4 THEN bo_cache.value ELSE excluded.value END, \
             expires_at = CASE WHEN bo_cache.expires_at > $4 AND substr(bo_cache.value, 1, 1) <> x'4c' \
             THEN bo_cache.expires_at ELSE excluded.expires_at END RETURNING value",
        )
        .bind(key)
        .bind(lease)
        .bind(self.now().plus(LEASE_LIFETIME).millis())
        .bind(self.now().millis())
        .fetch_one(&self.write)
        .await
        .map_err(unavailable)
    }

    pub(super) async fn write(&self, key: &str, bytes: &[u8], lifetime: Duration) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_cache (key, value, expires_at) VALUES ($1, $2, $3) \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
        )
        .bind(key)
        .bind(bytes)
        .bind(self.now().plus(lifetime).millis())
        .execute(&self.write)
        .await
        .map_err(unavailable)?;
        Ok(())
    }

    pub(super) async fn replace(&self, key: &str, lease: &[u8], bytes: &[u8], lifetime: Duration) -> Result<bool, Error> {
        let now = self.now();
        let changed = sqlx::query("UPDATE bo_cache SET value = $1, expires_at = $2 WHERE key = $3 AND value = $4 AND expires_at > $5")
            .bind(bytes)
            .bind(now.plus(lifetime).millis())
            .bind(key)
            .bind(lease)
            .bind(now.millis())
            .execute(&self.write)
            .await
            .map_err(unavailable)?;
        Ok(changed.rows_affected() == 1)
    }

    pub(super) async fn remove(&self, key: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM bo_cache WHERE key = $1").bind(key).execute(&self.write).await.map_err(unavailable)?;
        Ok(())
    }

    pub(super) async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        sqlx::query_scalar("DELETE FROM bo_cache WHERE key = $1 AND expires_at > $2 RETURNING value")
            .bind(key)
            .bind(self.now().millis())
            .fetch_optional(&self.write)
            .await
            .map_err(unavailable)
    }

    pub(super) async fn increase(&self, key: &str, lifetime: Duration) -> Result<u64, Error> {
        let now = self.now();
        // A row that has expired, or holds no number, begins anew.
        let count: Vec<u8> = sqlx::query_scalar(
            "INSERT INTO bo_cache (key, value, expires_at) VALUES ($1, x'31', $2) ON CONFLICT (key) DO UPDATE SET \
             value = CASE WHEN bo_cache.expires_at > $3 THEN CAST(CAST(CAST(bo_cache.value AS INTEGER) + 1 AS TEXT) AS BLOB) \
             ELSE excluded.value END, \
             expires_at = CASE WHEN bo_cache.expires_at > $3 THEN bo_cache.expires_at ELSE excluded.expires_at END RETURNING value",
        )
        .bind(key)
        .bind(now.plus(lifetime).millis())
        .bind(now.millis())
        .fetch_one(&self.write)
        .await
        .map_err(unavailable)?;
        Ok(stored::decode_count(&count).unwrap_or(1))
    }

    /// Two statements for all users, in one transaction.
    pub(super) async fn users_left(&self, users: &[UserKeys], flag_lifetime: Duration) -> Result<(), Error> {
        let profiles = json_list(users.iter().map(|user| user.profile.as_str()));
        let flags = json_list(users.iter().map(|user| user.login_flag.as_str()));
        let mut transaction = self.write.begin_with("BEGIN IMMEDIATE").await.map_err(unavailable)?;
        sqlx::query("DELETE FROM bo_cache WHERE key IN (SELECT value FROM json_each($1))")
            .bind(profiles)
            .execute(&mut *transaction)
            .await
            .map_err(unavailable)?;
        sqlx::query(
            "INSERT INTO bo_cache (key, value, expires_at) SELECT value, x'31', $2 FROM json_each($1) WHERE true \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
        )
        .bind(flags)
        .bind(self.now().plus(flag_lifetime).millis())
        .execute(&mut *transaction)
        .await
        .map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)
    }

    pub(super) async fn forget_expired(&self) -> Result<(), Error> {
        let now = self.now().millis();
        sqlx::query("DELETE FROM bo_cache WHERE expires_at <= $1").bind(now).execute(&self.write).await.map_err(unavailable)?;
        Ok(())
    }

    #[cfg(test)]
    pub(super) async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for SqliteCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SqliteCache").finish_non_exhaustive()
    }
}

fn json_list<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    serde_json::Value::from(texts.collect::<Vec<_>>()).to_string()
}

/// Whatever keeps the table from answering, to the caller the cache is away and the database's truth is asked next.
fn unavailable(error: sqlx::Error) -> Error {
    Error::CacheUnavailable(redis::RedisError::from(std::io::Error::other(error)))
}
