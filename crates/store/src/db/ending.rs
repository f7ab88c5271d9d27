//! How sessions end: the one place that writes `ended_at` outside a login. The row, its line of the audit trail and its
//! row of the outbox are one transaction, and an end is never taken back.

use std::collections::{BTreeMap, HashMap, HashSet};

use bo_auth_core::identifier::{OwnerId, SystemId};
use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use serde::Serialize;
use sqlx::types::Json;

use super::event::{Event, EventIds, EventLog, respread, taken};
use super::not_before::Marks;
use super::session_row::{EndedRow, live, unmarked};
use super::{Db, both_connections, bounded, on, retried, transaction};
use crate::Error;
use crate::failpoint::{self, Guard};
use crate::record::{EndOutcome, EndedSession, Ending, Marking, RequestTrace, Revoked, Scope, UserEnding};

type Key<'a> = (&'a OwnerId, SessionId);

/// One statement and so one round trip. Each row is looked up by its key and locked, in the order
/// of the keys: two batches with sessions in common wait for one another and do not meet crosswise.
/// `OFFSET 0` keeps the look-up apart, so that the planner can neither turn it into a join of the
/// whole table nor use an index of live sessions, which it believes to be small.
pub(super) const END_SESSIONS: &str = "WITH ending AS MATERIALIZED ( \
         SELECT asked.* FROM ( \
             SELECT * FROM unnest($1::text[], $2::bigint[], $3::integer[], $4::text[], $5::text[], $6::bigint[], $7::bigint[], \
                     $8::bigint[], $9::jsonb[]) \
                 AS asked (owner_id, session_id, end_reason, reason, actor, at, keep_until, event_id, trace) \
             ORDER BY owner_id COLLATE \"C\", session_id \
         ) AS asked CROSS JOIN LATERAL ( \
             SELECT session.ended_at FROM bo_session AS session \
             WHERE session.owner_id = asked.owner_id AND session.session_id = asked.session_id OFFSET 0 FOR NO KEY UPDATE \
         ) AS live \
         WHERE live.ended_at IS NULL \
     ), ended AS ( \
         UPDATE bo_session AS session \
         SET ended_at = ending.at, end_reason = ending.end_reason, \
             keep_until = greatest(session.access_expires_at, ending.keep_until, ending.at) \
         FROM ending \
         WHERE session.owner_id = ending.owner_id AND session.session_id = ending.session_id \
         RETURNING session.owner_id, session.session_id, session.sys_id, session.user_id, session.end_reason, \
             session.ended_at, session.keep_until, ending.reason, ending.actor, ending.event_id, ending.trace \
     ), audited AS ( \
         INSERT INTO bo_audit_event (owner_id, event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at) \
         SELECT owner_id, event_id, 'session.ended', sys_id, user_id, session_id, reason, actor, trace, ended_at FROM ended \
     ), told AS ( \
         INSERT INTO bo_outbox (event_id, owner_id, kind, payload, created_at) \
         SELECT event_id, owner_id, 'session.ended', \
             jsonb_build_object('owner_id', owner_id, 'session_id', lpad(to_hex(session_id), 16, '0'), \
                 'sys_id', sys_id, 'user_id', user_id, 'reason', reason, 'ended_at', ended_at, \
                 'keep_until', keep_until, 'event_id', event_id), \
             ended_at \
         FROM ended \
     ) \
     SELECT owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until FROM ended";

/// The same without its events.
pub(super) const END_SESSIONS_SQLITE: &str = "WITH ending AS ( \
         SELECT value ->> 'owner_id' AS owner_id, value ->> 'session_id' AS session_id, \
                value ->> 'end_reason' AS end_reason, value ->> 'at' AS at, value ->> 'keep_until' AS keep_until \
         FROM json_each($1) \
     ) \
     UPDATE bo_session \
     SET ended_at = ending.at, end_reason = ending.end_reason, \
         keep_until = max(bo_session.access_expires_at, ending.keep_until, ending.at) \
     FROM ending \
     WHERE bo_session.owner_id = ending.owner_id AND bo_session.session_id = ending.session_id \
         AND bo_session.ended_at IS NULL \
     RETURNING owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until";

pub(super) const FIND_ENDED: &str = "SELECT session.* \
     FROM unnest($1::text[], $2::bigint[]) AS asked (owner_id, session_id) CROSS JOIN LATERAL ( \
         SELECT owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until FROM bo_session \
         WHERE bo_session.owner_id = asked.owner_id AND bo_session.session_id = asked.session_id OFFSET 0 \
     ) AS session WHERE session.ended_at IS NOT NULL";

