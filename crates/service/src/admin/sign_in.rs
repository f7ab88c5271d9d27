//! An administrator signs in: account and password become a session and its token.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_store::admission::AdmissionRequest;
use bo_auth_store::record::Actor;

use super::{Admin, idle_end};
use crate::authentication::{Claim, Contract, is_name};
use crate::call::per_minute;
use crate::{Error, RequestFacts, Service};

/// The longest password, in bytes.
const PASSWORD_BYTES: usize = 1024;

/// Sign-ins per minute from one address.
const SIGN_INS_PER_MINUTE: u32 = 300;

/// What a sign-in is asked with.
#[derive(Clone, Copy)]
pub struct AdminSignIn<'a> {
    /// The name to sign in with.
    pub account: &'a str,
    /// The password as it was typed.
    pub password: &'a str,
    /// GUID of a captcha, and what was read from its picture.
    pub captcha: Option<(&'a str, &'a str)>,
}

/// What an administrator changes their own password with. Not `Debug`: both are secrets.
#[derive(Clone, Copy)]
pub struct AdminPasswordChange<'a> {
    /// The password until now.
    pub current: &'a str,
    /// The password from now on.
    pub new: &'a str,
    /// GUID of a captcha, and what was read from its picture.
    pub captcha: Option<(&'a str, &'a str)>,
}

/// A session that was opened. Not `Debug`: the token is a secret.
pub struct SignedInAdmin {
    /// The administrator.
    pub admin: Admin,
    /// Proves the session.
    pub token: String,
    /// When the session is over in any case.
    pub expires_at: Timestamp,
    /// When it is over if it is not used.
    pub idle_expires_at: Timestamp,
}

impl Service {
    /// Signs an administrator in.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`], [`Error::RateLimited`], [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`],
    /// [`Error::LoginFailed`] for an unknown account as for a wrong password, [`Error::UserDisabled`],
    /// [`Error::TenantDisabled`].
    pub async fn admin_sign_in(
        self: &Arc<Self>,
        address: &str,
        user_agent: Option<&str>,
        request: &AdminSignIn<'_>,
    ) -> Result<SignedInAdmin, Error> {
        let facts = RequestFacts::of_legacy(address, user_agent);
        self.admit_admin(address, request, self.clock.now()).await?;
        let Some(call) = self.open_admin_call(&facts).await? else {
            // The same work as for a wrong password, which it is.
            self.passwords.verify(request.password.as_bytes().to_vec(), None).await?;
            return Err(Error::LoginFailed);
        };
        let password = request.password.as_bytes().to_vec();
        let claim = Claim { contract: Contract::Admin, name: request.account, password, captcha: request.captcha };
        let credentials = call.authenticate(&claim).await?;
        let (owner_id, user_id) = (&call.tenant.owner_id, &credentials.user.user_id);
        let record = self.db.find_admin(owner_id, user_id).await?.ok_or(Error::LoginFailed)?;
        let record = call.enabled_admin(record).await?;
        let (session, _) = call.open_session(&record.user, &credentials.password_hash, call.admin_trace()).await?;
        let token = call.tenant.cookie_keys.issue(session.session_id);
        let (expires_at, idle_expires_at) = (session.expires_at, idle_end(&session));
        let admin = Admin { record, session, address: address.to_owned() };
        Ok(SignedInAdmin { admin, token, expires_at, idle_expires_at })
    }

    async fn admit_admin(&self, address: &str, request: &AdminSignIn<'_>, now: Timestamp) -> Result<(), Error> {
        if !is_name(request.account) {
            return Err(Error::ParameterInvalid("account"));
        }
        if request.password.len() > PASSWORD_BYTES {
            return Err(Error::ParameterInvalid("password"));
        }
        let client = self.client_prefix.key(address);
        let rates = [per_minute("sign-in", &client, SIGN_INS_PER_MINUTE)];
        self.admit(&OwnerId::admin(), &AdmissionRequest { nonce: None, rates: &rates }, now).await
    }

    /// Gives an administrator a new password of their own choice; their other sessions end. Answers how many. A wrong
    /// current password counts as a failed sign-in, since whoever has found a session open could guess here as well.
    ///
    /// # Errors
    /// [`Error::LoginFailed`] for a wrong current password, [`Error::Refused`] for a new one that may not be set, and those of
    /// guessing: [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`], [`Error::RateLimited`].
    pub async fn change_admin_password(self: &Arc<Self>, admin: &Admin, change: &AdminPasswordChange<'_>) -> Result<usize, Error> {
        if change.current.len() > PASSWORD_BYTES || change.new.len() > PASSWORD_BYTES {
            return Err(Error::ParameterInvalid("password"));
        }
        let facts = RequestFacts::of_legacy(&admin.address, None);
        let call = self.open_admin_call(&facts).await?.ok_or(Error::TokenInvalid)?;
        let password = change.current.as_bytes().to_vec();
        let name = &admin.record.user.account;
        call.authenticate(&Claim { contract: Contract::Admin, name, password, captcha: change.captcha }).await?;
        let (_, ended) = admin.operator(self).change_own_password(admin, change.new).await?;
        Ok(ended.len())
    }

    /// Ends the session of a token, as its own administrator does.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn admin_sign_out(self: &Arc<Self>, admin: &Admin) -> Result<(), Error> {
        let facts = RequestFacts::of_legacy(&admin.address, None);
        let call = self.open_admin_call(&facts).await?.ok_or(Error::TokenInvalid)?;
        call.end_one(admin.session.session_id, EndReason::LoggedOut, Actor::User, call.admin_trace()).await?;
        Ok(())
    }
}
