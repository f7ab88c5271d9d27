//! Sessions: opened under a limit, found, listed, moved to the next generation. How they end stands in `ending`.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;

use super::event::{Event, EventIds, EventLog, REFRESH_REPLAYED, SESSION_STARTED, event_id_of, respread};
use super::not_before::OpeningBounds;
use super::session_row::{EndedRow, SessionRow, live, marked_columns, unmarked, with_marks};
use super::{Db, on, transaction};
use crate::Error;
use crate::failpoint::{self, Guard};
use crate::record::{Actor, EndedSession, NewSession, RefreshedBy, RequestTrace, Rotating, Rotation, SessionFilter, SessionRecord};

/// From the newest of them on, which is found once: see the ends of all of a user's sessions.
pub(super) const REPLACE: &str = "UPDATE bo_session SET ended_at = $5, end_reason = $6, \
         keep_until = CASE WHEN access_expires_at > $5 THEN access_expires_at ELSE $5 END \
     WHERE owner_id = $1 AND user_id = $2 AND sys_id = $3 AND session_id <> $4 \
         AND ended_at IS NULL AND idle_expires_at > $5 AND expires_at > $5 \
         AND (created_at, session_id) <= ( \
             SELECT created_at, session_id FROM bo_session \
             WHERE owner_id = $1 AND user_id = $2 AND sys_id = $3 AND session_id <> $4 \
                 AND ended_at IS NULL AND idle_expires_at > $5 AND expires_at > $5 \
             ORDER BY created_at DESC, session_id DESC LIMIT 1 OFFSET $7) \
     RETURNING owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until";

pub(super) const ROTATE: &str = concat!(
    "UPDATE bo_session SET generation = generation + 1, refreshed_at = $4, idle_expires_at = $5, \
         access_expires_at = CASE WHEN access_expires_at > $6 THEN access_expires_at ELSE $6 END, \
         refreshed_generation = generation + 1, refreshed_address = $7, refreshed_user_agent = $8 \
     WHERE owner_id = $1 AND session_id = $2 AND generation = $3 AND ",
    live!(),
    " AND idle_expires_at > $4 AND expires_at > $4 \
     RETURNING session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, expires_at, \
         first_share_user_id, second_share_user_id, area_code, address, user_agent, ended_at, end_reason"
);

pub(super) const EXTEND_ACCESS: &str = concat!(
    "UPDATE bo_session SET access_expires_at = CASE WHEN access_expires_at > $3 THEN access_expires_at ELSE $3 END \
     WHERE owner_id = $1 AND session_id = $2 AND ",
    live!()
);

