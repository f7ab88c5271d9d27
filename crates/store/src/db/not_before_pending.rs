//! What is still to be done about marks: rows of `bo_not_before`, written with the mark and removed once every node
//! refuses the sessions and each of them has ended with an event of its own. Works for all tenants.

use bo_auth_core::identifier::UserId;
use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::Timestamp;
use futures_util::TryFutureExt;
use sqlx::types::Json;

use super::event::EventIds;
use super::not_before_row::{PendingMarkRow, parts};
use super::{Db, OutboxBacklog, bounded, on, retried};
use crate::Error;
use crate::record::{EndOutcome, EndedSession, Ending, NotBefore, PendingMark, Scope};

/// Each row is looked up by its key, and locked in the order of the keys.
pub(super) const MARK_UNTOLD_MARKS: &str = "WITH told AS MATERIALIZED ( \
         SELECT mark.* FROM ( \
             SELECT DISTINCT owner_id COLLATE \"C\" AS owner_id, event_id \
             FROM unnest($1::text[], $2::bigint[]) AS asked (owner_id, event_id) ORDER BY owner_id, event_id \
         ) AS asked CROSS JOIN LATERAL ( \
             SELECT owner_id, event_id FROM bo_not_before \
             WHERE bo_not_before.owner_id = asked.owner_id AND bo_not_before.event_id = asked.event_id OFFSET 0 FOR NO KEY UPDATE \
         ) AS mark \
     ) UPDATE bo_not_before SET untold = 1 FROM told \
     WHERE bo_not_before.owner_id = told.owner_id AND bo_not_before.event_id = told.event_id";

pub(super) const MARK_UNTOLD_MARKS_SQLITE: &str = "UPDATE bo_not_before SET untold = 1 FROM json_each($1) AS asked \
     WHERE bo_not_before.owner_id = asked.value ->> 0 AND bo_not_before.event_id = asked.value ->> 1";

pub(super) const LIST_MARKED: &str = "SELECT user_id, session_id FROM bo_session \
     WHERE owner_id = $1 AND ended_at IS NULL AND (user_id, session_id) > ($2, $3) AND user_id <= $4 AND session_id < $5 \
         AND ($6 <> 'system' OR sys_id = $7) \
     ORDER BY user_id, session_id LIMIT $8";

impl Db {
    /// Up to `limit` marks from before `made_before` that nobody is working on at `now`, the oldest first.
    pub async fn pending_marks(&self, made_before: Timestamp, now: Timestamp, limit: i64) -> Result<Vec<PendingMark>, Error> {
        let rows: Vec<PendingMarkRow> = on!(self, read, |connection| sqlx::query_as(
            "SELECT owner_id, scope, subject, not_before, reason, revision, event_id, actor, trace, at FROM bo_not_before \
             WHERE at < $1 AND claimed_until < $2 ORDER BY event_id LIMIT $3",
        )
        .bind(made_before.0)
        .bind(now.0)
        .bind(limit)
        .fetch_all(connection))?;
        rows.into_iter().map(PendingMarkRow::into_pending).collect()
    }

    /// Takes a mark to work on until `until`; false where somebody else has it at `now`, or it is done. Two who believe
    /// to have it do no harm, only the same work twice.
    pub async fn claim_mark(&self, mark: &NotBefore, now: Timestamp, until: Timestamp) -> Result<bool, Error> {
        on!(self, write, |connection| sqlx::query(
            "UPDATE bo_not_before SET claimed_until = $4 WHERE owner_id = $1 AND event_id = $2 AND claimed_until < $3",
        )
        .bind(mark.owner_id.as_str())
        .bind(mark.event_id)
        .bind(now.0)
        .bind(until.0)
        .execute(connection)
        .map_ok(|done| done.rows_affected() > 0))
    }

    /// Goes on with a mark that was claimed, until `until`.
    pub async fn hold_mark(&self, mark: &NotBefore, until: Timestamp) -> Result<(), Error> {
        on!(self, write, |connection| sqlx::query("UPDATE bo_not_before SET claimed_until = $3 WHERE owner_id = $1 AND event_id = $2")
            .bind(mark.owner_id.as_str())
            .bind(mark.event_id)
            .bind(until.0)
            .execute(connection)
            .map_ok(|_| ()))
    }

