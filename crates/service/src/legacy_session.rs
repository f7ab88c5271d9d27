//! The v1.0 contract (contract 2): sign in with a mobile number, who am I, sign out. A v1.0 session is a session of the
//! fleet's tenant and system like any other; only its proof differs, a cookie that is computed from it.

use std::sync::Arc;
use std::time::Duration;

use bo_auth_core::identifier::UserId;
use bo_auth_core::session::EndReason;
use bo_auth_core::token::has_cookie_form;
use bo_auth_store::NotPublished;
use bo_auth_store::admission::AdmissionRequest;
use bo_auth_store::old_sessions::OldSession;
use bo_auth_store::record::{Actor, Credentials, RequestTrace, Rotating, SessionRecord, UserRecord};
use bo_auth_store::revocation::SessionKey;

use crate::authentication::{Claim, Contract, is_name};
use crate::call::{RequestFacts, per_minute};
use crate::legacy_fleet::Fleet;
use crate::{Call, Error, Service};

/// The longest mobile number and the longest password, in bytes.
const MOBILE_BYTES: usize = 32;
const PASSWORD_BYTES: usize = 1024;

/// A session that is used moves its idle end on, once in so large a part of the idle lifetime: not with every call.
const IDLE_PARTS: u32 = 16;

/// Who calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LegacyCaller {
    /// The user's own client: its address counts.
    Client,
    /// A gateway of the fleet, which speaks for all users.
    Gateway,
}

/// What a v1.0 sign-in is asked with.
#[derive(Clone, Copy)]
pub struct LegacySignIn<'a> {
    /// The mobile number.
    pub mobile: &'a str,
    /// The password as it was typed.
    pub password: &'a str,
    /// GUID of a captcha, and what was read from its picture; frontends that know it may send it.
    pub captcha: Option<(&'a str, &'a str)>,
    /// Cookies of the caller from before, whose sessions the new one replaces.
    pub stale: &'a [String],
}

/// A session that was opened. Not `Debug`: the cookie is a secret.
pub struct LegacySignedIn {
    /// The value of the cookie.
    pub cookie: String,
    /// How long the session can last.
    pub lifetime: Duration,
}

impl Service {
    /// Signs a user in, and shows the session to the fleet's old servers where that is wanted.
    ///
    /// # Errors
    /// [`Error::ParameterInvalid`], [`Error::RateLimited`], [`Error::CaptchaRequired`], [`Error::CaptchaInvalid`],
    /// [`Error::LoginFailed`] for an unknown number as for a wrong password, [`Error::UserDisabled`], those of the tenant
    /// and system, and [`Error::Unavailable`], after which no session is open.
    pub async fn legacy_sign_in(
        self: &Arc<Self>,
        fleet: &Fleet,
        facts: &RequestFacts<'_>,
        request: &LegacySignIn<'_>,
    ) -> Result<LegacySignedIn, Error> {
        let call = self.open_legacy_call(fleet, facts, LegacyCaller::Client).await?;
        let credentials = call.verify_mobile(request).await?;
        let found = self.find_profile_at_login(&call.tenant.owner_id, &credentials.user.user_id).await?;
        let user = found.ok_or(Error::LoginFailed)?.value;
        for cookie in request.stale {
            call.leave(fleet, cookie, EndReason::Replaced).await?;
        }
        let (session, _) = call.open_session(&user, &credentials.password_hash, call.trace()).await?;
        let cookie = call.tenant.cookie_keys.issue(session.session_id);
        if let Err(error) = call.show_to_old_servers(fleet, &cookie, &user, &session).await {
            // Half a sign-in is none.
            call.end_one(session.session_id, EndReason::LoggedOut, Actor::Service, call.trace()).await?;
            return Err(error);
        }
        Ok(LegacySignedIn { cookie, lifetime: call.now.until(session.expires_at) })
    }

    /// Answers the name of the user whose cookie this is: of a session of ours, or of one that an old server has made.
    ///
    /// # Errors
    /// [`Error::TokenMissing`] where it is nobody's, [`Error::SessionEnded`], [`Error::UserDisabled`], those of the tenant
    /// and system, and [`Error::Unavailable`].
    pub async fn legacy_user_name(self: &Arc<Self>, fleet: &Fleet, facts: &RequestFacts<'_>, cookie: &str) -> Result<String, Error> {
        let call = self.open_legacy_call(fleet, facts, LegacyCaller::Client).await?;
        // What has our form is never looked for among the old servers' sessions, where a copy may have outlived its key.
        if has_cookie_form(cookie) { call.name_of_session(cookie).await } else { call.name_of_old_session(fleet, cookie).await }
    }

