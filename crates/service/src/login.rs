//! Sign in: a name and a password become a session and its first pair of tokens.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::session::{SessionId, time_ordered_id};
use bo_auth_core::stamp::decrypt_password;
use bo_auth_core::time::Timestamp;
use bo_auth_store::record::{Credentials, NewSession, RequestTrace, SessionRecord, UserRecord};

use crate::authentication::{Claim, Contract, is_name};
use crate::call::{PluginRule, RequestFacts, Shaping};
use crate::ending::Inserted;
use crate::token_pair::TokenPair;
use crate::user_profile::Fetched;
use crate::{Call, Error, Service};

/// The longest user agent that is recorded, in characters.
pub(crate) const USER_AGENT_CHARACTERS: usize = 256;

/// How many ids and beginnings are tried for a session before the login is put off.
const ID_ATTEMPTS: usize = 64;

/// What a login is asked with.
#[derive(Clone, Copy)]
pub struct LoginRequest<'a> {
    /// The name to sign in with.
    pub user_name: &'a str,
    /// The password: ciphertext under the tenant's key, or plain where the system allows it.
    pub password: &'a str,
    /// GUID of a captcha, and what was read from its picture.
    pub captcha: Option<(&'a str, &'a str)>,
}

/// What a login answers with.
pub struct LoggedIn {
    /// The user, with where the profile came from.
    pub user: Fetched<UserRecord>,
    /// The system it was opened in.
    pub session: SessionRecord,
    /// The tokens.
    pub tokens: TokenPair,
}

impl Service {
    /// Signs a user in (contract 1.1).
    ///
    /// # Errors
    /// Those of [`Service::open_account_call`]; [`Error::ParameterInvalid`] for a password that is neither encrypted nor
    /// allowed to be plain; [`Error::RateLimited`], [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`],
    /// [`Error::LoginFailed`], [`Error::UserDisabled`], and those of the area and share ids.
    pub async fn login(
        self: &Arc<Self>,
        facts: &RequestFacts<'_>,
        request: &LoginRequest<'_>,
        shaping: &mut Shaping,
    ) -> Result<LoggedIn, Error> {
        let call = self.open_account_call(facts, PluginRule::Optional, shaping).await?;
        let credentials = call.verify_password(request).await?;
        shaping.user_id = Some(credentials.user.user_id.shared());
        let trace = call.verify_area_and_share(&credentials.user).await?;
        let found = self.find_profile_at_login(&call.tenant.owner_id, &credentials.user.user_id).await?;
        let user = found.ok_or(Error::LoginFailed)?;
        let (session, tokens) = call.open_session(&user.value, &credentials.password_hash, trace).await?;
        Ok(LoggedIn { user, session, tokens })
    }
}

impl Call<'_> {
    /// The user, if name and password fit.
    async fn verify_password(&self, request: &LoginRequest<'_>) -> Result<Credentials, Error> {
        if !is_name(request.user_name) {
            return Err(Error::ParameterInvalid("userName"));
        }
        let password = self.plain_password(request.password)?;
        let claim = Claim { contract: Contract::V3, name: request.user_name, password, captcha: request.captcha };
        self.authenticate(&claim).await
    }

    /// The password as it was typed.
    fn plain_password(&self, sent: &str) -> Result<Vec<u8>, Error> {
        let (keys, rules) = (&self.tenant.stamp_keys, &self.system.stamp_rules);
        match decrypt_password(sent, keys, rules, self.now) {
            Some(password) => Ok(password.to_vec()),
            None if self.system.settings.allow_plain_password => Ok(sent.as_bytes().to_vec()),
            None => Err(Error::ParameterInvalid("password")),
        }
    }

    /// Opens a session and signs its first pair. Sessions that give way under the limit are announced before this
    /// returns. It begins now, or a moment later where whoever signed the user, the system or the tenant out a moment ago
    /// has a clock that is ahead of ours.
    ///
    /// # Errors
    /// [`Error::LoginFailed`] where the password has changed or the user was disabled since they were checked.
    pub async fn open_session(
        &self,
        user: &UserRecord,
        password_hash: &str,
        trace: RequestTrace,
    ) -> Result<(SessionRecord, TokenPair), Error> {
        let mut begins = self.now;
        for _ in 0..ID_ATTEMPTS {
            let session = self.new_session(user, &trace, begins);
            let access_expires_at = self.access_expiry(session.expires_at);
            let tokens = self.issue_pair(&session, 0, access_expires_at, user)?;
            let new = NewSession {
                session: session.clone(),
                access_expires_at,
                event_id: time_ordered_id(self.now, &*self.service.random),
                limit: self.system.settings.session_limit,
                password_hash: password_hash.to_owned(),
            };
            match self.service.insert_session(self.tenant.owner_id.clone(), new).await? {
                Inserted::Opened => return Ok((session, tokens)),
                Inserted::Refused => return Err(Error::LoginFailed),
                // Many logins share a millisecond, and two of them drew the same number.
                Inserted::IdTaken => {}
                Inserted::TooEarly(not_before) => begins = begins.max(not_before),
            }
        }
        Err(Error::Unavailable(None))
    }

    /// A session that begins then, with an id of its own.
    fn new_session(&self, user: &UserRecord, trace: &RequestTrace, begins: Timestamp) -> SessionRecord {
        let settings = &self.system.settings;
        let seconds = |count: u32| Duration::from_secs(u64::from(count));
        SessionRecord {
            session_id: SessionId::generate(begins, &*self.service.random),
            sys_id: self.system.sys_id.clone(),
            user_id: user.user_id.clone(),
            generation: 0,
            created_at: begins,
            refreshed_at: begins,
            idle_expires_at: self.now.plus(seconds(settings.session_idle_seconds)),
            expires_at: self.now.plus(seconds(settings.session_seconds)),
            first_share_user_id: trace.first_share_user_id.clone(),
            second_share_user_id: trace.second_share_user_id.clone(),
            area_code: trace.area_code.clone(),
            address: trace.address.clone(),
            user_agent: self.facts.user_agent.map(|text| text.chars().take(USER_AGENT_CHARACTERS).collect()),
            ended: None,
        }
    }
}
