//! Versions of a plugin: rows of `bo_plugin_version`, which never change; the newest are kept.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;

use super::PluginLog;
use crate::Error;
use crate::db::{Db, on, transaction};
use crate::plugin_record::{NewPluginVersion, PluginVersionRecord};
use crate::record::AuditRecord;

#[derive(sqlx::FromRow)]
struct VersionRow {
    version: i64,
    source: String,
    digest: String,
    author: String,
    note: String,
    created_at: i64,
    published_at: Option<i64>,
    switched_off_at: Option<i64>,
}

impl From<VersionRow> for PluginVersionRecord {
    fn from(row: VersionRow) -> Self {
        Self {
            version: row.version,
            source: row.source,
            digest: row.digest,
            author: row.author,
            note: row.note,
            created_at: Timestamp(row.created_at),
            published_at: row.published_at.map(Timestamp),
            switched_off_at: row.switched_off_at.map(Timestamp),
        }
    }
}

impl Db {
    /// Stores a version, of a new plugin or of one that is there; answers its number.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn insert_plugin_version(
        &self,
        owner_id: &OwnerId,
        name: &str,
        new: &NewPluginVersion,
        event: &AuditRecord,
        now: Timestamp,
    ) -> Result<i64, Error> {
        transaction!(self, |connection, _attempt| {
            let version: i64 = sqlx::query_scalar(
                "INSERT INTO bo_plugin (owner_id, name, last_version, revision, created_at, updated_at) VALUES ($1, $2, 1, 1, $3, $3) \
                 ON CONFLICT (owner_id, name) DO UPDATE \
                 SET last_version = bo_plugin.last_version + 1, revision = bo_plugin.revision + 1, updated_at = excluded.updated_at \
                 RETURNING last_version",
            )
            .bind(owner_id.as_str())
            .bind(name)
            .bind(now.0)
            .fetch_one(&mut *connection)
            .await?;
            sqlx::query(
                "INSERT INTO bo_plugin_version (owner_id, name, version, source, digest, author, note, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
            )
            .bind(owner_id.as_str())
            .bind(name)
            .bind(version)
            .bind(&new.source)
            .bind(&new.digest)
            .bind(&new.author)
            .bind(&new.note)
            .bind(now.0)
            .execute(&mut *connection)
            .await?;
            connection.plugin_event(owner_id, event).await?;
            version
        })
    }

    /// Removes what an owner has beyond `keep` versions, of all its plugins together: drafts that never answered first, then what
    /// answered longest ago; never a plugin's newest version, nor one that is to answer. Answers how many.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn remove_plugin_versions(&self, owner_id: &OwnerId, keep: i64) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(
            "DELETE FROM bo_plugin_version WHERE owner_id = $1 AND (name, version) IN ( \
                 SELECT old.name, old.version FROM bo_plugin_version AS old \
                 JOIN bo_plugin AS plugin ON plugin.owner_id = old.owner_id AND plugin.name = old.name \
                 WHERE old.owner_id = $1 AND old.version <> plugin.last_version \
                     AND old.version <> coalesce(plugin.active_version, 0) AND old.version <> coalesce(plugin.canary_version, 0) \
                 ORDER BY coalesce(old.published_at, 0), old.created_at, old.name, old.version \
                 LIMIT (SELECT CASE WHEN count(*) > $2 THEN count(*) - $2 ELSE 0 END FROM bo_plugin_version WHERE owner_id = $1))",
        )
        .bind(owner_id.as_str())
        .bind(keep)
        .execute(connection)
        .map_ok(|done| done.rows_affected()))
    }

    /// Up to `limit` versions before `before`, the newest first, without their sources.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugin_versions(
        &self,
        owner_id: &OwnerId,
        name: &str,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<PluginVersionRecord>, Error> {
        let rows: Vec<VersionRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT version, '' AS source, digest, author, note, created_at, published_at, switched_off_at FROM bo_plugin_version \
             WHERE owner_id = $1 AND name = $2 AND version < $3 ORDER BY version DESC LIMIT $4",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// One version with its source.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn find_plugin_version(&self, owner_id: &OwnerId, name: &str, version: i64) -> Result<Option<PluginVersionRecord>, Error> {
        let row: Option<VersionRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT version, source, digest, author, note, created_at, published_at, switched_off_at FROM bo_plugin_version \
             WHERE owner_id = $1 AND name = $2 AND version = $3",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .bind(version)
        .fetch_optional(connection))?;
        Ok(row.map(Into::into))
    }

    /// The version that answered every request before `version` did and stands back nowhere: one that somebody has gone back
    /// from is not gone back to. Without a `version`, the one that answered last.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn find_good_plugin_version(&self, owner_id: &OwnerId, name: &str, version: Option<i64>) -> Result<Option<i64>, Error> {
        on!(self, read, |connection| sqlx::query_scalar(
            "SELECT version FROM bo_plugin_version AS good \
             WHERE owner_id = $1 AND name = $2 AND ($3 IS NULL OR version <> $3) \
                 AND published_at IS NOT NULL AND switched_off_at IS NULL \
                 AND published_at <= coalesce((SELECT published_at FROM bo_plugin_version \
                     WHERE owner_id = $1 AND name = $2 AND version = $3), published_at) \
                 AND NOT EXISTS (SELECT 1 FROM bo_plugin_switched_off AS off \
                     WHERE off.owner_id = $1 AND off.name = $2 AND off.version = good.version) \
             ORDER BY published_at DESC, version DESC LIMIT 1",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .bind(version)
        .fetch_optional(connection))
    }
}
