//! An administrator signs in: account and password become a session and its token.

use std::sync::Arc;

use bo_auth_core::identifier::OwnerId;
use bo_auth_core::session::EndReason;
use bo_auth_core::time::Timestamp;
use bo_auth_store::admission::AdmissionRequest;
use bo_auth_store::record::{Actor, Credentials};

use super::{Admin, idle_end};
use crate::call::per_minute;
use crate::captcha::FailureSubject;
use crate::{Call, Error, RequestFacts, Service};

/// The longest account and the longest password, in bytes.
const ACCOUNT_BYTES: usize = 128;
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
        let credentials = call.verify_admin_password(request).await?;
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
        if request.account.len() > ACCOUNT_BYTES || request.account.chars().any(char::is_control) {
            return Err(Error::ParameterInvalid("account"));
        }
        if request.password.len() > PASSWORD_BYTES {
            return Err(Error::ParameterInvalid("password"));
        }
        let client = self.client_prefix.key(address);
        let rates = [per_minute("sign-in", &client, SIGN_INS_PER_MINUTE)];
        self.admit(&OwnerId::admin(), &AdmissionRequest { nonce: None, rates: &rates }, now).await
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

impl Call<'_> {
    /// The user, when account and password fit. An unknown account and a wrong password take the same steps.
    async fn verify_admin_password(&self, request: &AdminSignIn<'_>) -> Result<Credentials, Error> {
        let (service, owner_id, settings) = (self.service, &self.tenant.owner_id, &self.system.settings);
        let rates = [per_minute("account", request.account, settings.account_logins_per_minute)];
        service.admit(owner_id, &AdmissionRequest { nonce: None, rates: &rates }, self.now).await?;
        let subject = FailureSubject { account: request.account, address: self.facts.address };
        service.verify_captcha(owner_id, settings, &subject, request.captcha).await?;
        let found = service.db.find_credentials(owner_id, request.account).await?;
        self.verify_credentials(found, request.password.as_bytes().to_vec(), &subject).await
    }
}
