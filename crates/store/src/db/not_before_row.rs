//! Rows of marks as both engines give them, and what they mean.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use serde::Deserialize;

use crate::Error;
use crate::record::{Actor, NotBefore, PendingMark, RequestTrace, Scope};

#[derive(sqlx::FromRow, Deserialize)]
pub(super) struct MarkRow {
    #[sqlx(try_from = "String")]
    owner_id: OwnerId,
    scope: String,
    subject: Option<String>,
    not_before: i64,
    reason: i32,
    revision: i64,
    #[sqlx(default)]
    event_id: i64,
}

#[derive(sqlx::FromRow)]
pub(super) struct PendingMarkRow {
    #[sqlx(flatten)]
    mark: MarkRow,
    actor: String,
    #[sqlx(json)]
    trace: RequestTrace,
    at: i64,
}

impl MarkRow {
    pub(super) fn into_mark(self) -> Result<NotBefore, Error> {
        let corrupt = |_| Error::Corrupt("mark");
        let scope = match (self.scope.as_str(), self.subject) {
            ("tenant", _) => Scope::Tenant,
            ("system", Some(sys_id)) => Scope::System(SystemId::try_from(sys_id).map_err(corrupt)?),
            ("user", Some(user_id)) => Scope::User(UserId::try_from(user_id).map_err(corrupt)?),
            _ => return Err(Error::Corrupt("mark")),
        };
        Ok(NotBefore {
            owner_id: self.owner_id,
            scope,
            not_before: Timestamp(self.not_before),
            reason: EndReason::from_number(self.reason).ok_or(Error::Corrupt("end reason"))?,
            revision: self.revision,
            event_id: self.event_id,
        })
    }
}

impl PendingMarkRow {
    pub(super) fn into_pending(self) -> Result<PendingMark, Error> {
        Ok(PendingMark {
            actor: Actor::parse(&self.actor).ok_or(Error::Corrupt("actor"))?,
            at: Timestamp(self.at),
            trace: self.trace,
            mark: self.mark.into_mark()?,
        })
    }
}

/// A scope as its columns hold it.
pub(super) fn parts(scope: &Scope) -> (&'static str, Option<&str>) {
    match scope {
        Scope::Tenant => ("tenant", None),
        Scope::System(sys_id) => ("system", Some(sys_id.as_str())),
        Scope::User(user_id) => ("user", Some(user_id.as_str())),
    }
}
