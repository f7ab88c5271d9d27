//! Recorded answers: rows of `bo_plugin_sample`, for owners that have asked for it and as many as they have asked for.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;

use super::PluginLog;
use crate::Error;
use crate::db::{Db, on, transaction};
use crate::plugin_record::PluginSample;
use crate::record::{AuditRecord, NotBefore};

#[derive(sqlx::FromRow)]
struct SampleRow {
    sample_id: i64,
    context: String,
    envelope: String,
    at: i64,
}

impl Db {
    /// Sets how many answers of an owner are recorded; `None` ends it and removes what was. Where a number is `expected`, only
    /// if it is still the one. Answers what nodes must hear of.
    ///
    /// # Errors
    /// [`Error::Changed`] where it was another; [`Error::DatabaseUnavailable`].
    pub async fn set_plugin_samples(
        &self,
        owner_id: &OwnerId,
        samples: Option<i64>,
        expected: Option<Option<i64>>,
        event: &AuditRecord,
    ) -> Result<NotBefore, Error> {
        transaction!(self, |connection, attempt| {
            // From here on nobody else changes the owner's row.
            let mark = connection.plugins_changed(owner_id, event.at, attempt).await?;
            let present: Option<i64> = sqlx::query_scalar("SELECT samples FROM bo_plugin_owner WHERE owner_id = $1")
                .bind(owner_id.as_str())
                .fetch_one(&mut *connection)
                .await?;
            if expected.is_some_and(|expected| expected != present) {
                return Err(Error::Changed("recording"));
            }
            sqlx::query("UPDATE bo_plugin_owner SET samples = $2 WHERE owner_id = $1")
                .bind(owner_id.as_str())
                .bind(samples)
                .execute(&mut *connection)
                .await?;
            if samples.is_none() {
                sqlx::query("DELETE FROM bo_plugin_sample WHERE owner_id = $1").bind(owner_id.as_str()).execute(&mut *connection).await?;
            }
            connection.plugin_event(owner_id, event).await?;
            mark
        })
    }

    /// Adds recorded answers of one owner, where it still asks for them, and keeps the newest, as many as it asks for.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn insert_plugin_samples(&self, owner_id: &OwnerId, samples: &[PluginSample]) -> Result<(), Error> {
        let mut written = Vec::with_capacity(samples.len());
        for sample in samples {
            let context = serde_json::to_string(&sample.context).map_err(|_| Error::Corrupt("sample"))?;
            written.push((sample.sample_id, context, sample.envelope.to_string(), sample.at.0));
        }
        transaction!(self, |connection, _attempt| {
            for (sample_id, context, envelope, at) in &written {
                sqlx::query(
                    "INSERT INTO bo_plugin_sample (owner_id, sample_id, context, envelope, at) \
                     SELECT $1, $2, $3, $4, $5 WHERE EXISTS ( \
                         SELECT 1 FROM bo_plugin_owner WHERE owner_id = $1 AND samples IS NOT NULL) \
                     ON CONFLICT DO NOTHING",
                )
                .bind(owner_id.as_str())
                .bind(sample_id)
                .bind(context)
                .bind(envelope)
                .bind(at)
                .execute(&mut *connection)
                .await?;
            }
            sqlx::query(
                "DELETE FROM bo_plugin_sample WHERE owner_id = $1 AND sample_id < ( \
                     SELECT min(sample_id) FROM (SELECT sample_id FROM bo_plugin_sample WHERE owner_id = $1 ORDER BY sample_id DESC \
                     LIMIT (SELECT coalesce(max(samples), 0) FROM bo_plugin_owner WHERE owner_id = $1)) AS kept)",
            )
            .bind(owner_id.as_str())
            .execute(&mut *connection)
            .await?;
        })
    }

    /// Up to `limit` recorded answers of an owner, the newest first.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`]; [`Error::Corrupt`].
    pub async fn list_plugin_samples(&self, owner_id: &OwnerId, limit: i64) -> Result<Vec<PluginSample>, Error> {
        let rows: Vec<SampleRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT sample_id, context, envelope, at FROM bo_plugin_sample WHERE owner_id = $1 ORDER BY sample_id DESC LIMIT $2",
        )
        .bind(owner_id.as_str())
        .bind(limit)
        .fetch_all(connection))?;
        let record = |row: SampleRow| {
            Ok(PluginSample {
                sample_id: row.sample_id,
                context: serde_json::from_str(&row.context).map_err(|_| Error::Corrupt("sample"))?,
                envelope: serde_json::from_str(&row.envelope).map_err(|_| Error::Corrupt("sample"))?,
                at: Timestamp(row.at),
            })
        };
        rows.into_iter().map(record).collect()
    }
}
