//! Whose token is it: each request of the admin API asks the database, so that nothing of what it may do is remembered.

use std::sync::Arc;

use bo_auth_store::revocation::SessionKey;

use super::Admin;
use crate::{Error, RequestFacts, Service};

impl Service {
    /// The administrator whose token this is, with a session that is live.
    ///
    /// # Errors
    /// [`Error::TokenInvalid`] where it is nobody's, [`Error::SessionEnded`], [`Error::UserDisabled`], and
    /// [`Error::TenantDisabled`] where the administrator's own tenant is.
    pub async fn verify_admin(self: &Arc<Self>, token: &str, address: &str) -> Result<Admin, Error> {
        let facts = RequestFacts::of_legacy(address, None);
        let call = self.open_admin_call(&facts).await?.ok_or(Error::TokenInvalid)?;
        let session_id = call.tenant.cookie_keys.verify(token, call.now).ok_or(Error::TokenInvalid)?;
        // The row knows the marks of all levels; what has been announced to this node is refused at once in any case.
        let session = call.live_session(session_id).await?;
        let (sys_id, user_id) = (Some(&session.sys_id), Some(&session.user_id));
        let known = SessionKey { owner_id: &call.tenant.owner_id, session_id, sys_id, user_id };
        if let Some(reason) = self.revocations.end_reason(&known, call.now).await? {
            return Err(call.refusal_of(reason, &session.user_id).await);
        }
        let found = self.db.find_admin(&call.tenant.owner_id, &session.user_id).await?;
        let record = call.enabled_admin(found.ok_or(Error::TokenInvalid)?).await?;
        call.keep_alive(&session).await?;
        Ok(Admin { record, session, address: address.to_owned() })
    }
}
