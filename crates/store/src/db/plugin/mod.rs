//! Response plugins: rows of `bo_plugin`, `bo_plugin_version` and `bo_plugin_owner`. Every change is one transaction: the
//! rows, the line of the audit trail, and the revisions by which other nodes see that there is something new.

mod activity;
mod sample;
mod switch;
mod version;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;

use super::not_before::Marks;
use super::{Db, both_connections, on, transaction};
use crate::Error;
use crate::plugin_record::{Canary, PluginMove, PluginOwner, PluginRecord, PublishedPlugin, SwitchedOff};
use crate::record::{AuditRecord, NotBefore};

#[derive(sqlx::FromRow)]
struct PluginRow {
    name: String,
    last_version: i64,
    active_version: Option<i64>,
    canary_version: Option<i64>,
    canary_share: Option<i64>,
    switched_off_at: Option<i64>,
    switched_off_code: Option<String>,
    revision: i64,
    created_at: i64,
    updated_at: i64,
}

#[derive(sqlx::FromRow)]
struct PublishedRow {
    #[sqlx(flatten)]
    plugin: PluginRow,
    active_source: Option<String>,
    canary_source: Option<String>,
}

#[derive(sqlx::FromRow)]
struct OwnerRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    revision: i64,
    samples: Option<i64>,
}

impl OwnerRow {
    fn into_owner(self) -> PluginOwner {
        PluginOwner { owner_id: self.owner_id, revision: self.revision, samples: self.samples }
    }
}

impl PluginRow {
    fn into_record(self) -> Result<PluginRecord, Error> {
        let share = self.canary_share.map(u8::try_from).transpose().map_err(|_| Error::Corrupt("canary share"))?;
        Ok(PluginRecord {
            name: self.name,
            last_version: self.last_version,
            active_version: self.active_version,
            canary: self.canary_version.zip(share).map(|(version, share_percent)| Canary { version, share_percent }),
            switched_off: self.switched_off_at.zip(self.switched_off_code).map(|(at, code)| SwitchedOff { at: Timestamp(at), code }),
            revision: self.revision,
            created_at: Timestamp(self.created_at),
            updated_at: Timestamp(self.updated_at),
        })
    }
}

