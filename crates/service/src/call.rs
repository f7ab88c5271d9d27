//! The checks that every call of the v3 contract begins with, in the contract's order: tenant, system, stamp, plugin;
//! then, where a route asks for it, the access token and its session. Each step's result is the next one's argument.

use std::sync::Arc;

use bo_auth_core::identifier::{AreaCode, OwnerId, SystemId, UserId};
use bo_auth_core::session::EndReason;
use bo_auth_core::settings::ReplayRule;
use bo_auth_core::stamp::{SignedRequest, Stamp, StampScheme, verify_stamp};
use bo_auth_core::time::Timestamp;
use bo_auth_core::token::access::{Expected, VerifiedAccess, named_system};
use bo_auth_plugin::Chain;
use bo_auth_store::admission::{AdmissionRequest, Admitted, Rate};
use bo_auth_store::record::{RequestTrace, UserRecord};
use bo_auth_store::revocation::SessionKey;

use crate::login::USER_AGENT_CHARACTERS;
use crate::tenant::{System, Tenant};
use crate::{Error, Service};

/// What a transport has read from a request: every header and parameter of contract 1.2, absent where absent or empty.
#[derive(Debug, Clone, Copy)]
pub struct RequestFacts<'a> {
    /// `XownerId`.
    pub owner_id: Option<&'a str>,
    /// `XsysId`.
    pub sys_id: Option<&'a str>,
    /// `XverifyApi`.
    pub stamp: Option<&'a str>,
    /// `XuserFromFirstShareId`.
    pub first_share_user_id: Option<&'a str>,
    /// `XuserFromSecondShareId`.
    pub second_share_user_id: Option<&'a str>,
    /// `XfilterAreaCode`.
    pub area_code: Option<&'a str>,
    /// `Authorization`.
    pub authorization: Option<&'a str>,
    /// `_nodejs`.
    pub plugin: Option<&'a str>,
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// The client's address, as text.
    pub address: &'a str,
    /// `User-Agent`.
    pub user_agent: Option<&'a str>,
    /// What a stamp of the second version covers.
    pub signed: SignedRequest<'a>,
}

impl RequestFacts<'_> {
    /// The user agent as far as it is recorded.
    pub(crate) fn recorded_user_agent(&self) -> Option<String> {
        self.user_agent.map(|text| text.chars().take(USER_AGENT_CHARACTERS).collect())
    }
}

impl<'a> RequestFacts<'a> {
    /// What a call of the v1.0 contract says of itself: it has no header of ours.
    pub const fn of_legacy(address: &'a str, user_agent: Option<&'a str>) -> Self {
        Self {
            owner_id: None,
            sys_id: None,
            stamp: None,
            first_share_user_id: None,
            second_share_user_id: None,
            area_code: None,
            authorization: None,
            plugin: None,
            origin: None,
            address,
            user_agent,
            signed: SignedRequest { method: "", path: "", query: "", body: b"", headers: &[] },
        }
    }
}

/// How the answer to a call is shaped, as far as the call has come: what is known here shapes errors too.
#[derive(Default)]
pub struct Shaping {
    /// The tenant, once it is known to exist.
    pub owner_id: Option<Arc<str>>,
    /// The system.
    pub sys_id: Option<Arc<str>>,
    /// The user, once verified.
    pub user_id: Option<Arc<str>>,
    /// The plugins that shape the answer.
    pub plugins: Chain,
    /// Whether the HTTP status is always 200.
    pub legacy_status200: bool,
    /// Whether the system lists the request's origin; `None` before the system is known, or without an origin.
    pub origin_allowed: Option<bool>,
}

/// Whether a call must name a plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginRule {
    /// As on logout.
    Required,
    /// As elsewhere: the system's default where absent.
    Optional,
}

/// A call that has passed the checks that come before its token: of which tenant and system it is, and when.
pub struct Call<'a> {
    /// The service.
    pub service: &'a Arc<Service>,
    /// The request.
    pub facts: &'a RequestFacts<'a>,
    /// The tenant.
    pub tenant: Arc<Tenant>,
    /// The system.
    pub system: Arc<System>,
    /// The instant at which the call is judged.
    pub now: Timestamp,
}

/// How a call is counted where its stamp need not be new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Counting {
    /// By this node, which settles with the others a moment later.
    AtOnce,
    /// With all nodes, before the call goes on.
    Together,
}

/// Whether a stamp that has verified is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StampUse {
    /// It has not been used before.
    First,
    /// It has: this may be the request of before, which a proxy has sent again.
    Repeated,
}