    /// Signs a session out, by whoever's cookie: a session that is gone already is signed out.
    ///
    /// # Errors
    /// [`Error::RateLimited`], those of the tenant and system, [`Error::Unavailable`] and [`Error::DoneNotEverywhere`],
    /// after which the same call may be made again.
    pub async fn legacy_sign_out(
        self: &Arc<Self>,
        fleet: &Fleet,
        facts: &RequestFacts<'_>,
        caller: LegacyCaller,
        cookies: &[String],
    ) -> Result<(), Error> {
        let call = self.open_legacy_call(fleet, facts, caller).await?;
        for cookie in cookies {
            call.leave(fleet, cookie, EndReason::LoggedOut).await?;
        }
        Ok(())
    }

    /// Whether the fleet's system lists the origin.
    ///
    /// # Errors
    /// Those of the tenant and system.
    pub async fn legacy_allows_origin(&self, fleet: &Fleet, origin: &str) -> Result<bool, Error> {
        let found = self.tenant(&fleet.owner_id).await?;
        let tenant = found.ok_or(Error::TenantUnknown)?;
        let system = tenant.system(Some(&fleet.sys_id))?;
        Ok(system.lists_origin(origin))
    }

    /// Tenant, system, rates: as a call of the third version begins, with the fleet in the place of headers.
    async fn open_legacy_call<'a>(
        self: &'a Arc<Self>,
        fleet: &Fleet,
        facts: &'a RequestFacts<'a>,
        caller: LegacyCaller,
    ) -> Result<Call<'a>, Error> {
        let now = self.clock.now();
        let found = self.tenant(&fleet.owner_id).await?;
        let tenant = found.filter(|tenant| !tenant.owner_id.is_reserved()).ok_or(Error::TenantUnknown)?;
        if tenant.disabled {
            return Err(Error::TenantDisabled);
        }
        let system = Arc::clone(tenant.system(Some(&fleet.sys_id))?);
        let settings = &system.settings;
        let client = self.client_prefix.key(facts.address);
        let rates = [
            per_minute("tenant", "", settings.tenant_requests_per_minute),
            per_minute("address", &client, settings.address_requests_per_minute),
        ];
        let counted = if caller == LegacyCaller::Client { &rates[..] } else { &rates[..1] };
        self.admit(&tenant.owner_id, &AdmissionRequest { nonce: None, rates: counted }, now).await?;
        Ok(Call { service: self, facts, tenant, system, now })
    }
}

