//! Sessions as an operator sees them: listed, and ended.

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId, time_ordered_id};
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Actor, EndOutcome, EndedSession, Ending, Marking, Revoked, Scope, SessionFilter, SessionRecord, UserEnding};

use super::{Change, Operator};
use crate::Error;

/// Up to how many sessions are counted one by one.
const COUNTED: i64 = 100_000;

/// Whose sessions are meant: of a user, of a system, of a user in a system, or all of the tenant if both are absent.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// Of this user.
    pub user_id: Option<UserId>,
    /// In this system.
    pub sys_id: Option<SystemId>,
}

/// How many sessions a target has.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// So many are live.
    pub sessions: u64,
    /// Whether there are more than are counted.
    pub more: bool,
    /// They began before this instant; what begins from then on is not among them.
    pub before: Timestamp,
}

/// Sessions that have ended together.
pub struct EndedTogether {
    /// What running servers must hear of.
    pub change: Change,
    /// The sessions, if their rows have ended; those of a system or tenant follow.
    pub sessions: Option<Vec<EndedSession>>,
    /// For a system or tenant: from when on sessions must have begun.
    pub not_before: Option<Timestamp>,
}

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

    /// How many live sessions a target has, and the instant before which those began.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such tenant, system or user.
    pub async fn count_sessions(&self, owner_id: &OwnerId, target: &Target) -> Result<Counted, Error> {
        self.find_target(owner_id, target).await?;
        let now = self.now();
        let (user_id, sys_id) = (target.user_id.clone(), target.sys_id.clone());
        let filter = SessionFilter { user_id, sys_id, live_at: Some(now) };
        let (found, newest) = self.db.count_sessions(owner_id, &filter, COUNTED + 1).await?;
        // Another node's clock may be ahead of ours.
        let behind = newest.map_or(now, |session_id| Timestamp(session_id.began().millis() + 1));
        let counted = found.min(COUNTED.unsigned_abs());
        Ok(Counted { sessions: counted, more: found > counted, before: now.max(behind) })
    }

    /// Ends the sessions of a target: of a user, of a system, of a user in one system, or of the tenant. None of them is
    /// accepted on any node when this returns. A session that is being opened either ends too, or comes after this.
    /// With `before`, those that have begun since go on.
    ///
    /// A user in one system has no mark of its own: rows end in the transaction that holds the user's row, as a sign-in
    /// does. A system's and a tenant's sessions are refused by their mark, and their events follow.
    ///
    /// # Errors
    /// [`Error::NotFound`] if there is no such tenant, system or user.
    pub async fn end_sessions(
        &self,
        owner_id: &OwnerId,
        target: &Target,
        before: Option<Timestamp>,
        reason: EndReason,
    ) -> Result<EndedTogether, Error> {
        self.find_target(owner_id, target).await?;
        if let Some(user_id) = &target.user_id {
            let sys_id = target.sys_id.clone();
            let ending = UserEnding { sys_id, before, ..self.user_ending(owner_id, user_id, reason) };
            let revoked = self.db.end_user_sessions(&ending).await?;
            self.publish_ends(owner_id, &revoked).await?;
            let change = Change { owner_id: owner_id.clone(), user_id: Some(user_id.clone()) };
            return Ok(EndedTogether { change, sessions: Some(revoked.sessions), not_before: None });
        }
        let scope = target.sys_id.clone().map_or(Scope::Tenant, Scope::System);
        let marking = Marking { before, ..self.marking(owner_id, scope, reason, self.trace(None)) };
        let revoked = self.db.end_all(&marking).await?;
        let not_before = revoked.marks.first().map_or(marking.at, |mark| mark.not_before);
        let change = Change { owner_id: owner_id.clone(), user_id: None };
        self.publish(&change, &revoked).await?;
        Ok(EndedTogether { change, sessions: None, not_before: Some(not_before) })
    }

    /// The user who signs in with this name, in one system or in all.
    ///
    /// # Errors
    /// [`Error::NotFound`] if the tenant or account is unknown.
    pub async fn target_of(&self, owner_id: &OwnerId, account: &str, sys_id: Option<SystemId>) -> Result<Target, Error> {
        let user_id = self.get_user(owner_id, account).await?.user_id;
        Ok(Target { user_id: Some(user_id), sys_id })
    }

    async fn find_target(&self, owner_id: &OwnerId, target: &Target) -> Result<(), Error> {
        let tenant = self.get_tenant(owner_id).await?;
        if let Some(sys_id) = &target.sys_id
            && !tenant.systems.iter().any(|system| system.sys_id == *sys_id)
        {
            return Err(Error::NotFound(format!("tenant `{owner_id}` has no system `{sys_id}`")));
        }
        if let Some(user_id) = &target.user_id
            && self.db.find_user(owner_id, user_id).await?.is_none()
        {
            return Err(Error::NotFound(format!("tenant `{owner_id}` has no user `{user_id}`")));
        }
        Ok(())
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
