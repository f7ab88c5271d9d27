//! The pair of tokens that a login and a refresh answer with (contract 1.4).

use bo_auth_core::random::alphanumeric;
use bo_auth_core::session::SessionId;
use bo_auth_core::time::Timestamp;
use bo_auth_core::token::access::AccessClaims;
use bo_auth_store::record::{SessionRecord, UserRecord};
use serde::Serialize;

use crate::{Call, Error};

/// Characters of a token's own name: 131 bits.
const JTI_CHARACTERS: usize = 22;

/// An access token and the refresh token that goes with it. Not `Debug`: both are secrets.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenPair {
    /// The JWT.
    pub access_token: String,
    /// 32 characters.
    pub refresh_token: String,
    /// Always `Bearer` (RFC 6750).
    pub token_type: &'static str,
    /// Seconds until the access token expires.
    pub expires_in: i64,
}

impl Call<'_> {
    /// When an access token made now expires: after the system's lifetime, and never after its session. JWT dates are
    /// whole seconds, so this is one too.
    pub(crate) fn access_expiry(&self, session_expires_at: Timestamp) -> Timestamp {
        let lifetime = std::time::Duration::from_secs(u64::from(self.system.settings.access_token_seconds));
        Timestamp::from_seconds(self.now.plus(lifetime).min(session_expires_at).seconds())
    }

    /// Signs the pair for a session at a generation. `expires_at` must be what the session's row already says.
    pub(crate) fn issue_pair(
        &self,
        session: &SessionRecord,
        generation: u32,
        expires_at: Timestamp,
        user: &UserRecord,
    ) -> Result<TokenPair, Error> {
        let claims = AccessClaims {
            issuer: self.service.issuer.clone(),
            user_id: user.user_id.clone(),
            name: user.name.clone(),
            client_id: self.system.sys_id.to_string(),
            push_name: user.push_name.clone(),
            owner_id: self.tenant.owner_id.clone(),
            sys_id: self.system.sys_id.clone(),
            session_id: session.session_id,
            jti: alphanumeric(&*self.service.random, JTI_CHARACTERS),
            issued_at: self.now,
            expires_at,
        };
        Ok(TokenPair {
            access_token: self.tenant.signing_keys.issue(&claims)?,
            refresh_token: self.refresh_token(session.session_id, generation),
            token_type: "Bearer",
            expires_in: expires_at.seconds() - self.now.seconds(),
        })
    }

    fn refresh_token(&self, session_id: SessionId, generation: u32) -> String {
        self.tenant.refresh_keys.issue(session_id, generation)
    }
}