impl Db {
    /// Up to `limit` plugins behind `after`, by name.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugins(&self, owner_id: &OwnerId, after: Option<&str>, limit: i64) -> Result<Vec<PluginRecord>, Error> {
        let rows: Vec<PluginRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT name, last_version, active_version, canary_version, canary_share, switched_off_at, switched_off_code, revision, \
                    created_at, updated_at \
             FROM bo_plugin WHERE owner_id = $1 AND name > $2 ORDER BY name LIMIT $3",
        )
        .bind(owner_id.as_str())
        .bind(after.unwrap_or_default())
        .bind(limit)
        .fetch_all(connection))?;
        rows.into_iter().map(PluginRow::into_record).collect()
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn find_plugin(&self, owner_id: &OwnerId, name: &str) -> Result<Option<PluginRecord>, Error> {
        let row: Option<PluginRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT name, last_version, active_version, canary_version, canary_share, switched_off_at, switched_off_code, revision, \
                    created_at, updated_at \
             FROM bo_plugin WHERE owner_id = $1 AND name = $2",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .fetch_optional(connection))?;
        row.map(PluginRow::into_record).transpose()
    }

    /// Changes which version answers, if the row is still at the revision that this was decided on; answers what nodes must hear
    /// of, or nothing where it was not.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn move_plugin(
        &self,
        owner_id: &OwnerId,
        name: &str,
        change: &PluginMove,
        event: &AuditRecord,
        now: Timestamp,
    ) -> Result<Option<NotBefore>, Error> {
        transaction!(self, |connection, attempt| {
            let moved = sqlx::query(
                "UPDATE bo_plugin SET active_version = $4, canary_version = $5, canary_share = $6, switched_off_at = $7, \
                        switched_off_code = $8, revision = revision + 1, updated_at = $9 \
                 WHERE owner_id = $1 AND name = $2 AND revision = $3",
            )
            .bind(owner_id.as_str())
            .bind(name)
            .bind(change.revision)
            .bind(change.active_version)
            .bind(change.canary.map(|canary| canary.version))
            .bind(change.canary.map(|canary| i64::from(canary.share_percent)))
            .bind(change.switched_off.as_ref().map(|off| off.at.0))
            .bind(change.switched_off.as_ref().map(|off| off.code.as_str()))
            .bind(now.0)
            .execute(&mut *connection)
            .await?
            .rows_affected();
            if moved == 0 {
                None
            } else {
                // Versions answer one after another, whatever the clock says: who goes back goes by this.
                sqlx::query(
                    "UPDATE bo_plugin_version SET \
                         published_at = CASE WHEN version <> $3 THEN published_at ELSE ( \
                             SELECT CASE WHEN max(published_at) >= $5 THEN max(published_at) + 1 ELSE $5 END \
                             FROM bo_plugin_version WHERE owner_id = $1 AND name = $2) END, \
                         switched_off_at = CASE WHEN version = $4 THEN $5 WHEN version = $3 THEN NULL ELSE switched_off_at END \
                     WHERE owner_id = $1 AND name = $2 AND version IN ($3, $4)",
                )
                .bind(owner_id.as_str())
                .bind(name)
                .bind(change.published.unwrap_or_default())
                .bind(change.failed.unwrap_or_default())
                .bind(now.0)
                .execute(&mut *connection)
                .await?;
                // A version that is published begins anew.
                sqlx::query("DELETE FROM bo_plugin_switched_off WHERE owner_id = $1 AND name = $2 AND version IN ($3, $4)")
                    .bind(owner_id.as_str())
                    .bind(name)
                    .bind(change.published.unwrap_or_default())
                    .bind(change.canary.map_or(0, |canary| canary.version))
                    .execute(&mut *connection)
                    .await?;
                connection.plugin_event(owner_id, event).await?;
                Some(connection.plugins_changed(owner_id, now, attempt).await?)
            }
        })
    }

    /// Every owner of plugins. Works for all tenants.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugin_owners(&self) -> Result<Vec<PluginOwner>, Error> {
        let rows: Vec<OwnerRow> = on!(self, read, |connection| {
            sqlx::query_as("SELECT owner_id, revision, samples FROM bo_plugin_owner").fetch_all(connection)
        })?;
        Ok(rows.into_iter().map(OwnerRow::into_owner).collect())
    }

    /// One owner of plugins.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn find_plugin_owner(&self, owner_id: &OwnerId) -> Result<Option<PluginOwner>, Error> {
        let row: Option<OwnerRow> = on!(self, read, |connection| {
            sqlx::query_as("SELECT owner_id, revision, samples FROM bo_plugin_owner WHERE owner_id = $1")
                .bind(owner_id.as_str())
                .fetch_optional(connection)
        })?;
        Ok(row.map(OwnerRow::into_owner))
    }

    /// How many answers of an owner are recorded at most; `None` where none are.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn plugin_samples_of(&self, owner_id: &OwnerId) -> Result<Option<i64>, Error> {
        let samples: Option<Option<i64>> = on!(self, read, |connection| {
            sqlx::query_scalar("SELECT samples FROM bo_plugin_owner WHERE owner_id = $1").bind(owner_id.as_str()).fetch_optional(connection)
        })?;
        Ok(samples.flatten())
    }

    /// The plugins of an owner that answer, or were switched off, with the sources that a node compiles.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_published_plugins(&self, owner_id: &OwnerId) -> Result<Vec<PublishedPlugin>, Error> {
        let rows: Vec<PublishedRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT plugin.name, plugin.last_version, plugin.active_version, plugin.canary_version, plugin.canary_share, \
                    plugin.switched_off_at, plugin.switched_off_code, plugin.revision, plugin.created_at, plugin.updated_at, \
                    active.source AS active_source, canary.source AS canary_source \
             FROM bo_plugin AS plugin \
             LEFT JOIN bo_plugin_version AS active ON active.owner_id = plugin.owner_id AND active.name = plugin.name \
                 AND active.version = plugin.active_version \
             LEFT JOIN bo_plugin_version AS canary ON canary.owner_id = plugin.owner_id AND canary.name = plugin.name \
                 AND canary.version = plugin.canary_version \
             WHERE plugin.owner_id = $1 \
                 AND (plugin.active_version IS NOT NULL OR plugin.canary_version IS NOT NULL OR plugin.switched_off_at IS NOT NULL) \
             ORDER BY plugin.name",
        )
        .bind(owner_id.as_str())
        .fetch_all(connection))?;
        let record = |row: PublishedRow| {
            let plugin = row.plugin.into_record()?;
            Ok(PublishedPlugin { plugin, active_source: row.active_source, canary_source: row.canary_source })
        };
        rows.into_iter().map(record).collect()
    }
}

/// What every change of plugins ends with, inside its transaction.
pub(super) trait PluginLog {
    /// Counts the owner's revision up; answers what nodes must hear of. That is the tenant's revision, which they compare with
    /// every request; the reserved owner of what is offered to all has no tenant's rows, and its own revision stands for them.
    async fn plugins_changed(&mut self, owner_id: &OwnerId, now: Timestamp, attempt: u32) -> Result<NotBefore, Error>;
    /// Writes the line of the audit trail.
    async fn plugin_event(&mut self, owner_id: &OwnerId, event: &AuditRecord) -> Result<(), Error>;
}

both_connections!(PluginLog {
    async fn plugins_changed(&mut self, owner_id: &OwnerId, now: Timestamp, attempt: u32) -> Result<NotBefore, Error> {
        let revision: i64 = sqlx::query_scalar(
            "INSERT INTO bo_plugin_owner (owner_id, revision) VALUES ($1, 1) \
             ON CONFLICT (owner_id) DO UPDATE SET revision = bo_plugin_owner.revision + 1 RETURNING revision",
        )
        .bind(owner_id.as_str())
        .fetch_one(&mut *self)
        .await?;
        match self.announce_revision(owner_id, now, attempt).await? {
            Some(mark) => Ok(mark),
            None => self.pend_revision(owner_id, revision, now, attempt).await,
        }
    }

    async fn plugin_event(&mut self, owner_id: &OwnerId, event: &AuditRecord) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO bo_audit_event (owner_id, event_id, kind, actor, trace, at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(owner_id.as_str())
        .bind(event.event_id)
        .bind(&event.kind)
        .bind(event.actor.as_str())
        .bind(sqlx::types::Json(&event.trace))
        .bind(event.at.0)
        .execute(self)
        .await
        .map_err(super::event::taken)?;
        Ok(())
    }
});