/// How a route opens its calls.
#[derive(Debug, Clone, Copy)]
struct Opening {
    counting: Counting,
    /// Whether a request without `XsysId` is one to the system that its access token names. Only where a proof of that
    /// system is asked for afterwards.
    follows_token: bool,
    /// Whether a stamp that was used before is refused here.
    refuses_repeated: bool,
}

impl Opening {
    const USUAL: Self = Self { counting: Counting::AtOnce, follows_token: true, refuses_repeated: true };
    const OF_ACCOUNT: Self = Self { counting: Counting::Together, follows_token: false, ..Self::USUAL };
    const OF_LOGOUT: Self = Self { refuses_repeated: false, ..Self::USUAL };
}

impl Service {
    /// Tenant, system, stamp, rates, plugin.
    ///
    /// # Errors
    /// Every refusal of these steps, in this order; nothing is changed but the stamp's GUID and the rates, which
    /// count the call.
    pub async fn open_call<'a>(
        self: &'a Arc<Self>,
        facts: &'a RequestFacts<'a>,
        plugin: PluginRule,
        shaping: &mut Shaping,
    ) -> Result<Call<'a>, Error> {
        Ok(self.open(facts, plugin, Opening::USUAL, shaping).await?.0)
    }

    /// The same for a call that guesses could be made with: its rates are exact over all nodes.
    ///
    /// # Errors
    /// As [`Service::open_call`].
    pub async fn open_account_call<'a>(
        self: &'a Arc<Self>,
        facts: &'a RequestFacts<'a>,
        plugin: PluginRule,
        shaping: &mut Shaping,
    ) -> Result<Call<'a>, Error> {
        Ok(self.open(facts, plugin, Opening::OF_ACCOUNT, shaping).await?.0)
    }

    /// The same for a logout: whether its stamp was used before is for the caller to judge, once the session is known.
    pub(crate) async fn open_logout_call<'a>(
        self: &'a Arc<Self>,
        facts: &'a RequestFacts<'a>,
        shaping: &mut Shaping,
    ) -> Result<(Call<'a>, StampUse), Error> {
        self.open(facts, PluginRule::Required, Opening::OF_LOGOUT, shaping).await
    }

    async fn open<'a>(
        self: &'a Arc<Self>,
        facts: &'a RequestFacts<'a>,
        plugin: PluginRule,
        opening: Opening,
        shaping: &mut Shaping,
    ) -> Result<(Call<'a>, StampUse), Error> {
        let now = self.clock.now();
        let tenant = self.find_tenant(facts.owner_id).await?;
        let is_known = self.shape_by_tenant(&tenant, facts, shaping).await;
        if tenant.disabled {
            return Err(Error::TenantDisabled);
        }

        let sys_id = facts.sys_id.map(SystemId::parse).transpose().map_err(|_| Error::ParameterInvalid("XsysId"))?;
        let sys_id = sys_id.or_else(|| opening.follows_token.then(|| system_of_token(&tenant, facts))?);
        if let Some(system) = tenant.named_system(sys_id.as_ref()) {
            self.shape_by_system(&tenant, system, facts, shaping);
        }
        let system = Arc::clone(tenant.system(sys_id.as_ref())?);

        let stamp_use = self.verify_request(&tenant, &system, facts, opening.counting, now).await?;
        // Of several mistakes the one that the earliest check finds is answered.
        let misses_plugin = !is_known || (facts.plugin.is_none() && plugin == PluginRule::Required);
        if stamp_use == StampUse::Repeated && (opening.refuses_repeated || misses_plugin) {
            return Err(Error::VerifyApiReplayed);
        }

        if !is_known {
            return Err(Error::PluginUnknown);
        }
        if facts.plugin.is_none() && plugin == PluginRule::Required {
            return Err(Error::ParameterMissing("_nodejs"));
        }
        Ok((Call { service: self, facts, tenant, system, now }, stamp_use))
    }

    /// The tenant that `XownerId` or `ownerId` names.
    pub(crate) async fn find_tenant(&self, owner_id: Option<&str>) -> Result<Arc<Tenant>, Error> {
        let text = owner_id.ok_or(Error::ParameterMissing("XownerId"))?;
        let owner_id = OwnerId::parse(text).map_err(|_| Error::ParameterInvalid("XownerId"))?;
        if owner_id.is_reserved() {
            return Err(Error::TenantUnknown);
        }
        self.tenant(&owner_id).await?.ok_or(Error::TenantUnknown)
    }

    /// The tenant of this id, as its rows are since the last change that every node had to hear of.
    pub(crate) async fn tenant(&self, owner_id: &OwnerId) -> Result<Option<Arc<Tenant>>, Error> {
        let revision = self.revocations.tenant_revision(owner_id).await?;
        self.tenants.find(owner_id, revision, &self.db, &self.cache, &*self.clock).await
    }

    /// The stamp must verify, and the rates must have room; answers whether it is new. A stamp that fails counts against the
    /// rates too.
    async fn verify_request(
        &self,
        tenant: &Tenant,
        system: &System,
        facts: &RequestFacts<'_>,
        counting: Counting,
        now: Timestamp,
    ) -> Result<StampUse, Error> {
        let settings = &system.settings;
        let client = self.client_prefix.key(facts.address);
        let rates = [
            per_minute("address", &client, settings.address_requests_per_minute),
            per_minute("tenant", "", settings.tenant_requests_per_minute),
        ];
        let verified = match facts.stamp {
            Some(value) => {
                let rules = &system.stamp_rules;
                verify_stamp(value, &tenant.stamp_keys, &tenant.stamp_mac_keys, rules, &facts.signed, now).map_err(Error::from)
            }
            None => Err(Error::ParameterMissing("XverifyApi")),
        };
        let nonce = verified.as_ref().ok().and_then(|stamp| nonce_of(stamp, settings.replay, settings.replay_window_seconds));
        let admitted = if nonce.is_none() && settings.replay == ReplayRule::Off && counting == Counting::AtOnce {
            self.admission.admit_at_once(&tenant.owner_id, &rates, now).await?
        } else {
            self.admission.admit(&tenant.owner_id, &AdmissionRequest { nonce, rates: &rates }, now).await?
        };
        if admitted == Admitted::Replayed {
            return Ok(StampUse::Repeated);
        }
        accepted(admitted)?;
        let stamp = verified?;
        self.stamp_counter.count(&tenant.owner_id, &system.sys_id, &stamp, now);
        Ok(StampUse::First)
    }

    /// Counts a call against its rates, and its nonce as used.
    pub(crate) async fn admit(&self, owner_id: &OwnerId, request: &AdmissionRequest<'_>, now: Timestamp) -> Result<(), Error> {
        accepted(self.admission.admit(owner_id, request, now).await?)
    }
}