    /// Ends up to `limit` sessions that a mark refuses and whose rows do not say so yet, behind `after`; answers those that
    /// this call has ended, and the last one that was looked at, if there may be more.
    pub async fn end_marked_sessions(
        &self,
        pending: &PendingMark,
        after: Option<&(UserId, SessionId)>,
        limit: i64,
        now: Timestamp,
    ) -> Result<(Vec<EndedSession>, Option<(UserId, SessionId)>), Error> {
        let mut marked = self.list_marked_sessions(&pending.mark, after, limit).await?;
        // Not of the mark's own instant, in which there may not be room for the ends of all of its sessions.
        let mut ids = EventIds::at(now, marked.first().map_or(SessionId::from_number(0), |(_, session_id)| *session_id), 0);
        let ending = |(_, session_id): &(UserId, SessionId)| Ending {
            owner_id: pending.mark.owner_id.clone(),
            session_id: *session_id,
            reason: pending.mark.reason,
            actor: pending.actor,
            at: pending.at,
            keep_until: pending.at,
            event_id: ids.draw(),
            trace: pending.trace.clone(),
        };
        let endings: Vec<Ending> = marked.iter().map(ending).collect();
        let mut ended = Vec::new();
        if !endings.is_empty() {
            for outcome in self.end_sessions(&endings).await? {
                if let EndOutcome::Ended(session) = outcome {
                    ended.push(session);
                }
            }
        }
        let is_last = i64::try_from(marked.len()).unwrap_or(limit) < limit;
        Ok((ended, marked.pop().filter(|_| !is_last)))
    }

    /// Sessions without an end that a mark refuses, in the order of users. It is read beside the writer, so that no logout
    /// waits for it.
    async fn list_marked_sessions(
        &self,
        mark: &NotBefore,
        after: Option<&(UserId, SessionId)>,
        limit: i64,
    ) -> Result<Vec<(UserId, SessionId)>, Error> {
        let (scope, subject) = parts(&mark.scope);
        let (first, last) = match &mark.scope {
            Scope::User(user_id) => (user_id.as_str(), user_id.as_str()),
            // Behind every identifier.
            Scope::Tenant | Scope::System(_) => ("", "\u{10ffff}"),
        };
        let rows: Vec<(String, i64)> = on!(self, read, |connection| sqlx::query_as(LIST_MARKED,)
            .bind(mark.owner_id.as_str())
            .bind(after.map_or(first, |(user_id, _)| user_id.as_str()))
            .bind(after.map_or(i64::MIN, |(_, session_id)| session_id.number()))
            .bind(last)
            .bind(first_id_at(mark.not_before))
            .bind(scope)
            .bind(subject)
            .bind(limit)
            .fetch_all(connection))?;
        let session = |(user_id, number): (String, i64)| {
            let user_id = UserId::try_from(user_id).map_err(|_| Error::Corrupt("user id"))?;
            Ok((user_id, SessionId::from_number(number)))
        };
        rows.into_iter().map(session).collect()
    }

    /// How many marks are not finished, and when the oldest of them was made.
    pub async fn marks_backlog(&self) -> Result<OutboxBacklog, Error> {
        let (events, oldest): (i64, Option<i64>) =
            on!(self, read, |connection| sqlx::query_as("SELECT count(*), min(at) FROM bo_not_before").fetch_one(connection))?;
        Ok(OutboxBacklog { events, oldest: oldest.map(Timestamp) })
    }

    /// Says that marks could not be told by way of Redis, so that the other nodes find them here.
    pub async fn mark_untold_marks(&self, marks: &[NotBefore]) -> Result<(), Error> {
        let keys: Vec<(&str, i64)> = marks.iter().map(|mark| (mark.owner_id.as_str(), mark.event_id)).collect();
        retried!(|attempt| match self {
            Self::Postgres(pool) => bounded!(pool, |connection| sqlx::query(MARK_UNTOLD_MARKS)
                .bind(keys.iter().map(|(owner_id, _)| *owner_id).collect::<Vec<_>>())
                .bind(keys.iter().map(|(_, event_id)| *event_id).collect::<Vec<_>>())
                .execute(connection)
                .map_ok(|_| ())),
            Self::Sqlite { write, .. } =>
                bounded!(write, |connection| sqlx::query(MARK_UNTOLD_MARKS_SQLITE).bind(Json(&keys)).execute(connection).map_ok(|_| ())),
        })
    }

    /// Removes what was to be done about a mark: it is done.
    pub async fn remove_mark(&self, mark: &NotBefore) -> Result<(), Error> {
        on!(self, write, |connection| sqlx::query("DELETE FROM bo_not_before WHERE owner_id = $1 AND event_id = $2")
            .bind(mark.owner_id.as_str())
            .bind(mark.event_id)
            .execute(connection)
            .map_ok(|_| ()))
    }
}
