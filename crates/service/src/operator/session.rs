//! Sessions as an operator sees them: listed, and ended.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId, time_ordered_id};
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Actor, EndOutcome, EndedSession, Ending, Revoked, Scope, SessionRecord};

use super::{Change, Operator};
use crate::Error;

impl Operator {
    /// Up to `limit` sessions, the newest first, before `before`; of one account where it is given.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant or account is unknown.
    pub async fn list_sessions(
        &self,
        owner_id: &OwnerId,
        account: Option<&str>,
        live_only: bool,
        before: Option<SessionId>,
        limit: i64,
    ) -> Result<Vec<SessionRecord>, Error> {
        let user_id = if let Some(account) = account {
            Some(self.get_user(owner_id, account).await?.user_id)
        } else {
            self.get_tenant(owner_id).await?;
            None
        };
        Ok(self.db.list_sessions(owner_id, user_id.as_ref(), live_only, before, limit).await?)
    }

    /// Ends one session; answers whether this call did it.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant has no such session.
    pub async fn end_session(&self, owner_id: &OwnerId, session_id: SessionId, reason: EndReason) -> Result<(Change, bool), Error> {
        self.get_tenant(owner_id).await?;
        let ending = self.ending(owner_id, session_id, reason);
        let (ended, by_this_call) = match self.db.end_sessions(&[ending]).await?.pop() {
            Some(EndOutcome::Ended(ended)) => (ended, true),
            Some(EndOutcome::AlreadyEnded(ended)) => (ended, false),
            Some(EndOutcome::Unknown) | None => return Err(Error::NotFound(format!("tenant `{owner_id}` has no session `{session_id}`"))),
        };
        let change = Change { owner_id: owner_id.clone(), user_id: Some(ended.user_id.clone()) };
        self.publish_ends(owner_id, &Revoked::of_sessions(vec![ended])).await?;
        Ok((change, by_this_call))
    }

    /// Ends all sessions of a user.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant or account is unknown.
    pub async fn end_user_sessions(
        &self,
        owner_id: &OwnerId,
        account: &str,
        reason: EndReason,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        let user_id = self.get_user(owner_id, account).await?.user_id;
        self.end_sessions_of(owner_id, user_id, reason).await
    }

    /// The same for a user who is known by id.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn end_sessions_of(
        &self,
        owner_id: &OwnerId,
        user_id: UserId,
        reason: EndReason,
    ) -> Result<(Change, Vec<EndedSession>), Error> {
        let revoked = self.db.end_user_sessions(&self.user_ending(owner_id, &user_id, reason)).await?;
        self.publish_ends(owner_id, &revoked).await?;
        Ok((Change { owner_id: owner_id.clone(), user_id: Some(user_id) }, revoked.sessions))
    }

    /// Ends all sessions of a system, or of the whole tenant: they are refused everywhere when this returns, and their
    /// events follow. Answers from when on sessions must have begun.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the tenant or system is unknown.
    pub async fn end_all_sessions(
        &self,
        owner_id: &OwnerId,
        sys_id: Option<&SystemId>,
        reason: EndReason,
    ) -> Result<(Change, Timestamp), Error> {
        self.get_tenant(owner_id).await?;
        let scope = sys_id.map_or(Scope::Tenant, |sys_id| Scope::System(sys_id.clone()));
        let marking = self.marking(owner_id, scope, reason, self.trace(None));
        let revoked = self.db.end_all(&marking).await.map_err(|error| match (error, sys_id) {
            (bo_auth_store::Error::Missing("system"), Some(sys_id)) => {
                Error::NotFound(format!("tenant `{owner_id}` has no system `{sys_id}`"))
            }
            (other, _) => other.into(),
        })?;
        let not_before = revoked.marks.first().map_or(marking.at, |mark| mark.not_before);
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        self.publish(&change, &revoked).await?;
        Ok((change, not_before))
    }

    fn ending(&self, owner_id: &OwnerId, session_id: SessionId, reason: EndReason) -> Ending {
        let now = self.now();
        Ending {
            owner_id: owner_id.clone(),
            session_id,
            reason,
            actor: Actor::Admin,
            at: now,
            // The row itself knows when its last access token expires.
            keep_until: now,
            event_id: time_ordered_id(now, &*self.random),
            trace: self.trace(None),
        }
    }
}