pub(super) const FIND_ENDED_SQLITE: &str = "SELECT session.owner_id, session.session_id, session.sys_id, session.user_id, \
         session.end_reason, session.ended_at, session.keep_until \
     FROM json_each($1) AS asked \
     JOIN bo_session AS session ON session.owner_id = asked.value ->> 0 AND session.session_id = asked.value ->> 1 \
     WHERE session.ended_at IS NOT NULL";

/// Writing the row holds it as it is until the transaction is over.
pub(super) const HOLD_LIVE: &str = concat!(
    "UPDATE bo_session SET generation = generation WHERE owner_id = $1 AND session_id = $2 AND user_id = $3 AND ",
    live!(),
    " AND idle_expires_at > $4 AND expires_at > $4 AND ",
    unmarked!("bo_session")
);

/// Up to the last of them, which is found once: among a list of them Postgres may look anew for
/// every live session of the tenant.
pub(super) const END_SESSIONS_OF_USER: &str = "UPDATE bo_session SET ended_at = $3, end_reason = $4, \
         keep_until = CASE WHEN access_expires_at > $5 THEN access_expires_at ELSE $5 END \
     WHERE owner_id = $1 AND user_id = $2 AND ended_at IS NULL AND ($6 IS NULL OR session_id <> $6) \
         AND ($9 IS NULL OR sys_id = $9) \
         AND session_id <= COALESCE(( \
             SELECT session_id FROM bo_session \
             WHERE owner_id = $1 AND user_id = $2 AND ended_at IS NULL AND ($6 IS NULL OR session_id <> $6) \
                 AND ($9 IS NULL OR sys_id = $9) AND session_id <= $8 \
             ORDER BY session_id LIMIT 1 OFFSET $7), $8) \
     RETURNING owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until";

pub(super) const LIST_ENDED: &str = "SELECT owner_id, session_id, sys_id, user_id, end_reason, ended_at, keep_until FROM bo_session \
     WHERE ended_at IS NOT NULL AND keep_until > $1 AND (keep_until, owner_id, session_id) > ($2, $3, $4) \
     ORDER BY keep_until, owner_id, session_id LIMIT $5";

/// An ending as the statement reads it.
#[derive(Serialize)]
struct EndingRow<'a> {
    owner_id: &'a str,
    session_id: i64,
    end_reason: i32,
    reason: &'static str,
    actor: &'static str,
    at: Timestamp,
    keep_until: Timestamp,
    event_id: i64,
    trace: &'a RequestTrace,
}

impl Db {
    /// Ends sessions, all in one transaction that is durable when this returns; the outcomes stand in the order of
    /// `endings`. A session that is named twice is ended once, and by the first.
    pub async fn end_sessions(&self, endings: &[Ending]) -> Result<Vec<EndOutcome>, Error> {
        let distinct = distinct(endings);
        let ended = retried!(|attempt| self.end_live(&distinct, attempt).await)?;
        let ended: HashMap<Key<'_>, &EndedSession> =
            ended.iter().map(|session| ((&session.owner_id, session.session_id), session)).collect();
        let others: Vec<Key<'_>> = distinct.keys().filter(|key| !ended.contains_key(*key)).copied().collect();
        let before = if others.is_empty() { Vec::new() } else { self.find_ended(&others).await? };
        let before: HashMap<Key<'_>, &EndedSession> =
            before.iter().map(|session| ((&session.owner_id, session.session_id), session)).collect();

        let mut told = HashSet::new();
        let outcome = |ending: &Ending| {
            let key = (&ending.owner_id, ending.session_id);
            match (ended.get(&key), before.get(&key)) {
                (Some(session), _) if told.insert((ending.owner_id.clone(), ending.session_id)) => EndOutcome::Ended((*session).clone()),
                (Some(session), _) | (None, Some(session)) => EndOutcome::AlreadyEnded((*session).clone()),
                (None, None) => EndOutcome::Unknown,
            }
        };
        Ok(endings.iter().map(outcome).collect())
    }

