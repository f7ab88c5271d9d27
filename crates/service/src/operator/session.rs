//! Sessions as an operator sees them: listed, and ended.

use std::time::Duration;

use bo_auth_core::identifier::{OwnerId, SystemId, UserId};
use bo_auth_core::session::{EndReason, SessionId, first_id_at, time_ordered_id};
use bo_auth_store::record::{Actor, EndOutcome, EndedSession, Ending, SessionFilter, SessionRecord};

use super::{Change, Operator};
use crate::Error;

/// How many sessions end in one transaction.
const SESSIONS_AT_A_TIME: i64 = 500;

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
        let (change, _) = self.user_changed(owner_id, ended.user_id.clone(), vec![ended]).await?;
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
        let ended = self.db.end_user_sessions(&self.user_ending(owner_id, &user_id, reason)).await?;
        self.user_changed(owner_id, user_id, ended).await
    }

    /// Ends every session of a system, or of the whole tenant, that was open when this began; answers how many. Each
    /// portion is durable and refused everywhere before the next one.
    ///
    /// # Errors
    /// [`Error::Unavailable`]; those that were ended until then stay so, and calling again ends the others.
    pub async fn end_all_sessions(&self, owner_id: &OwnerId, sys_id: Option<SystemId>, reason: EndReason) -> Result<usize, Error> {
        self.get_tenant(owner_id).await?;
        let at = self.now();
        let filter = SessionFilter { user_id: None, sys_id, live_at: Some(at) };
        let mut before = Some(SessionId::from_number(first_id_at(at.plus(Duration::from_millis(1)))));
        let mut total = 0;
        loop {
            let sessions = self.db.find_sessions(owner_id, &filter, before, SESSIONS_AT_A_TIME).await?;
            let Some(last) = sessions.last() else { return Ok(total) };
            before = Some(last.session_id);
            let endings: Vec<Ending> = sessions.iter().map(|session| self.ending(owner_id, session.session_id, reason)).collect();
            let outcomes = self.db.end_sessions(&endings).await?;
            let ended: Vec<EndedSession> = outcomes
                .into_iter()
                .filter_map(|outcome| match outcome {
                    EndOutcome::Ended(ended) | EndOutcome::AlreadyEnded(ended) => Some(ended),
                    EndOutcome::Unknown => None,
                })
                .collect();
            total += ended.len();
            self.publish_ended(&ended).await?;
        }
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