impl Db {
    /// Opens a session and, where that makes more than the user may have in the system, ends the oldest ones: the
    /// answer. `None`, and nothing is opened, where the user, the system or the tenant is disabled, or the user has another
    /// password by now.
    ///
    /// # Errors
    /// [`Error::Exists`] where the session's id is taken; [`Error::BeganTooEarly`] where a mark refuses it.
    pub async fn open_session(&self, owner_id: &OwnerId, new: &NewSession) -> Result<Option<Vec<EndedSession>>, Error> {
        let session = &new.session;
        let trace = RequestTrace {
            address: session.address.clone(),
            first_share_user_id: session.first_share_user_id.clone(),
            second_share_user_id: session.second_share_user_id.clone(),
            area_code: session.area_code.clone(),
            ..RequestTrace::default()
        };
        transaction!(self, |connection, attempt| {
            // Writing the user's row makes logins of one user wait for one another and for a change of the password.
            let user: Vec<i64> = sqlx::query_scalar(
                "UPDATE bo_user SET updated_at = updated_at \
                 WHERE owner_id = $1 AND user_id = $2 AND password_hash = $3 AND disabled_at IS NULL RETURNING not_before",
            )
            .bind(owner_id.as_str())
            .bind(session.user_id.as_str())
            .bind(&new.password_hash)
            .fetch_all(&mut *connection)
            .await?;
            let Some(user_not_before) = user.first().copied() else { return Ok(None) };
            let bounds = connection.hold_bounds(owner_id, &session.sys_id).await?;
            if bounds.as_ref().is_some_and(|bounds| bounds.disabled) {
                return Ok(None);
            }
            let not_before = bounds.map_or(Timestamp(0), |bounds| bounds.not_before).max(Timestamp(user_not_before));
            if session.session_id.began() < not_before {
                return Err(Error::BeganTooEarly(not_before));
            }
            sqlx::query(
                "INSERT INTO bo_session (owner_id, session_id, sys_id, user_id, generation, created_at, refreshed_at, idle_expires_at, \
                     expires_at, access_expires_at, first_share_user_id, second_share_user_id, area_code, address, user_agent) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
            )
            .bind(owner_id.as_str())
            .bind(session.session_id.number())
            .bind(session.sys_id.as_str())
            .bind(session.user_id.as_str())
            .bind(i64::from(session.generation))
            .bind(session.created_at.0)
            .bind(session.refreshed_at.0)
            .bind(session.idle_expires_at.0)
            .bind(session.expires_at.0)
            .bind(new.access_expires_at.0)
            .bind(session.first_share_user_id.as_ref().map(UserId::as_str))
            .bind(session.second_share_user_id.as_ref().map(UserId::as_str))
            .bind(session.area_code.as_ref().map(AsRef::as_ref))
            .bind(session.address.as_deref())
            .bind(session.user_agent.as_deref())
            .execute(&mut *connection)
            .await
            .map_err(|error| Error::of_insert(error, "session", "tenant"))?;

            let mut replaced = Vec::new();
            if let Some(limit) = new.limit {
                let rows: Vec<EndedRow> = sqlx::query_as(REPLACE)
                    .bind(owner_id.as_str())
                    .bind(session.user_id.as_str())
                    .bind(session.sys_id.as_str())
                    .bind(session.session_id.number())
                    .bind(session.created_at.0)
                    .bind(EndReason::Replaced.number())
                    .bind(i64::from(limit.saturating_sub(1)))
                    .fetch_all(&mut *connection)
                    .await?;
                let mut ids = EventIds::at(session.created_at, session.session_id, attempt);
                for row in rows {
                    replaced.push(row.into_ended(|_, _| ids.draw())?);
                }
            }

            let started = Event {
                owner_id: owner_id.as_str(),
                id: respread(new.event_id, session.session_id.number(), attempt),
                kind: SESSION_STARTED,
                sys_id: Some(session.sys_id.as_str()),
                user_id: Some(session.user_id.as_str()),
                session_id: Some(session.session_id.number()),
                reason: None,
                actor: Actor::User.as_str(),
                trace: &trace,
                at: session.created_at,
                payload: None,
            };
            let mut events = vec![started];
            events.extend(replaced.iter().map(|ended| Event::ended(ended, Actor::Service, &trace)));
            connection.record(&events).await?;
            Some(replaced)
        })
    }

    /// A session, ended or not.
    pub async fn find_session(&self, owner_id: &OwnerId, session_id: SessionId) -> Result<Option<SessionRecord>, Error> {
        let row: Option<SessionRow> = on!(self, read, |connection| {
            sqlx::query_as(concat!(
                "SELECT ",
                marked_columns!(),
                " FROM ",
                with_marks!(),
                " WHERE session.owner_id = $1 AND session.session_id = $2"
            ))
            .bind(owner_id.as_str())
            .bind(session_id.number())
            .fetch_optional(connection)
        })?;
        row.map(SessionRow::into_record).transpose()
    }

    /// A user's sessions that have neither ended nor run out at `now`, the newest first; at most 500.
    pub async fn list_live_sessions(&self, owner_id: &OwnerId, user_id: &UserId, now: Timestamp) -> Result<Vec<SessionRecord>, Error> {
        let rows: Vec<SessionRow> = on!(self, read, |connection| {
            sqlx::query_as(concat!(
                "SELECT ",
                marked_columns!(),
                " FROM ",
                with_marks!(),
                " WHERE session.owner_id = $1 AND session.user_id = $2 AND session.ended_at IS NULL AND session.idle_expires_at > $3 \
                     AND session.expires_at > $3 AND ",
                unmarked!("session"),
                " ORDER BY session.session_id DESC LIMIT 500"
            ))
            .bind(owner_id.as_str())
            .bind(user_id.as_str())
            .bind(now.0)
            .fetch_all(connection)
        })?;
        rows.into_iter().map(SessionRow::into_record).collect()
    }

