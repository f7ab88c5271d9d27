//! Rows of `bo_session` as both engines give them, and what they mean.

use bo_auth_core::identifier::{AreaCode, OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use crate::Error;
use crate::record::{EndedSession, SessionRecord};

/// The columns of a [`SessionRow`], with the marks that may refuse it; to be read from [`with_marks`].
macro_rules! marked_columns {
    () => {
        "session.session_id, session.sys_id, session.user_id, session.generation, session.created_at, session.refreshed_at, \
         session.idle_expires_at, session.expires_at, session.first_share_user_id, session.second_share_user_id, session.area_code, \
         session.address, session.user_agent, session.ended_at, session.end_reason, \
         project.not_before AS tenant_not_before, project.not_before_reason AS tenant_reason, \
         system.not_before AS system_not_before, system.not_before_reason AS system_reason, \
         holder.not_before AS user_not_before, holder.not_before_reason AS user_reason"
    };
}

/// Sessions, each with the rows that may refuse it.
macro_rules! with_marks {
    () => {
        "bo_session AS session \
         LEFT JOIN bo_project AS project ON project.owner_id = session.owner_id \
         LEFT JOIN bo_system AS system ON system.owner_id = session.owner_id AND system.sys_id = session.sys_id \
         LEFT JOIN bo_user AS holder ON holder.owner_id = session.owner_id AND holder.user_id = session.user_id"
    };
}

/// That a session which is looked up by its key has no end of its own. Not as `IS NULL`: Postgres
/// would take an index of live sessions for the look-up, which it believes to be small, and walk
/// through all of them.
macro_rules! live {
    () => {
        "COALESCE(ended_at, 0) = 0"
    };
}

/// That no mark refuses a session of this table. The high bits of its id are the instant at which it began.
macro_rules! unmarked {
    ($session:literal) => {
        concat!(
            "(",
            $session,
            ".session_id >> 22) >= coalesce((SELECT not_before FROM bo_project WHERE owner_id = ",
            $session,
            ".owner_id), 0) \
             AND (",
            $session,
            ".session_id >> 22) >= coalesce((SELECT not_before FROM bo_system \
                 WHERE owner_id = ",
            $session,
            ".owner_id AND sys_id = ",
            $session,
            ".sys_id), 0) \
             AND (",
            $session,
            ".session_id >> 22) >= coalesce((SELECT not_before FROM bo_user \
                 WHERE owner_id = ",
            $session,
            ".owner_id AND user_id = ",
            $session,
            ".user_id), 0)"
        )
    };
}

pub(super) use {live, marked_columns, unmarked, with_marks};

#[derive(sqlx::FromRow)]
pub(super) struct SessionRow {
    session_id: i64,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    #[sqlx(try_from = "String")]
    user_id: UserId,
    generation: i64,
    created_at: i64,
    refreshed_at: i64,
    idle_expires_at: i64,
    expires_at: i64,
    first_share_user_id: Option<String>,
    second_share_user_id: Option<String>,
    area_code: Option<String>,
    address: Option<String>,
    user_agent: Option<String>,
    ended_at: Option<i64>,
    end_reason: Option<i32>,
    #[sqlx(default)]
    tenant_not_before: Option<i64>,
    #[sqlx(default)]
    tenant_reason: Option<i32>,
    #[sqlx(default)]
    system_not_before: Option<i64>,
    #[sqlx(default)]
    system_reason: Option<i32>,
    #[sqlx(default)]
    user_not_before: Option<i64>,
    #[sqlx(default)]
    user_reason: Option<i32>,
}

impl SessionRow {
    /// When and why the session ended: as its own row says, or else by the latest mark that it began before.
    fn ended(&self) -> Result<Option<(Timestamp, EndReason)>, Error> {
        if let Some(at) = self.ended_at {
            return Ok(Some((Timestamp(at), end_reason(self.end_reason)?)));
        }
        let began = SessionId::from_number(self.session_id).began();
        let marks = [
            (self.tenant_not_before, self.tenant_reason),
            (self.system_not_before, self.system_reason),
            (self.user_not_before, self.user_reason),
        ];
        let latest = marks.into_iter().filter(|(at, _)| at.is_some_and(|at| began < Timestamp(at))).max_by_key(|(at, _)| *at);
        latest.map(|(at, reason)| Ok((Timestamp(at.unwrap_or(0)), end_reason(reason)?))).transpose()
    }

    pub(super) fn into_record(self) -> Result<SessionRecord, Error> {
        let corrupt = |_| Error::Corrupt("session");
        let ended = self.ended()?;
        let user = |text: Option<String>| text.map(UserId::try_from).transpose().map_err(corrupt);
        Ok(SessionRecord {
            session_id: SessionId::from_number(self.session_id),
            sys_id: self.sys_id,
            user_id: self.user_id,
            generation: u32::try_from(self.generation).map_err(|_| Error::Corrupt("generation"))?,
            created_at: Timestamp(self.created_at),
            refreshed_at: Timestamp(self.refreshed_at),
            idle_expires_at: Timestamp(self.idle_expires_at),
            expires_at: Timestamp(self.expires_at),
            first_share_user_id: user(self.first_share_user_id)?,
            second_share_user_id: user(self.second_share_user_id)?,
            area_code: self.area_code.map(AreaCode::try_from).transpose().map_err(corrupt)?,
            address: self.address,
            user_agent: self.user_agent,
            ended,
        })
    }
}

#[derive(sqlx::FromRow)]
pub(super) struct EndedRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    session_id: i64,
    #[sqlx(try_from = "String")]
    sys_id: SystemId,
    #[sqlx(try_from = "String")]
    user_id: UserId,
    end_reason: i32,
    ended_at: i64,
    keep_until: i64,
}

impl EndedRow {
    /// Which session it is.
    pub(super) const fn session_id(&self) -> SessionId {
        SessionId::from_number(self.session_id)
    }

    /// The session with the id that `event_id` gives its end; 0 where it is not known.
    pub(super) fn into_ended(self, event_id: impl FnOnce(&OwnerId, SessionId) -> i64) -> Result<EndedSession, Error> {
        let session_id = self.session_id();
        Ok(EndedSession {
            event_id: event_id(&self.owner_id, session_id),
            owner_id: self.owner_id,
            session_id,
            sys_id: self.sys_id,
            user_id: self.user_id,
            reason: end_reason(Some(self.end_reason))?,
            ended_at: Timestamp(self.ended_at),
            keep_until: Timestamp(self.keep_until),
        })
    }
}

fn end_reason(number: Option<i32>) -> Result<EndReason, Error> {
    number.and_then(EndReason::from_number).ok_or(Error::Corrupt("end reason"))
}
