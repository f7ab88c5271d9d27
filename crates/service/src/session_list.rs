//! My sessions and devices, and signing out one of them.

use std::sync::Arc;

use bo_auth_core::session::{EndReason, SessionId};
use bo_auth_store::record::{Actor, SessionRecord};

use crate::call::{PluginRule, RequestFacts, Shaping};
use crate::{Error, Service};

/// One of the user's live sessions. It carries no token.
pub struct ListedSession {
    /// The row.
    pub session: SessionRecord,
    /// The name of the system it was opened in.
    pub system_name: String,
    /// Whether it is the caller's own.
    pub current: bool,
}

impl Service {
    /// The user's live sessions in every system of the tenant, the newest first.
    ///
    /// # Errors
    /// Those of [`Service::open_call`] and [`crate::Call::verify_access`], and those of the area and share ids.
    pub async fn list_sessions(self: &Arc<Self>, facts: &RequestFacts<'_>, shaping: &mut Shaping) -> Result<Vec<ListedSession>, Error> {
        let call = self.open_call(facts, PluginRule::Optional, shaping).await?;
        let access = call.verify_access(shaping).await?;
        call.verify_area_and_share_of(access.user_id()).await?;
        let sessions = self.db.list_live_sessions(&call.tenant.owner_id, access.user_id(), call.now).await?;
        let listed = sessions.into_iter().map(|session| ListedSession {
            system_name: call.tenant.find_system(&session.sys_id).map_or_else(String::new, |system| system.name.clone()),
            current: session.session_id == access.session_id(),
            session,
        });
        Ok(listed.collect())
    }

    /// Ends one of the user's own sessions: `LOGGED_OUT` for the caller's, `KICKED` for another device's. One that has
    /// ended already is answered as if it ended now.
    ///
    /// # Errors
    /// As [`Service::list_sessions`], and [`Error::ParameterInvalid`] for an id that is no session of this user.
    pub async fn end_my_session(self: &Arc<Self>, facts: &RequestFacts<'_>, session_id: &str, shaping: &mut Shaping) -> Result<(), Error> {
        let call = self.open_call(facts, PluginRule::Optional, shaping).await?;
        let access = call.verify_access(shaping).await?;
        let session_id = SessionId::parse(session_id).ok_or(Error::ParameterInvalid("sessionId"))?;
        let found = self.db.find_session(&call.tenant.owner_id, session_id).await?;
        let found = found.filter(|session| session.user_id == *access.user_id());
        let session = found.ok_or(Error::ParameterInvalid("sessionId"))?;
        let trace = call.verify_area_and_share_of(access.user_id()).await?;
        let (reason, actor) = if call.has_run_out(&session) {
            (EndReason::Expired, Actor::Service)
        } else if session_id == access.session_id() {
            (EndReason::LoggedOut, Actor::User)
        } else {
            (EndReason::Kicked, Actor::User)
        };
        call.end_one(session_id, reason, actor, trace).await?;
        Ok(())
    }
}