    /// Ends those that are live and answers them.
    async fn end_live(&self, distinct: &BTreeMap<Key<'_>, EndingPlan<'_>>, attempt: u32) -> Result<Vec<EndedSession>, Error> {
        let plan = distinct.values().map(|plan| plan.row(attempt)).collect::<Vec<_>>();
        let event_id = |owner_id: &OwnerId, session_id| {
            distinct.get(&(owner_id, session_id)).map_or(0, |plan| respread(plan.ending.event_id, session_id.number(), attempt))
        };
        match self {
            Self::Postgres(pool) => {
                let column = |of: fn(&EndingRow<'_>) -> i64| plan.iter().map(of).collect::<Vec<_>>();
                let text = |of: for<'a> fn(&EndingRow<'a>) -> &'a str| plan.iter().map(of).collect::<Vec<_>>();
                let rows: Vec<EndedRow> = bounded!(pool, |connection| {
                    sqlx::query_as(failpoint::statement(END_SESSIONS, &[(Guard::EndOnce, "live.ended_at IS NULL", "TRUE")]))
                        .bind(text(|row| row.owner_id))
                        .bind(column(|row| row.session_id))
                        .bind(plan.iter().map(|row| row.end_reason).collect::<Vec<_>>())
                        .bind(text(|row| row.reason))
                        .bind(text(|row| row.actor))
                        .bind(column(|row| row.at.0))
                        .bind(column(|row| row.keep_until.0))
                        .bind(column(|row| row.event_id))
                        .bind(plan.iter().map(|row| Json(row.trace)).collect::<Vec<_>>())
                        .fetch_all(connection)
                        .map_err(taken)
                })?;
                rows.into_iter().map(|row| row.into_ended(event_id)).collect()
            }
            Self::Sqlite { write, .. } => bounded!(write, |borrowed| async {
                let mut transaction = sqlx::Connection::begin_with(borrowed, "BEGIN IMMEDIATE").await?;
                let rows: Vec<EndedRow> = sqlx::query_as(END_SESSIONS_SQLITE).bind(Json(&plan)).fetch_all(&mut *transaction).await?;
                let ended = rows.into_iter().map(|row| row.into_ended(event_id)).collect::<Result<Vec<_>, Error>>()?;
                let events: Vec<_> = ended
                    .iter()
                    .filter_map(|session| {
                        let plan = distinct.get(&(&session.owner_id, session.session_id))?;
                        Some(Event::ended(session, plan.ending.actor, &plan.ending.trace))
                    })
                    .collect();
                if !events.is_empty() {
                    transaction.record(&events).await?;
                }
                transaction.commit().await?;
                Ok::<_, Error>(ended)
            }),
        }
    }

    /// Those of the named sessions that have ended.
    async fn find_ended(&self, keys: &[Key<'_>]) -> Result<Vec<EndedSession>, Error> {
        let rows: Vec<EndedRow> = match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query_as(FIND_ENDED)
                .bind(keys.iter().map(|(owner_id, _)| owner_id.as_str()).collect::<Vec<_>>())
                .bind(keys.iter().map(|(_, session_id)| session_id.number()).collect::<Vec<_>>())
                .fetch_all(connection)),
            Self::Sqlite { read, .. } => bounded!(read, |connection| sqlx::query_as(FIND_ENDED_SQLITE)
                .bind(Json(keys.iter().map(|(owner_id, session_id)| (owner_id.as_str(), session_id.number())).collect::<Vec<_>>()))
                .fetch_all(connection)),
        }?;
        rows.into_iter().map(|row| row.into_ended(|_, _| 0)).collect()
    }

    /// Ends the sessions of a user that nobody has ended, save for the one that goes on; answers those, and the user's
    /// mark where none goes on. Nothing happens where the session that must be live is not.
    pub async fn end_user_sessions(&self, ending: &UserEnding) -> Result<Revoked, Error> {
        transaction!(self, |connection, attempt| { connection.end_sessions_of(ending, attempt).await? })
    }

    /// Ended sessions that must be remembered beyond `keep_until_after`: up to `limit` of them
    /// behind `after`, in the order of how long. Works for all tenants.
    pub async fn list_ended_sessions(
        &self,
        keep_until_after: Timestamp,
        after: Option<&EndedSession>,
        limit: i64,
    ) -> Result<Vec<EndedSession>, Error> {
        let rows: Vec<EndedRow> = on!(self, read, |connection| sqlx::query_as(LIST_ENDED)
            .bind(keep_until_after.0)
            .bind(after.map_or(keep_until_after, |session| session.keep_until).0)
            .bind(after.map_or("", |session| session.owner_id.as_str()))
            .bind(after.map_or(i64::MIN, |session| session.session_id.number()))
            .bind(limit)
            .fetch_all(connection))?;
        rows.into_iter().map(|row| row.into_ended(|_, _| 0)).collect()
    }
}

