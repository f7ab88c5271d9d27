//! Removes what has become useless, in portions that are small enough for no logout to wait for. Works for all tenants.

use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;

use super::session_row::live;
use super::{Db, bounded, on};
use crate::Error;

/// How many rows of the cache or of nonces go at a time.
const PORTION: i64 = 500;

pub(super) const REMOVE_ENDED: &str = "DELETE FROM bo_session WHERE (owner_id, session_id) IN ( \
         SELECT owner_id, session_id FROM bo_session WHERE ended_at IS NOT NULL AND keep_until < $1 \
         ORDER BY keep_until, owner_id, session_id LIMIT $2)";

pub(super) const REMOVE_EXPIRED: &str = concat!(
    "DELETE FROM bo_session WHERE ",
    live!(),
    " AND (owner_id, session_id) IN ( \
         SELECT owner_id, session_id FROM bo_session WHERE ended_at IS NULL AND expires_at < $1 AND access_expires_at < $1 \
         ORDER BY expires_at LIMIT $2)"
);

pub(super) const REMOVE_AUDIT: &str = "DELETE FROM bo_audit_event WHERE (owner_id, event_id) IN ( \
         SELECT owner_id, event_id FROM bo_audit_event WHERE at < $1 ORDER BY at LIMIT $2)";

impl Db {
    /// Removes up to `limit` ended sessions that nobody has had to remember since `before`; answers how many.
    pub async fn remove_ended_sessions(&self, before: Timestamp, limit: i64) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(REMOVE_ENDED)
            .bind(before.0)
            .bind(limit)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))
    }

    /// Removes up to `limit` sessions whose lifetime was over `before`, without anyone having ended them; answers how
    /// many.
    pub async fn remove_expired_sessions(&self, before: Timestamp, limit: i64) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(REMOVE_EXPIRED)
            .bind(before.0)
            .bind(limit)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))
    }

    /// Removes up to `limit` lines of the audit trail from `before`; answers how many.
    pub async fn remove_audit_events(&self, before: Timestamp, limit: i64) -> Result<u64, Error> {
        on!(self, write, |connection| sqlx::query(REMOVE_AUDIT)
            .bind(before.0)
            .bind(limit)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))
    }

    /// Removes the nonces that no longer count at `now`; answers how many batches. There are none in Postgres.
    pub async fn remove_nonces(&self, now: Timestamp) -> Result<u64, Error> {
        let Self::Sqlite { write, .. } = self else { return Ok(0) };
        let mut total = 0;
        loop {
            let removed = bounded!(write, |connection| sqlx::query(
                "DELETE FROM bo_nonce WHERE (owner_id, batch_id) IN ( \
                     SELECT owner_id, batch_id FROM bo_nonce WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            )
            .bind(now.0)
            .bind(PORTION)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))?;
            total += removed;
            if removed < PORTION.unsigned_abs() {
                return Ok(total);
            }
        }
    }

    /// Removes the cache's entries that no longer count at `now`; answers how many. There are none in Postgres.
    pub async fn remove_cache(&self, now: Timestamp) -> Result<u64, Error> {
        let Self::Sqlite { write, .. } = self else { return Ok(0) };
        let mut total = 0;
        loop {
            let removed = bounded!(write, |connection| sqlx::query(
                "DELETE FROM bo_cache WHERE key IN (SELECT key FROM bo_cache WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)",
            )
            .bind(now.0)
            .bind(PORTION)
            .execute(connection)
            .map_ok(|done| done.rows_affected()))?;
            total += removed;
            if removed < PORTION.unsigned_abs() {
                return Ok(total);
            }
        }
    }
}
