//! Rows of `bo_session` as both engines give them, and what they mean.

use bo_auth_core::identifier::{AreaCode, OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_core::time::Timestamp;

use crate::Error;
use crate::record::{EndedSession, SessionRecord};

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
}

impl SessionRow {
    pub(super) fn into_record(self) -> Result<SessionRecord, Error> {
        let corrupt = |_| Error::Corrupt("session");
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
            ended: self.ended_at.map(|at| end_reason(self.end_reason).map(|reason| (Timestamp(at), reason))).transpose()?,
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
    /// The session with the id that `event_id` gives its end; 0 where it is not known.
    pub(super) fn into_ended(self, event_id: impl FnOnce(&OwnerId, SessionId) -> i64) -> Result<EndedSession, Error> {
        let session_id = SessionId::from_number(self.session_id);
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
