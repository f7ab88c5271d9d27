//! The audit trail: rows of `bo_audit_event`, in the order of time. Sessions' beginnings and ends are written where they
//! happen; here is what an administrator does, and how the trail is read.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use serde_json::Value;
use sqlx::types::Json;

use super::event::{Event, EventLog, taken};
use super::{Db, on, transaction};
use crate::Error;
use crate::record::{Actor, AdministrationEvent, AuditFilter, AuditRecord};

#[derive(sqlx::FromRow)]
struct AuditRow {
    event_id: i64,
    kind: String,
    sys_id: Option<String>,
    user_id: Option<String>,
    session_id: Option<i64>,
    reason: Option<String>,
    actor: String,
    #[sqlx(json)]
    trace: Value,
    at: i64,
}

impl AuditRow {
    fn into_record(self) -> Result<AuditRecord, Error> {
        let corrupt = |_| Error::Corrupt("audit event");
        let reason = |text: String| EndReason::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or(Error::Corrupt("end reason"));
        Ok(AuditRecord {
            event_id: self.event_id,
            kind: self.kind,
            sys_id: self.sys_id.map(SystemId::try_from).transpose().map_err(corrupt)?,
            user_id: self.user_id.map(UserId::try_from).transpose().map_err(corrupt)?,
            session_id: self.session_id.map(SessionId::from_number),
            reason: self.reason.map(reason).transpose()?,
            actor: Actor::parse(&self.actor).ok_or(Error::Corrupt("actor"))?,
            trace: self.trace,
            at: Timestamp(self.at),
        })
    }
}

impl Db {
    /// Writes down what an administrator did.
    ///
    /// # Errors
    /// [`Error::Exists`] where the event's id is taken.
    pub async fn insert_audit_event(&self, owner_id: &OwnerId, event: &AuditRecord) -> Result<(), Error> {
        on!(self, write, |connection| sqlx::query(
            "INSERT INTO bo_audit_event (owner_id, event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(owner_id.as_str())
        .bind(event.event_id)
        .bind(&event.kind)
        .bind(event.sys_id.as_ref().map(SystemId::as_str))
        .bind(event.user_id.as_ref().map(UserId::as_str))
        .bind(event.session_id.map(SessionId::number))
        .bind(event.reason.map(EndReason::as_str))
        .bind(event.actor.as_str())
        .bind(Json(&event.trace))
        .bind(event.at.0)
        .execute(connection)
        .map_ok(|_| ())
        .map_err(taken))
    }

    /// Writes down what an administrator did that changed no row.
    ///
    /// # Errors
    /// [`Error::DatabaseUnavailable`].
    pub async fn record_event(&self, owner_id: &OwnerId, event: &AdministrationEvent) -> Result<(), Error> {
        transaction!(self, |connection, attempt| { connection.record(&[Event::administered(owner_id, event, attempt)]).await? })
    }

    /// Up to `limit` lines before the event `before`, the newest first.
    pub async fn list_audit_events(
        &self,
        owner_id: &OwnerId,
        filter: &AuditFilter,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Vec<AuditRecord>, Error> {
        let rows: Vec<AuditRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at FROM bo_audit_event \
             WHERE owner_id = $1 AND event_id < $2 AND ($3 IS NULL OR kind = $3) AND ($4 IS NULL OR user_id = $4) \
                 AND ($5 IS NULL OR session_id = $5) \
             ORDER BY event_id DESC LIMIT $6",
        )
        .bind(owner_id.as_str())
        .bind(before.unwrap_or(i64::MAX))
        .bind(filter.kind.as_deref())
        .bind(filter.user_id.as_ref().map(UserId::as_str))
        .bind(filter.session_id.map(SessionId::number))
        .bind(limit)
        .fetch_all(connection))?;
        rows.into_iter().map(AuditRow::into_record).collect()
    }
}
