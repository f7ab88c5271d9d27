//! What happened, written in the transaction in which it happens: a line of the audit trail and, where others must be
//! told, a row of the outbox with the same id.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::random::mix;
use bo_auth_core::session::{SessionId, first_id_at};
use bo_auth_core::time::Timestamp;
use serde::Serialize;
use sqlx::types::Json;
use sqlx::{PgConnection, SqliteConnection};

use crate::Error;
use crate::error::EVENT;
use crate::record::{Actor, AdministrationEvent, EndedSession, RequestTrace};

/// The kind of a session's beginning.
pub(super) const SESSION_STARTED: &str = "session.started";
/// The kind of a session's end.
pub(super) const SESSION_ENDED: &str = "session.ended";
/// The same in the outbox, where the other nodes could not be told by way of Redis and must find it there.
pub(super) const SESSION_ENDED_UNTOLD: &str = "session.ended.untold";
/// The kind of a refresh that was asked for again from elsewhere.
pub(super) const REFRESH_REPLAYED: &str = "session.refresh-replayed";
/// The kind of a new password.
pub(super) const PASSWORD_CHANGED: &str = "user.password-changed";

/// The bits of an event's id that do not tell the time.
const RANDOM_MASK: i64 = (1 << 22) - 1;

#[derive(Serialize)]
pub(super) struct Event<'a> {
    pub(super) owner_id: &'a str,
    #[serde(rename = "event_id")]
    pub(super) id: i64,
    pub(super) kind: &'static str,
    pub(super) sys_id: Option<&'a str>,
    pub(super) user_id: Option<&'a str>,
    pub(super) session_id: Option<i64>,
    pub(super) reason: Option<&'static str>,
    pub(super) actor: &'static str,
    pub(super) trace: &'a RequestTrace,
    pub(super) at: Timestamp,
    /// What the outbox tells.
    pub(super) payload: Option<&'a EndedSession>,
}

impl<'a> Event<'a> {
    /// What an administrator did.
    pub(super) fn administered(owner_id: &'a OwnerId, event: &'a AdministrationEvent, attempt: u32) -> Self {
        Self {
            owner_id: owner_id.as_str(),
            id: respread(event.event_id, event.event_id >> 22, attempt),
            kind: event.kind,
            sys_id: event.sys_id.as_ref().map(SystemId::as_str),
            user_id: event.user_id.as_ref().map(UserId::as_str),
            session_id: None,
            reason: None,
            actor: Actor::Admin.as_str(),
            trace: &event.trace,
            at: event.at,
            payload: None,
        }
    }

    /// The end of a session.
    pub(super) fn ended(session: &'a EndedSession, actor: Actor, trace: &'a RequestTrace) -> Self {
        Self {
            owner_id: session.owner_id.as_str(),
            id: session.event_id,
            kind: SESSION_ENDED,
            sys_id: Some(session.sys_id.as_str()),
            user_id: Some(session.user_id.as_str()),
            session_id: Some(session.session_id.number()),
            reason: Some(session.reason.as_str()),
            actor: actor.as_str(),
            trace,
            at: session.ended_at,
            payload: Some(session),
        }
    }
}

/// An event's id for an `attempt`: at first the one that was drawn. Ids of one millisecond can meet; the next attempt
/// moves each by a step of its own.
pub(super) const fn respread(event_id: i64, seed: i64, attempt: u32) -> i64 {
    // Of all bits of the seed: sessions whose random bits meet, and with them the ids of their ends, began at different times.
    moved(event_id, ((mix(seed.cast_unsigned()).cast_signed() & RANDOM_MASK) | 1).wrapping_mul(attempt as i64))
}

/// The id of an event for which nobody drew one: the instant, and the seed's own random bits.
pub(super) const fn event_id_of(at: Timestamp, seed: SessionId, attempt: u32) -> i64 {
    respread(first_id_at(at) | (seed.number() & RANDOM_MASK), seed.number(), attempt)
}

/// The ids of the ends of several sessions, for which nobody drew any. They follow one another, so that they cannot meet among
/// themselves: of random ones, a thousand of one millisecond do in one case of eight.
pub(super) struct EventIds(i64);

impl EventIds {
    /// Those of an instant, from where a session's random bits are.
    pub(super) const fn at(at: Timestamp, seed: SessionId, attempt: u32) -> Self {
        Self(event_id_of(at, seed, attempt))
    }

    /// The next one.
    pub(super) const fn draw(&mut self) -> i64 {
        let drawn = self.0;
        self.0 = moved(drawn, 1);
        drawn
    }
}

/// Another id of the same instant.
const fn moved(event_id: i64, by: i64) -> i64 {
    (event_id & !RANDOM_MASK) | ((event_id & RANDOM_MASK).wrapping_add(by) & RANDOM_MASK)
}

/// Where events are written, inside a transaction that has begun.
pub(super) trait EventLog {
    /// Writes all of them.
    ///
    /// # Errors
    /// [`Error::Exists`] where an id is taken.
    async fn record(&mut self, events: &[Event<'_>]) -> Result<(), Error>;
}

impl EventLog for PgConnection {
    async fn record(&mut self, events: &[Event<'_>]) -> Result<(), Error> {
        sqlx::query(
            "WITH event AS ( \
                 SELECT * FROM jsonb_to_recordset($1) AS event ( \
                     owner_id text, event_id bigint, kind text, sys_id text, user_id text, session_id bigint, \
                     reason text, actor text, trace jsonb, at bigint, payload jsonb) \
             ), audited AS ( \
                 INSERT INTO bo_audit_event (owner_id, event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at) \
                 SELECT owner_id, event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at FROM event \
             ) \
             INSERT INTO bo_outbox (event_id, owner_id, kind, payload, created_at) \
             SELECT event_id, owner_id, kind, payload, at FROM event WHERE payload IS NOT NULL",
        )
        .bind(Json(events))
        .execute(self)
        .await
        .map_err(taken)?;
        Ok(())
    }
}

impl EventLog for SqliteConnection {
    async fn record(&mut self, events: &[Event<'_>]) -> Result<(), Error> {
        let events = Json(events);
        sqlx::query(
            "INSERT INTO bo_audit_event (owner_id, event_id, kind, sys_id, user_id, session_id, reason, actor, trace, at) \
             SELECT value ->> 'owner_id', value ->> 'event_id', value ->> 'kind', value ->> 'sys_id', value ->> 'user_id', \
                    value ->> 'session_id', value ->> 'reason', value ->> 'actor', value -> 'trace', value ->> 'at' \
             FROM json_each($1)",
        )
        .bind(events)
        .execute(&mut *self)
        .await
        .map_err(taken)?;
        sqlx::query(
            "INSERT INTO bo_outbox (event_id, owner_id, kind, payload, created_at) \
             SELECT value ->> 'event_id', value ->> 'owner_id', value ->> 'kind', value -> 'payload', value ->> 'at' \
             FROM json_each($1) WHERE value ->> 'payload' IS NOT NULL",
        )
        .bind(events)
        .execute(&mut *self)
        .await
        .map_err(taken)?;
        Ok(())
    }
}

pub(super) fn taken(error: sqlx::Error) -> Error {
    Error::of_insert(error, EVENT, "tenant")
}
