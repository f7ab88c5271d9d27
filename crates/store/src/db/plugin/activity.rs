//! What plugins did: rows of `bo_plugin_run` and `bo_plugin_failure`, written in batches beside the requests.

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;

use crate::Error;
use crate::db::{Db, on, transaction};
use crate::plugin_record::{PluginFailureRecord, PluginRuns};

#[derive(sqlx::FromRow)]
struct RunRow {
    version: i64,
    at: i64,
    runs: i64,
    failures: i64,
    microseconds: i64,
}

#[derive(sqlx::FromRow)]
struct FailureRow {
    failure_id: i64,
    name: String,
    version: i64,
    code: String,
    message: String,
    line_number: Option<i64>,
    column_number: Option<i64>,
    route: String,
    sys_id: Option<String>,
    at: i64,
}

impl From<FailureRow> for PluginFailureRecord {
    fn from(row: FailureRow) -> Self {
        Self {
            failure_id: row.failure_id,
            name: row.name,
            version: row.version,
            code: row.code,
            message: row.message,
            line: row.line_number,
            column: row.column_number,
            route: row.route,
            sys_id: row.sys_id,
            at: Timestamp(row.at),
        }
    }
}

impl Db {
    /// Adds to the counts of runs, all or nothing, in the order of their keys. Works for all tenants.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn add_plugin_runs(&self, runs: &[(OwnerId, String, PluginRuns)]) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| {
            for (owner_id, name, counted) in runs {
                sqlx::query(
                    "INSERT INTO bo_plugin_run (owner_id, name, version, bucket, runs, failures, microseconds) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7) \
                     ON CONFLICT (owner_id, name, version, bucket) DO UPDATE \
                     SET runs = bo_plugin_run.runs + excluded.runs, failures = bo_plugin_run.failures + excluded.failures, \
                         microseconds = bo_plugin_run.microseconds + excluded.microseconds",
                )
                .bind(owner_id.as_str())
                .bind(name)
                .bind(counted.version)
                .bind(counted.at.0)
                .bind(counted.runs)
                .bind(counted.failures)
                .bind(counted.microseconds)
                .execute(&mut *connection)
                .await?;
            }
        })
    }

    /// The counts of a plugin since an instant, in the order of time.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugin_runs(&self, owner_id: &OwnerId, name: &str, since: Timestamp) -> Result<Vec<PluginRuns>, Error> {
        let rows: Vec<RunRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT version, bucket AS at, runs, failures, microseconds FROM bo_plugin_run \
             WHERE owner_id = $1 AND name = $2 AND bucket >= $3 ORDER BY bucket, version",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .bind(since.0)
        .fetch_all(connection))?;
        let record = |row: RunRow| PluginRuns {
            version: row.version,
            at: Timestamp(row.at),
            runs: row.runs,
            failures: row.failures,
            microseconds: row.microseconds,
        };
        Ok(rows.into_iter().map(record).collect())
    }

    /// Runs and failures of each of an owner's plugins since an instant.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn sum_plugin_runs(&self, owner_id: &OwnerId, since: Timestamp) -> Result<Vec<(String, i64, i64)>, Error> {
        // The sum of integers is a decimal in Postgres.
        on!(self, read, |connection| sqlx::query_as(
            "SELECT name, CAST(sum(runs) AS BIGINT), CAST(sum(failures) AS BIGINT) FROM bo_plugin_run \
             WHERE owner_id = $1 AND bucket >= $2 GROUP BY name",
        )
        .bind(owner_id.as_str())
        .bind(since.0)
        .fetch_all(connection))
    }

    /// Adds failures, all or nothing, and keeps the newest `keep` of each plugin they name. Works for all tenants.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn insert_plugin_failures(&self, failures: &[(OwnerId, PluginFailureRecord)], keep: i64) -> Result<(), Error> {
        transaction!(self, |connection, _attempt| {
            for (owner_id, failure) in failures {
                sqlx::query(
                    "INSERT INTO bo_plugin_failure \
                         (owner_id, failure_id, name, version, code, message, line_number, column_number, route, sys_id, at) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING",
                )
                .bind(owner_id.as_str())
                .bind(failure.failure_id)
                .bind(&failure.name)
                .bind(failure.version)
                .bind(&failure.code)
                .bind(&failure.message)
                .bind(failure.line)
                .bind(failure.column)
                .bind(&failure.route)
                .bind(&failure.sys_id)
                .bind(failure.at.0)
                .execute(&mut *connection)
                .await?;
            }
            let mut named: Vec<_> = failures.iter().map(|(owner_id, failure)| (owner_id.as_str(), failure.name.as_str())).collect();
            named.sort_unstable();
            named.dedup();
            for (owner_id, name) in named {
                sqlx::query(
                    "DELETE FROM bo_plugin_failure WHERE owner_id = $1 AND name = $2 AND failure_id < ( \
                         SELECT min(failure_id) FROM (SELECT failure_id FROM bo_plugin_failure WHERE owner_id = $1 AND name = $2 \
                         ORDER BY failure_id DESC LIMIT $3) AS kept)",
                )
                .bind(owner_id)
                .bind(name)
                .bind(keep)
                .execute(&mut *connection)
                .await?;
            }
        })
    }

    /// Up to `limit` failures of a plugin before the failure `before`, the newest first.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn list_plugin_failures(
        &self,
        owner_id: &OwnerId,
        name: &str,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<PluginFailureRecord>, Error> {
        let rows: Vec<FailureRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT failure_id, name, version, code, message, line_number, column_number, route, sys_id, at FROM bo_plugin_failure \
             WHERE owner_id = $1 AND name = $2 AND failure_id < $3 ORDER BY failure_id DESC LIMIT $4",
        )
        .bind(owner_id.as_str())
        .bind(name)
        .bind(before.unwrap_or(i64::MAX))
        .bind(limit)
        .fetch_all(connection))?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Removes up to `limit` rows of each kind that plugins left before an instant; answers how many. Works for all tenants.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn remove_plugin_activity(&self, before: Timestamp, limit: i64) -> Result<u64, Error> {
        let mut removed = 0;
        for statement in [
            "DELETE FROM bo_plugin_failure WHERE (owner_id, failure_id) IN ( \
                 SELECT owner_id, failure_id FROM bo_plugin_failure WHERE at < $1 ORDER BY at LIMIT $2)",
            "DELETE FROM bo_plugin_run WHERE (owner_id, name, version, bucket) IN ( \
                 SELECT owner_id, name, version, bucket FROM bo_plugin_run WHERE bucket < $1 ORDER BY bucket LIMIT $2)",
            "DELETE FROM bo_plugin_sample WHERE (owner_id, sample_id) IN ( \
                 SELECT owner_id, sample_id FROM bo_plugin_sample WHERE at < $1 ORDER BY at LIMIT $2)",
            "DELETE FROM bo_plugin_switched_off WHERE (owner_id, name, version, tenant_id, sys_id, route) IN ( \
                 SELECT owner_id, name, version, tenant_id, sys_id, route FROM bo_plugin_switched_off \
                 WHERE at < $1 ORDER BY at LIMIT $2)",
        ] {
            removed += on!(self, write, |connection| sqlx::query(statement)
                .bind(before.0)
                .bind(limit)
                .execute(connection)
                .map_ok(|done| done.rows_affected()))?;
        }
        Ok(removed)
    }
}