/// The ends of all of a user's sessions, inside a transaction that has begun.
pub(super) trait UserSessions {
    /// Ends them, with their events.
    async fn end_sessions_of(&mut self, ending: &UserEnding, attempt: u32) -> Result<Revoked, Error>;
}

both_connections!(UserSessions {
    async fn end_sessions_of(&mut self, ending: &UserEnding, attempt: u32) -> Result<Revoked, Error> {
        // The user's row comes first, as in a login: whoever ends a user's sessions waits here for whoever else does, and not
        // for one session of many while it holds others.
        sqlx::query("UPDATE bo_user SET not_before = not_before WHERE owner_id = $1 AND user_id = $2")
            .bind(ending.owner_id.as_str())
            .bind(ending.user_id.as_str())
            .execute(&mut *self)
            .await?;
        if let Some(session_id) = ending.while_live {
            let live = sqlx::query(
                HOLD_LIVE,
            )
            .bind(ending.owner_id.as_str())
            .bind(session_id.number())
            .bind(ending.user_id.as_str())
            .bind(ending.at.0)
            .execute(&mut *self)
            .await?;
            if live.rows_affected() == 0 {
                return Ok(Revoked::default());
            }
        }
        let mut marks = Vec::new();
        if ending.except.is_none() && ending.sys_id.is_none() {
            let marking = Marking {
                owner_id: ending.owner_id.clone(),
                scope: Scope::User(ending.user_id.clone()),
                reason: ending.reason,
                actor: ending.actor,
                at: ending.at,
                before: ending.before,
                trace: ending.trace.clone(),
            };
            marks.extend(self.mark(&marking, None, attempt).await?);
        }
        let at_once = if marks.is_empty() { i64::MAX } else { i64::try_from(Revoked::AT_ONCE).unwrap_or(i64::MAX) };
        let rows: Vec<EndedRow> = sqlx::query_as(END_SESSIONS_OF_USER)
        .bind(ending.owner_id.as_str())
        .bind(ending.user_id.as_str())
        .bind(ending.at.0)
        .bind(ending.reason.number())
        .bind(ending.keep_until.max(ending.at).0)
        .bind(ending.except.map(SessionId::number))
        .bind(at_once - 1)
        .bind(ending.before.map_or(i64::MAX, |before| first_id_at(before) - 1))
        .bind(ending.sys_id.as_ref().map(SystemId::as_str))
        .fetch_all(&mut *self)
        .await?;
        let mut ids = EventIds::at(ending.at, rows.first().map_or(SessionId::from_number(0), EndedRow::session_id), attempt);
        let ended = rows.into_iter().map(|row| row.into_ended(|_, _| ids.draw())).collect::<Result<Vec<_>, Error>>()?;
        if !ended.is_empty() {
            let events: Vec<_> = ended.iter().map(|session| Event::ended(session, ending.actor, &ending.trace)).collect();
            self.record(&events).await?;
        }
        Ok(Revoked { sessions: ended, marks })
    }
});

/// The first ending of a session, with the longest memory that any of its endings asks for.
struct EndingPlan<'a> {
    ending: &'a Ending,
    keep_until: Timestamp,
}

impl EndingPlan<'_> {
    fn row(&self, attempt: u32) -> EndingRow<'_> {
        EndingRow {
            owner_id: self.ending.owner_id.as_str(),
            session_id: self.ending.session_id.number(),
            end_reason: self.ending.reason.number(),
            reason: self.ending.reason.as_str(),
            actor: self.ending.actor.as_str(),
            at: self.ending.at,
            keep_until: self.keep_until,
            event_id: respread(self.ending.event_id, self.ending.session_id.number(), attempt),
            trace: &self.ending.trace,
        }
    }
}

fn distinct(endings: &[Ending]) -> BTreeMap<Key<'_>, EndingPlan<'_>> {
    let mut distinct = BTreeMap::new();
    for ending in endings {
        let plan = distinct.entry((&ending.owner_id, ending.session_id)).or_insert(EndingPlan { ending, keep_until: ending.keep_until });
        plan.keep_until = plan.keep_until.max(ending.keep_until);
    }
    distinct
}
