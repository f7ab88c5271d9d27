//! What others must still be told: rows of `bo_outbox`, written with the end they tell of and removed once it is told.
//! Works for all tenants.

use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use sqlx::types::Json;

use super::event::{SESSION_ENDED, SESSION_ENDED_UNTOLD};
use super::{Db, bounded, on, retried};
use crate::Error;
use crate::record::EndedSession;

/// How much has not been told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxBacklog {
    /// How many events.
    pub events: i64,
    /// When the oldest of them happened.
    pub oldest: Option<Timestamp>,
}

/// Each row is looked up by its key, and locked in the order of the keys.
pub(super) const MARK_UNTOLD: &str = "WITH told AS MATERIALIZED ( \
         SELECT event.event_id FROM (SELECT DISTINCT id FROM unnest($1::bigint[]) AS asked (id) ORDER BY id) AS asked \
         CROSS JOIN LATERAL ( \
             SELECT event_id FROM bo_outbox WHERE event_id = asked.id OFFSET 0 FOR NO KEY UPDATE \
         ) AS event \
     ) UPDATE bo_outbox SET kind = $2 FROM told WHERE bo_outbox.event_id = told.event_id";

pub(super) const MARK_UNTOLD_SQLITE: &str = "UPDATE bo_outbox SET kind = $2 WHERE event_id IN (SELECT value FROM json_each($1))";

/// The same.
pub(super) const REMOVE_EVENTS: &str = "WITH told AS MATERIALIZED ( \
         SELECT event.event_id FROM (SELECT DISTINCT id FROM unnest($1::bigint[]) AS asked (id) ORDER BY id) AS asked \
         CROSS JOIN LATERAL ( \
             SELECT event_id FROM bo_outbox WHERE event_id = asked.id OFFSET 0 FOR UPDATE \
         ) AS event \
     ) DELETE FROM bo_outbox USING told WHERE bo_outbox.event_id = told.event_id";

pub(super) const REMOVE_EVENTS_SQLITE: &str = "DELETE FROM bo_outbox WHERE event_id IN (SELECT value FROM json_each($1))";

impl Db {
    /// Up to `limit` ended sessions from before `created_before` that nobody has said to be told, the oldest first.
    pub async fn pending_events(&self, limit: i64, created_before: Timestamp) -> Result<Vec<EndedSession>, Error> {
        let payloads: Vec<Json<EndedSession>> = on!(self, read, |connection| sqlx::query_scalar(
            "SELECT payload FROM bo_outbox WHERE created_at < $1 AND kind IN ($2, $3) ORDER BY created_at, event_id LIMIT $4",
        )
        .bind(created_before.0)
        .bind(SESSION_ENDED)
        .bind(SESSION_ENDED_UNTOLD)
        .bind(limit)
        .fetch_all(connection))?;
        Ok(payloads.into_iter().map(|payload| payload.0).collect())
    }

    /// Marks events that could not be told by way of Redis, so that the other nodes find them here: these, or all that are
    /// still to be told.
    pub async fn mark_untold(&self, event_ids: Option<&[i64]>) -> Result<(), Error> {
        let Some(event_ids) = event_ids else {
            return on!(self, write, |connection| sqlx::query("UPDATE bo_outbox SET kind = $2 WHERE kind = $1")
                .bind(SESSION_ENDED)
                .bind(SESSION_ENDED_UNTOLD)
                .execute(connection)
                .map_ok(|_| ()));
        };
        retried!(|attempt| match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query(MARK_UNTOLD)
                .bind(event_ids)
                .bind(SESSION_ENDED_UNTOLD)
                .execute(connection)
                .map_ok(|_| ())),
            Self::Sqlite { write, .. } => bounded!(write, |connection| sqlx::query(MARK_UNTOLD_SQLITE)
                .bind(Json(event_ids))
                .bind(SESSION_ENDED_UNTOLD)
                .execute(connection)
                .map_ok(|_| ())),
        })
    }

    /// Up to `limit` ended sessions that nobody has said to be told, the oldest first, behind
    /// `after`.
    pub async fn list_events(&self, after: Option<&EndedSession>, limit: i64) -> Result<Vec<EndedSession>, Error> {
        let payloads: Vec<Json<EndedSession>> = on!(self, read, |connection| sqlx::query_scalar(
            "SELECT payload FROM bo_outbox WHERE (created_at, event_id) > ($1, $2) AND kind IN ($3, $4) \
             ORDER BY created_at, event_id LIMIT $5",
        )
        .bind(after.map_or(i64::MIN, |session| session.ended_at.0))
        .bind(after.map_or(i64::MIN, |session| session.event_id))
        .bind(SESSION_ENDED)
        .bind(SESSION_ENDED_UNTOLD)
        .bind(limit)
        .fetch_all(connection))?;
        Ok(payloads.into_iter().map(|payload| payload.0).collect())
    }

    /// Removes events that have been told; answers how many were there.
    pub async fn remove_events(&self, event_ids: &[i64]) -> Result<u64, Error> {
        retried!(|attempt| match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query(REMOVE_EVENTS)
                .bind(event_ids)
                .execute(connection)
                .map_ok(|done| done.rows_affected())),
            Self::Sqlite { write, .. } => bounded!(write, |connection| sqlx::query(REMOVE_EVENTS_SQLITE)
                .bind(Json(event_ids))
                .execute(connection)
                .map_ok(|done| done.rows_affected())),
        })
    }

    /// How much has not been told.
    pub async fn outbox_backlog(&self) -> Result<OutboxBacklog, Error> {
        let (events, oldest): (i64, Option<i64>) =
            on!(self, read, |connection| sqlx::query_as("SELECT count(*), min(created_at) FROM bo_outbox").fetch_one(connection))?;
        Ok(OutboxBacklog { events, oldest: oldest.map(Timestamp) })
    }
}