    /// Up to `limit` sessions older than `before`, the newest first: of one user or all, `live_only` those that nobody
    /// has ended (they may have run out). For the operator.
    pub async fn list_sessions(
        &self,
        owner_id: &OwnerId,
        user_id: Option<&UserId>,
        live_only: bool,
        before: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<SessionRecord>, Error> {
        let rows: Vec<SessionRow> = on!(self, read, |connection| {
            sqlx::query_as(concat!(
                "SELECT ",
                marked_columns!(),
                " FROM ",
                with_marks!(),
                " WHERE session.owner_id = $1 AND session.session_id < $2 AND ($3 IS NULL OR session.user_id = $3) \
                     AND (NOT $4 OR (session.ended_at IS NULL AND ",
                unmarked!("session"),
                ")) ORDER BY session.session_id DESC LIMIT $5"
            ))
            .bind(owner_id.as_str())
            .bind(before.map_or(i64::MAX, SessionId::number))
            .bind(user_id.map(UserId::as_str))
            .bind(live_only)
            .bind(limit)
            .fetch_all(connection)
        })?;
        rows.into_iter().map(SessionRow::into_record).collect()
    }

    /// Up to `limit` sessions older than `before` that the filter lets through, the newest first.
    pub async fn find_sessions(
        &self,
        owner_id: &OwnerId,
        filter: &SessionFilter,
        before: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<SessionRecord>, Error> {
        let rows: Vec<SessionRow> = on!(self, read, |connection| {
            sqlx::query_as(concat!(
                "SELECT ",
                marked_columns!(),
                " FROM ",
                with_marks!(),
                " WHERE session.owner_id = $1 AND session.session_id < $2 AND ($3 IS NULL OR session.user_id = $3) \
                     AND ($4 IS NULL OR session.sys_id = $4) \
                     AND ($5 IS NULL OR (session.ended_at IS NULL AND session.idle_expires_at > $5 AND session.expires_at > $5 AND ",
                unmarked!("session"),
                ")) ORDER BY session.session_id DESC LIMIT $6"
            ))
            .bind(owner_id.as_str())
            .bind(before.map_or(i64::MAX, SessionId::number))
            .bind(filter.user_id.as_ref().map(UserId::as_str))
            .bind(filter.sys_id.as_ref().map(SystemId::as_str))
            .bind(filter.live_at.map(Timestamp::millis))
            .bind(limit)
            .fetch_all(connection)
        })?;
        rows.into_iter().map(SessionRow::into_record).collect()
    }

    /// How many sessions the filter lets through, of at most `limit`, and the newest of them.
    pub async fn count_sessions(&self, owner_id: &OwnerId, filter: &SessionFilter, limit: i64) -> Result<(u64, Option<SessionId>), Error> {
        let (count, newest): (i64, Option<i64>) = on!(self, read, |connection| {
            sqlx::query_as(concat!(
                "SELECT count(*), max(session_id) FROM (SELECT session.session_id FROM bo_session AS session \
                 WHERE session.owner_id = $1 AND ($2 IS NULL OR session.user_id = $2) AND ($3 IS NULL OR session.sys_id = $3) \
                     AND ($4 IS NULL OR (session.ended_at IS NULL AND session.idle_expires_at > $4 AND session.expires_at > $4 AND ",
                unmarked!("session"),
                ")) ORDER BY session.session_id DESC LIMIT $5) AS counted"
            ))
            .bind(owner_id.as_str())
            .bind(filter.user_id.as_ref().map(UserId::as_str))
            .bind(filter.sys_id.as_ref().map(SystemId::as_str))
            .bind(filter.live_at.map(Timestamp::millis))
            .bind(limit)
            .fetch_one(connection)
        })?;
        Ok((count.unsigned_abs(), newest.map(SessionId::from_number)))
    }

    /// Moves a session that is at its `from_generation`, has not ended and has not run out at its `refreshed_at`, to the next
    /// generation. Of any number of callers one succeeds.
    pub async fn rotate_session(&self, owner_id: &OwnerId, rotating: &Rotating<'_>) -> Result<Rotation, Error> {
        let rows: Vec<SessionRow> = on!(self, write, |connection| sqlx::query_as(failpoint::statement(
            ROTATE,
            &[(Guard::RotateLive, live!(), "TRUE"), (Guard::RotateOnce, "generation = $3", "generation >= $3")],
        ))
        .bind(owner_id.as_str())
        .bind(rotating.session_id.number())
        .bind(i64::from(rotating.from_generation))
        .bind(rotating.refreshed_at.0)
        .bind(rotating.idle_expires_at.0)
        .bind(rotating.access_expires_at.0)
        .bind(rotating.address)
        .bind(rotating.user_agent)
        .fetch_all(connection))?;
        if let Some(row) = rows.into_iter().next() {
            return Ok(Rotation::Rotated(row.into_record()?));
        }
        Ok(self.find_session(owner_id, rotating.session_id).await?.map_or(Rotation::Unknown, Rotation::Unchanged))
    }

    /// Who has moved a session to this generation; `None` where it is at another, or a version moved it that did not ask.
    pub async fn find_refreshed_by(
        &self,
        owner_id: &OwnerId,
        session_id: SessionId,
        generation: u32,
    ) -> Result<Option<RefreshedBy>, Error> {
        let found: Option<(Option<String>, Option<String>)> = on!(self, read, |connection| sqlx::query_as(
            "SELECT refreshed_address, refreshed_user_agent FROM bo_session \
             WHERE owner_id = $1 AND session_id = $2 AND generation = $3 AND refreshed_generation = $3",
        )
        .bind(owner_id.as_str())
        .bind(session_id.number())
        .bind(i64::from(generation))
        .fetch_optional(connection))?;
        Ok(found.map(|(address, user_agent)| RefreshedBy { address, user_agent }))
    }

    /// Writes into the audit trail that a session's present generation was asked for again from elsewhere, once for each
    /// generation; false where it stands there, or the session has ended or moved on.
    pub async fn record_replay(
        &self,
        owner_id: &OwnerId,
        session: &SessionRecord,
        at: Timestamp,
        trace: &RequestTrace,
    ) -> Result<bool, Error> {
        transaction!(self, |connection, attempt| {
            let noted = sqlx::query(
                "UPDATE bo_session SET replayed_generation = generation \
                 WHERE owner_id = $1 AND session_id = $2 AND generation = $3 AND ended_at IS NULL \
                     AND (replayed_generation IS NULL OR replayed_generation < generation)",
            )
            .bind(owner_id.as_str())
            .bind(session.session_id.number())
            .bind(i64::from(session.generation))
            .execute(&mut *connection)
            .await?
            .rows_affected()
                > 0;
            if noted {
                let event = Event {
                    owner_id: owner_id.as_str(),
                    id: event_id_of(at, session.session_id, attempt),
                    kind: REFRESH_REPLAYED,
                    sys_id: Some(session.sys_id.as_str()),
                    user_id: Some(session.user_id.as_str()),
                    session_id: Some(session.session_id.number()),
                    reason: None,
                    actor: Actor::Service.as_str(),
                    trace,
                    at,
                    payload: None,
                };
                connection.record(&[event]).await?;
            }
            noted
        })
    }

    /// Records that an access token of the session lives until `access_expires_at`, before that token is handed out;
    /// false, and the token must not be, where the session has ended or is unknown.
    pub async fn extend_access(&self, owner_id: &OwnerId, session_id: SessionId, access_expires_at: Timestamp) -> Result<bool, Error> {
        on!(self, write, |connection| sqlx::query(failpoint::statement(EXTEND_ACCESS, &[(Guard::ExtendAccess, live!(), "TRUE")]))
            .bind(owner_id.as_str())
            .bind(session_id.number())
            .bind(access_expires_at.0)
            .execute(connection)
            .map_ok(|done| done.rows_affected() > 0))
    }
}
