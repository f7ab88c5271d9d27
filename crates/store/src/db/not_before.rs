//! Not-before marks: all sessions of a user, a system or a tenant end with one write. The mark, its line of the audit
//! trail and the row that says what is still to be done about it are one transaction; the sessions' own rows follow.
//!
//! A mark is exact whatever the clocks of the nodes say. It lies behind every session that is there, and whoever opens a
//! session holds the same rows until it is committed and begins no earlier than the marks that it finds.

use std::hash::{DefaultHasher, Hash, Hasher};

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use sqlx::types::Json;
use sqlx::{PgConnection, SqliteConnection};

use super::event::{Event, EventLog, event_id_of};
use super::not_before_row::{MarkRow, parts};
use super::{Db, both_connections, on, transaction};
use crate::Error;
use crate::record::{Actor, AdministrationEvent, Marking, NotBefore, RequestTrace, Revoked, Scope};

/// What a login must know of its tenant and system.
pub(super) struct Bounds {
    /// No session may begin earlier.
    pub(super) not_before: Timestamp,
    /// Whether either is disabled.
    pub(super) disabled: bool,
}

impl Db {
    /// Refuses every session of the scope that has begun: the mark.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is no such user, system or tenant.
    pub async fn end_all(&self, marking: &Marking) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| {
            let kind = match marking.scope {
                Scope::Tenant => "tenant.signed-out",
                Scope::System(_) => "system.signed-out",
                Scope::User(_) => "user.signed-out",
            };
            let mark = connection.mark(marking, Some(kind), attempt).await?;
            Revoked { sessions: Vec::new(), marks: vec![mark.ok_or_else(|| missing(&marking.scope))?] }
        })
    }

    /// Says that rows of a tenant have changed in a way that every node must hear of before it answers again.
    ///
    /// # Errors
    /// [`Error::Missing`] where there is no such tenant.
    pub async fn revise_tenant(&self, owner_id: &OwnerId, at: Timestamp) -> Result<NotBefore, Error> {
        transaction!(self, |connection, attempt| {
            connection.announce_revision(owner_id, at, attempt).await?.ok_or(Error::Missing("tenant"))?
        })
    }

    /// What a tenant's rows are at; 0 where there is no such tenant.
    pub async fn tenant_revision(&self, owner_id: &OwnerId) -> Result<i64, Error> {
        let found: Option<i64> = on!(self, read, |connection| sqlx::query_scalar("SELECT revision FROM bo_project WHERE owner_id = $1")
            .bind(owner_id.as_str())
            .fetch_optional(connection))?;
        Ok(found.unwrap_or(0))
    }

    /// The marks and revisions of tenants that were made at `since` or later. Works for all tenants.
    pub async fn list_tenant_marks(&self, since: Timestamp) -> Result<Vec<NotBefore>, Error> {
        let rows: Vec<MarkRow> = on!(self, read, |connection| {
            sqlx::query_as(
            "SELECT owner_id, 'tenant' AS scope, CAST(NULL AS TEXT) AS subject, not_before, not_before_reason AS reason, revision FROM bo_project \
             WHERE revised_at > 0 AND revised_at >= $1",
        )
        .bind(since.0)
        .fetch_all(connection)
        })?;
        rows.into_iter().map(MarkRow::into_mark).collect()
    }

    /// The marks of systems at `since` or later. Works for all tenants.
    pub async fn list_system_marks(&self, since: Timestamp) -> Result<Vec<NotBefore>, Error> {
        let rows: Vec<MarkRow> = on!(self, read, |connection| {
            sqlx::query_as(
            "SELECT owner_id, 'system' AS scope, sys_id AS subject, not_before, not_before_reason AS reason, CAST(0 AS BIGINT) AS revision FROM bo_system \
             WHERE not_before > 0 AND not_before >= $1",
        )
        .bind(since.0)
        .fetch_all(connection)
        })?;
        rows.into_iter().map(MarkRow::into_mark).collect()
    }

    /// Up to `limit` marks of users at `since` or later, behind `after`. Works for all tenants.
    pub async fn list_user_marks(&self, since: Timestamp, after: Option<&NotBefore>, limit: i64) -> Result<Vec<NotBefore>, Error> {
        let (not_before, owner_id, user_id) = match after {
            Some(NotBefore { owner_id, scope: Scope::User(user_id), not_before, .. }) => (*not_before, owner_id.as_str(), user_id.as_str()),
            _ => (since, "", ""),
        };
        let rows: Vec<MarkRow> = on!(self, read, |connection| {
            sqlx::query_as(
            "SELECT owner_id, 'user' AS scope, user_id AS subject, not_before, not_before_reason AS reason, CAST(0 AS BIGINT) AS revision FROM bo_user \
             WHERE not_before > 0 AND (not_before, owner_id, user_id) > ($1, $2, $3) ORDER BY not_before, owner_id, user_id LIMIT $4",
        )
        .bind(not_before.0)
        .bind(owner_id)
        .bind(user_id)
        .bind(limit)
        .fetch_all(connection)
        })?;
        rows.into_iter().map(MarkRow::into_mark).collect()
    }
}