impl Call<'_> {
    fn trace(&self) -> RequestTrace {
        RequestTrace { address: Some(self.facts.address.to_owned()), ..RequestTrace::default() }
    }

    /// The user, if number and password fit. Failures count against the number that was typed, here and as a name at
    /// the third version's login, and against no other name of the user: that would tell whose number it is.
    async fn verify_mobile(&self, request: &LegacySignIn<'_>) -> Result<Credentials, Error> {
        let mobile = request.mobile;
        if mobile.len() > MOBILE_BYTES || !is_name(mobile) {
            return Err(Error::ParameterInvalid("mobile"));
        }
        if request.password.len() > PASSWORD_BYTES {
            return Err(Error::ParameterInvalid("password"));
        }
        let password = request.password.as_bytes().to_vec();
        self.authenticate(&Claim { contract: Contract::V1, name: mobile, password, captcha: request.captcha }).await
    }

    /// Ends the session of a cookie, if it is one of this system, and removes the old servers' session of that name.
    async fn leave(&self, fleet: &Fleet, cookie: &str, reason: EndReason) -> Result<(), Error> {
        let mut has_ended = false;
        if let Some(session_id) = self.tenant.cookie_keys.verify(cookie, self.now) {
            let found = self.service.db.find_session(&self.tenant.owner_id, session_id).await?;
            if let Some(session) = found.filter(|session| session.sys_id == self.system.sys_id) {
                let (reason, actor) = if self.has_run_out(&session) { (EndReason::Expired, Actor::Service) } else { (reason, Actor::User) };
                self.end_one(session_id, reason, actor, self.trace()).await?;
                has_ended = true;
            }
        }
        let Some(old) = &fleet.old else { return Ok(()) };
        let removed = old.sessions.remove(cookie).await;
        removed.map_err(|error| if has_ended { NotPublished::because(error).into() } else { error.into() })
    }

    async fn name_of_session(&self, cookie: &str) -> Result<String, Error> {
        let (service, owner_id) = (self.service, &self.tenant.owner_id);
        let session_id = self.tenant.cookie_keys.verify(cookie, self.now).ok_or(Error::TokenMissing)?;
        // A cookie names no user; the row, which is looked at next in any case, knows the marks of all levels.
        let known = SessionKey { owner_id, session_id, sys_id: Some(&self.system.sys_id), user_id: None };
        if let Some(reason) = service.revocations.end_reason(&known, self.now).await? {
            return Err(Error::SessionEnded(reason));
        }
        // Whoever is not signed in any more hears that here, and why at the next sign-in.
        let session = self.live_session(session_id).await.map_err(|error| match error {
            Error::UserDisabled => Error::SessionEnded(EndReason::UserDisabled),
            other => other,
        })?;
        self.keep_alive(&session).await?;
        let profile = service.find_profile(owner_id, &session.user_id).await?.ok_or(Error::SessionEnded(EndReason::Kicked))?;
        if profile.value.disabled { Err(Error::UserDisabled) } else { Ok(profile.value.name.clone()) }
    }

    /// A session that is used does not run idle. Proved by a cookie, it has no refresh token, so that its generation counts these moves.
    pub(crate) async fn keep_alive(&self, session: &SessionRecord) -> Result<(), Error> {
        let idle = Duration::from_secs(u64::from(self.system.settings.session_idle_seconds));
        if session.refreshed_at.until(self.now) < idle / IDLE_PARTS {
            return Ok(());
        }
        let idle_expires_at = self.now.plus(idle).min(session.expires_at);
        let user_agent = self.facts.recorded_user_agent();
        let rotating = Rotating {
            session_id: session.session_id,
            from_generation: session.generation,
            refreshed_at: self.now,
            idle_expires_at,
            access_expires_at: self.now,
            address: Some(self.facts.address),
            user_agent: user_agent.as_deref(),
        };
        self.service.db.rotate_session(&self.tenant.owner_id, &rotating).await?;
        Ok(())
    }

    async fn name_of_old_session(&self, fleet: &Fleet, session_id: &str) -> Result<String, Error> {
        let Some(old) = &fleet.old else { return Err(Error::TokenMissing) };
        let session = old.sessions.find(session_id).await?.ok_or(Error::TokenMissing)?;
        match self.user_of(&session).await? {
            Some(user) if user.disabled => Err(Error::UserDisabled),
            Some(user) => Ok(user.name.clone()),
            // A user whom only the old servers know.
            None => Ok(session.name),
        }
    }

    /// Our user behind an old session: number and mobile must both agree, or the two numberings have nothing in common.
    async fn user_of(&self, session: &OldSession) -> Result<Option<Arc<UserRecord>>, Error> {
        let Ok(user_id) = UserId::parse(&session.user_number.to_string()) else { return Ok(None) };
        let found = self.service.find_profile(&self.tenant.owner_id, &user_id).await?;
        Ok(found.map(|profile| profile.value).filter(|user| user.mobile.is_some() && user.mobile == session.mobile))
    }

    async fn show_to_old_servers(&self, fleet: &Fleet, cookie: &str, user: &UserRecord, session: &SessionRecord) -> Result<(), Error> {
        let Some((old, lifetime)) = fleet.old.as_ref().and_then(|old| Some((old, old.shown_for?))) else { return Ok(()) };
        // Old servers know users by number only.
        let Ok(user_number) = user.user_id.as_str().parse() else { return Ok(()) };
        let shown = OldSession { name: user.name.clone(), user_number, mobile: user.mobile.clone() };
        let lifetime = lifetime.min(self.now.until(session.expires_at));
        old.sessions.write(cookie, &shown, lifetime).await?;
        // Whoever has ended the session before it was written found nothing to remove.
        let found = self.service.db.find_session(&self.tenant.owner_id, session.session_id).await?;
        if found.is_some_and(|session| session.ended.is_none()) {
            return Ok(());
        }
        old.sessions.remove(cookie).await?;
        Err(Error::LoginFailed)
    }
}