const fn accepted(admitted: Admitted) -> Result<(), Error> {
    match admitted {
        Admitted::Accepted => Ok(()),
        Admitted::Replayed => Err(Error::VerifyApiReplayed),
        Admitted::Limited { retry_after } => Err(Error::RateLimited { retry_after }),
    }
}

/// A rate whose burst is ten seconds' worth, and never less than ten.
pub(crate) fn per_minute<'a>(name: &'static str, key: &'a str, per_minute: u32) -> Rate<'a> {
    Rate::per_minute(name, key, per_minute, (per_minute / 6).max(10))
}

/// What must be new about a stamp. The second version's nonce counts once whatever the system says of GUIDs.
fn nonce_of(stamp: &Stamp, rule: ReplayRule, window_seconds: u32) -> Option<([u8; 16], std::time::Duration)> {
    let counts = rule == ReplayRule::Once || stamp.scheme == StampScheme::HmacV2;
    counts.then(|| (stamp.digest, std::time::Duration::from_secs(u64::from(window_seconds))))
}

impl Call<'_> {
    /// The access token: authentic, fresh, and of a session that has not ended.
    ///
    /// # Errors
    /// [`Error::TokenMissing`], [`Error::TokenInvalid`], [`Error::TokenExpired`], [`Error::SessionEnded`].
    pub async fn verify_access(&self, shaping: &mut Shaping) -> Result<VerifiedAccess, Error> {
        let access = self.authentic_access(shaping)?.fresh()?;
        match self.end_reason_of(&access).await? {
            Some(reason) => Err(self.refusal_of(reason, access.user_id()).await),
            None => Ok(access),
        }
    }

    /// What the proofs of a session that has ended are refused with. That its user is disabled is said only while that is so.
    pub(crate) async fn refusal_of(&self, reason: EndReason, user_id: &UserId) -> Error {
        if reason != EndReason::UserDisabled {
            return Error::SessionEnded(reason);
        }
        // Of administrators the database alone is asked. Where nobody answers, the session has ended all the same.
        let (service, owner_id) = (self.service, &self.tenant.owner_id);
        let disabled = if owner_id.is_reserved() {
            service.db.find_user(owner_id, user_id).await.ok().flatten().is_some_and(|user| user.disabled)
        } else {
            let found = Box::pin(service.find_profile(owner_id, user_id)).await;
            found.ok().flatten().is_some_and(|user| user.value.disabled)
        };
        if disabled { Error::UserDisabled } else { Error::SessionEnded(reason) }
    }

    /// Why the token's session has ended, if it has.
    pub(crate) async fn end_reason_of(&self, access: &VerifiedAccess) -> Result<Option<EndReason>, Error> {
        let session = SessionKey {
            owner_id: &self.tenant.owner_id,
            session_id: access.session_id(),
            sys_id: Some(&self.system.sys_id),
            user_id: Some(access.user_id()),
        };
        Ok(self.service.revocations.end_reason(&session, self.now).await?)
    }

    /// The access token: authentic, though it may have expired and its session may have ended. For logout, which must
    /// always be possible.
    pub(crate) fn authentic_access(&self, shaping: &mut Shaping) -> Result<VerifiedAccess, Error> {
        let authorization = self.facts.authorization.ok_or(Error::TokenMissing)?;
        let token = bearer(authorization)?;
        let expected = Expected { issuer: &self.service.issuer, owner_id: &self.tenant.owner_id, sys_id: &self.system.sys_id };
        let access = self.tenant.signing_keys.verify(token, &expected, self.now)?;
        shaping.user_id = Some(access.user_id().shared());
        Ok(access)
    }

    /// The share ids must name users of the tenant, and the area one of its areas that lies within the user's own.
    ///
    /// # Errors
    /// [`Error::AreaUnknown`], [`Error::AreaForbidden`], [`Error::ShareUserUnknown`], and
    /// [`Error::ParameterInvalid`] where one is not an identifier.
    pub(crate) async fn verify_area_and_share(&self, user: &UserRecord) -> Result<RequestTrace, Error> {
        let facts = self.facts;
        let area_code = parse_optional(facts.area_code, AreaCode::parse, "XfilterAreaCode")?;
        if let Some(code) = &area_code {
            let path = Box::pin(self.service.db.find_area_path(&self.tenant.owner_id, code)).await?.ok_or(Error::AreaUnknown)?;
            if !path.lies_within(&user.area_codes) {
                return Err(Error::AreaForbidden);
            }
        }
        let first_share_user_id = parse_optional(facts.first_share_user_id, UserId::parse, "XuserFromFirstShareId")?;
        let second_share_user_id = parse_optional(facts.second_share_user_id, UserId::parse, "XuserFromSecondShareId")?;
        for sharer in [&first_share_user_id, &second_share_user_id].into_iter().flatten() {
            self.service.find_profile(&self.tenant.owner_id, sharer).await?.ok_or(Error::ShareUserUnknown)?;
        }
        let address = Some(facts.address.to_owned());
        Ok(RequestTrace { address, first_share_user_id, second_share_user_id, area_code, ..RequestTrace::default() })
    }

    /// The same for a user who is known by id; reads the profile only where a header asks for it.
    pub(crate) async fn verify_area_and_share_of(&self, user_id: &UserId) -> Result<RequestTrace, Error> {
        let facts = self.facts;
        if facts.area_code.is_none() && facts.first_share_user_id.is_none() && facts.second_share_user_id.is_none() {
            return Ok(RequestTrace { address: Some(facts.address.to_owned()), ..RequestTrace::default() });
        }
        let profile = self.service.find_profile(&self.tenant.owner_id, user_id).await?.ok_or(Error::TokenInvalid)?;
        self.verify_area_and_share(&profile.value).await
    }
}

/// The system that the request's access token names, if the tenant has it.
fn system_of_token(tenant: &Tenant, facts: &RequestFacts<'_>) -> Option<SystemId> {
    let sys_id = named_system(bearer(facts.authorization?).ok()?)?;
    tenant.find_system(&sys_id).map(|system| system.sys_id.clone())
}

/// RFC 6750 section 2.1: the scheme is compared without case, one space or more follow.
fn bearer(authorization: &str) -> Result<&str, Error> {
    let (scheme, token) = authorization.split_once(' ').ok_or(Error::TokenInvalid)?;
    let token = token.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() { Ok(token) } else { Err(Error::TokenInvalid) }
}

fn parse_optional<T>(
    text: Option<&str>,
    parse: fn(&str) -> Result<T, bo_auth_core::Error>,
    name: &'static str,
) -> Result<Option<T>, Error> {
    text.map(parse).transpose().map_err(|_| Error::ParameterInvalid(name))
}