/// Marks and revisions, inside a transaction that has begun. Rows are locked in one order: user, tenant, system.
pub(super) trait Marks {
    /// Makes a mark; `kind` is that of its line of the audit trail, where it is to have one. `None`, and nothing is done,
    /// where there is no such user, system or tenant.
    async fn mark(&mut self, marking: &Marking, kind: Option<&'static str>, attempt: u32) -> Result<Option<NotBefore>, Error>;

    /// Writes what is still to be done about a mark.
    async fn pend(&mut self, mark: &NotBefore, marking: &Marking) -> Result<(), Error>;

    /// Moves the tenant's revision on, and says so to whoever Redis does not reach; `None` where there is no such tenant.
    async fn announce_revision(&mut self, owner_id: &OwnerId, at: Timestamp, attempt: u32) -> Result<Option<NotBefore>, Error>;

    /// Says that a user's row has changed, to whoever Redis does not reach: a mark that refuses no session.
    async fn announce_user(
        &mut self,
        owner_id: &OwnerId,
        user_id: &UserId,
        event: &AdministrationEvent,
        attempt: u32,
    ) -> Result<NotBefore, Error>;

    /// Says that an owner is at a revision, to whoever Redis does not reach.
    async fn pend_revision(&mut self, owner_id: &OwnerId, revision: i64, at: Timestamp, attempt: u32) -> Result<NotBefore, Error>;

    /// Moves the tenant's revision on; `None` where there is no such tenant.
    async fn revise(&mut self, owner_id: &OwnerId, at: Timestamp) -> Result<Option<i64>, Error>;
}

both_connections!(Marks {
    async fn mark(&mut self, marking: &Marking, kind: Option<&'static str>, attempt: u32) -> Result<Option<NotBefore>, Error> {
        let owner_id = marking.owner_id.as_str();
        // From here on no session of the scope is opened until this transaction is over.
        let (revision, locked) = match &marking.scope {
            Scope::User(user_id) => {
                let locked = sqlx::query("UPDATE bo_user SET not_before = not_before WHERE owner_id = $1 AND user_id = $2")
                    .bind(owner_id)
                    .bind(user_id.as_str())
                    .execute(&mut *self)
                    .await?;
                (0, locked.rows_affected())
            }
            Scope::Tenant => match self.revise(&marking.owner_id, marking.at).await? {
                Some(revision) => (revision, 1),
                None => return Ok(None),
            },
            Scope::System(sys_id) => {
                let Some(revision) = self.revise(&marking.owner_id, marking.at).await? else { return Ok(None) };
                let locked = sqlx::query("UPDATE bo_system SET not_before = not_before WHERE owner_id = $1 AND sys_id = $2")
                    .bind(owner_id)
                    .bind(sys_id.as_str())
                    .execute(&mut *self)
                    .await?;
                (revision, locked.rows_affected())
            }
        };
        if locked == 0 {
            return Ok(None);
        }
        // The newest session of the tenant serves for a system too: what would begin in between begins a little later.
        let newest: Option<i64> = match &marking.scope {
            Scope::User(user_id) => {
                sqlx::query_scalar("SELECT max(session_id) FROM bo_session WHERE owner_id = $1 AND user_id = $2 AND ended_at IS NULL")
                    .bind(owner_id)
                    .bind(user_id.as_str())
                    .fetch_one(&mut *self)
                    .await?
            }
            Scope::Tenant | Scope::System(_) => {
                sqlx::query_scalar("SELECT max(session_id) FROM bo_session WHERE owner_id = $1").bind(owner_id).fetch_one(&mut *self).await?
            }
        };
        let behind = newest.map_or(0, |number| SessionId::from_number(number).began().millis() + 1);
        let latest = marking.at.0.max(behind);
        let (_, subject) = parts(&marking.scope);
        let statement = match &marking.scope {
            Scope::User(_) => {
                "UPDATE bo_user SET not_before = CASE WHEN not_before > $3 THEN not_before ELSE $3 END, not_before_reason = $4 \
                 WHERE owner_id = $1 AND user_id = $2 RETURNING not_before"
            }
            Scope::System(_) => {
                "UPDATE bo_system SET not_before = CASE WHEN not_before > $3 THEN not_before ELSE $3 END, not_before_reason = $4 \
                 WHERE owner_id = $1 AND sys_id = $2 RETURNING not_before"
            }
            Scope::Tenant => {
                "UPDATE bo_project SET not_before = CASE WHEN not_before > $3 THEN not_before ELSE $3 END, not_before_reason = $4 \
                 WHERE owner_id = $1 AND $2 IS NULL RETURNING not_before"
            }
        };
        let written: Vec<i64> = sqlx::query_scalar(statement)
            .bind(owner_id)
            .bind(subject)
            .bind(marking.before.map_or(latest, |before| before.0.min(latest)))
            .bind(marking.reason.number())
            .fetch_all(&mut *self)
            .await?;
        let Some(not_before) = written.first().copied() else { return Ok(None) };
        let event_id = event_id_of(marking.at, seed(marking, kind), attempt);
        if let Some(kind) = kind {
            self.record(&[Event::of_marking(marking, kind, event_id)]).await?;
        }
        let mark = NotBefore {
            owner_id: marking.owner_id.clone(),
            scope: marking.scope.clone(),
            not_before: Timestamp(not_before),
            reason: marking.reason,
            revision,
            event_id,
        };
        self.pend(&mark, marking).await?;
        Ok(Some(mark))
    }

    async fn pend(&mut self, mark: &NotBefore, marking: &Marking) -> Result<(), Error> {
        let (scope, subject) = parts(&mark.scope);
        sqlx::query(
            "INSERT INTO bo_not_before (owner_id, event_id, scope, subject, not_before, reason, revision, actor, trace, at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(mark.owner_id.as_str())
        .bind(mark.event_id)
        .bind(scope)
        .bind(subject)
        .bind(mark.not_before.0)
        .bind(mark.reason.number())
        .bind(mark.revision)
        .bind(marking.actor.as_str())
        .bind(Json(&marking.trace))
        .bind(marking.at.0)
        .execute(&mut *self)
        .await
        .map_err(super::event::taken)?;
        Ok(())
    }

    async fn announce_revision(&mut self, owner_id: &OwnerId, at: Timestamp, attempt: u32) -> Result<Option<NotBefore>, Error> {
        let Some(revision) = self.revise(owner_id, at).await? else { return Ok(None) };
        self.pend_revision(owner_id, revision, at, attempt).await.map(Some)
    }

    async fn pend_revision(&mut self, owner_id: &OwnerId, revision: i64, at: Timestamp, attempt: u32) -> Result<NotBefore, Error> {
        let marking = Marking {
            owner_id: owner_id.clone(),
            scope: Scope::Tenant,
            reason: EndReason::Kicked,
            actor: Actor::Admin,
            at,
            before: None,
            trace: RequestTrace::default(),
        };
        let event_id = event_id_of(at, seed(&marking, Some("revision")), attempt.wrapping_add(u32::try_from(revision % 1_000).unwrap_or(0)));
        let mark = NotBefore {
            owner_id: marking.owner_id.clone(),
            scope: Scope::Tenant,
            not_before: Timestamp(0),
            reason: marking.reason,
            revision,
            event_id,
        };
        self.pend(&mark, &marking).await?;
        Ok(mark)
    }

    async fn announce_user(
        &mut self,
        owner_id: &OwnerId,
        user_id: &UserId,
        event: &AdministrationEvent,
        attempt: u32,
    ) -> Result<NotBefore, Error> {
        let marking = Marking {
            owner_id: owner_id.clone(),
            scope: Scope::User(user_id.clone()),
            reason: EndReason::Kicked,
            actor: Actor::Admin,
            at: event.at,
            before: None,
            trace: RequestTrace::default(),
        };
        let event_id = event_id_of(event.at, SessionId::from_number(event.event_id), attempt);
        let mark = NotBefore {
            owner_id: marking.owner_id.clone(),
            scope: marking.scope.clone(),
            not_before: Timestamp(0),
            reason: marking.reason,
            revision: 0,
            event_id,
        };
        self.pend(&mark, &marking).await?;
        Ok(mark)
    }

    async fn revise(&mut self, owner_id: &OwnerId, at: Timestamp) -> Result<Option<i64>, Error> {
        let revisions: Vec<i64> = sqlx::query_scalar(
            "UPDATE bo_project SET revision = revision + 1, revised_at = CASE WHEN revised_at > $2 THEN revised_at ELSE $2 END \
             WHERE owner_id = $1 RETURNING revision",
        )
        .bind(owner_id.as_str())
        .bind(at.0)
        .fetch_all(&mut *self)
        .await?;
        Ok(revisions.first().copied())
    }
});

/// What bounds a session that is to be opened, held as it is until the transaction is over.
pub(super) trait OpeningBounds {
    /// `None` where there is no such tenant or system.
    async fn hold_bounds(&mut self, owner_id: &OwnerId, sys_id: &SystemId) -> Result<Option<Bounds>, Error>;
}

impl OpeningBounds for PgConnection {
    async fn hold_bounds(&mut self, owner_id: &OwnerId, sys_id: &SystemId) -> Result<Option<Bounds>, Error> {
        let found: Option<(i64, bool)> = sqlx::query_as(
            "SELECT greatest(project.not_before, system.not_before), project.disabled_at IS NOT NULL OR system.disabled_at IS NOT NULL \
             FROM bo_project AS project JOIN bo_system AS system ON system.owner_id = project.owner_id \
             WHERE project.owner_id = $1 AND system.sys_id = $2 FOR SHARE OF project, system",
        )
        .bind(owner_id.as_str())
        .bind(sys_id.as_str())
        .fetch_optional(self)
        .await?;
        Ok(found.map(|(not_before, disabled)| Bounds { not_before: Timestamp(not_before), disabled }))
    }
}

impl OpeningBounds for SqliteConnection {
    async fn hold_bounds(&mut self, owner_id: &OwnerId, sys_id: &SystemId) -> Result<Option<Bounds>, Error> {
        // Nobody else writes while this transaction has the one writer's lock.
        let found: Option<(i64, bool)> = sqlx::query_as(
            "SELECT max(project.not_before, system.not_before), project.disabled_at IS NOT NULL OR system.disabled_at IS NOT NULL \
             FROM bo_project AS project JOIN bo_system AS system ON system.owner_id = project.owner_id \
             WHERE project.owner_id = $1 AND system.sys_id = $2",
        )
        .bind(owner_id.as_str())
        .bind(sys_id.as_str())
        .fetch_optional(self)
        .await?;
        Ok(found.map(|(not_before, disabled)| Bounds { not_before: Timestamp(not_before), disabled }))
    }
}

pub(super) const fn missing(scope: &Scope) -> Error {
    Error::Missing(match scope {
        Scope::Tenant => "tenant",
        Scope::System(_) => "system",
        Scope::User(_) => "user",
    })
}

/// What takes the place of random bits in a mark's event id.
fn seed(marking: &Marking, kind: Option<&str>) -> SessionId {
    let mut hasher = DefaultHasher::new();
    (&marking.owner_id, &marking.scope, kind, marking.reason.number()).hash(&mut hasher);
    SessionId::from_number((hasher.finish() >> 1).cast_signed())
}

impl<'a> Event<'a> {
    /// A mark's line of the audit trail.
    fn of_marking(marking: &'a Marking, kind: &'static str, id: i64) -> Self {
        Self {
            owner_id: marking.owner_id.as_str(),
            id,
            kind,
            sys_id: if let Scope::System(sys_id) = &marking.scope { Some(sys_id.as_str()) } else { None },
            user_id: if let Scope::User(user_id) = &marking.scope { Some(UserId::as_str(user_id)) } else { None },
            session_id: None,
            reason: Some(marking.reason.as_str()),
            actor: marking.actor.as_str(),
            trace: &marking.trace,
            at: marking.at,
            payload: None,
        }
    }
}
