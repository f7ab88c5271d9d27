//! The v1.0 contract over HTTP (contract 2.1): the same use cases as the third version's, behind a cookie.

pub(crate) mod answer;
pub(crate) mod cookies;
pub mod document;
pub mod errno;
pub mod fleets;
mod provenance;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::legacy_session::{LegacyCaller, LegacySignIn};
use bo_auth_service::{Error, RequestFacts, Service};
use http::HeaderValue;
use http::header::{HOST, ORIGIN, SET_COOKIE};
use poem::Request;
use poem_openapi::{Object, OpenApi, OpenApiService};

use self::answer::{CurrentUserOutcome, LegacyReply, Outcome};
use self::errno::{Errno, LegacyRefusal};
use self::fleets::{Fleets, ServedFleet};
use self::provenance::Provenance;
use crate::api::Causes;
use crate::api::body::{JsonBody, ReadBody};
use crate::cross_origin::AllowedOrigin;
use crate::fault::{Fault, FaultKind};
use crate::header_field::user_agent;
use crate::proxy::{address_text, client_address, is_https};

/// Where the routes stand.
pub const PREFIX: &str = "/api/v1.0";

/// The routes below [`PREFIX`].
pub struct V1 {
    /// The use cases.
    pub service: Arc<Service>,
    /// Who is served.
    pub fleets: Fleets,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// What a sign-in is asked with.
#[derive(Object)]
#[oai(rename = "SignInRequest", rename_all = "camelCase")]
struct SignInBody {
    /// The mobile number.
    mobile: String,
    /// The password.
    password: String,
    /// GUID whose captcha picture was shown. Only frontends that know the third version's captcha send it.
    verify_guid: Option<String>,
    /// What was read from the picture.
    verify_code: Option<String>,
}

/// The routes as an endpoint.
pub fn service(v1: V1) -> OpenApiService<V1, ()> {
    OpenApiService::new(v1, "bo-auth v1.0", env!("CARGO_PKG_VERSION"))
}

/// Whether a path is one of this contract's, known or not: what is refused there is answered in its words.
pub fn owns(path: &str) -> bool {
    path.strip_prefix(PREFIX).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[OpenApi]
impl V1 {
    /// Sign out
    ///
    /// Ends the session of the cookie and takes the cookie back; a session that is gone already is signed out. When the
    /// answer leaves, no node accepts the session any more. Where a store does not answer, the cookie stays, so that
    /// the user can try again. Takes no input.
    #[oai(path = "/session", method = "delete", operation_id = "signOut")]
    async fn sign_out(&self, request: &Request) -> LegacyReply<Outcome> {
        let signed_out = self.changing(request).await;
        let result = match signed_out {
            Ok(fleet) => self.end(request, fleet).await.map(|()| fleet),
            Err(refusal) => Err(refusal),
        };
        let reply = result.map(|fleet| with_cookie(LegacyReply::success(&Outcome::ok()), cookies::take_back(&fleet.cookie)));
        self.finish(request, reply.unwrap_or_else(LegacyReply::refused)).await
    }

    /// Who is signed in
    ///
    /// Answers the name of the user whose cookie this is.
    #[oai(path = "/session", method = "get", operation_id = "currentSession")]
    async fn current_session(&self, request: &Request) -> LegacyReply<CurrentUserOutcome> {
        let name = match self.fleet(request) {
            Ok(fleet) => self.user_name(request, fleet).await,
            Err(refusal) => Err(refusal),
        };
        let reply = name.map(|name| LegacyReply::success(&CurrentUserOutcome::of(name)));
        self.finish(request, reply.unwrap_or_else(LegacyReply::refused)).await
    }

    /// Sign in
    ///
    /// Opens a session for a mobile number and a password, and sets its cookie in the place of any earlier one, whose
    /// session ends. After repeated failures the account is refused with 4201 for a while, unless a captcha is answered.
    #[oai(path = "/sessions", method = "post", operation_id = "signIn")]
    async fn sign_in(&self, request: &Request, body: JsonBody<SignInBody>) -> LegacyReply<Outcome> {
        let body = body.read(request, self.body_limit, self.body_timeout).await;
        let opened = match self.changing(request).await {
            Ok(fleet) => self.open(request, &body, fleet).await,
            Err(refusal) => Err(refusal),
        };
        let reply = opened.map(|cookie| with_cookie(LegacyReply::success(&Outcome::ok()), Some(cookie)));
        self.finish(request, reply.unwrap_or_else(LegacyReply::refused)).await
    }
}

impl V1 {
    async fn end(&self, request: &Request, fleet: &ServedFleet) -> Result<(), LegacyRefusal> {
        let cookies = cookies::read(request.headers(), &fleet.cookie);
        if cookies.is_empty() {
            return Err(LegacyRefusal::of(Errno::SESSION));
        }
        let address = address_text(client_address(request));
        let facts = RequestFacts::of_legacy(&address, None);
        let ended = self.service.legacy_sign_out(&fleet.fleet, &facts, LegacyCaller::Client, &cookies).await;
        ended.map_err(|error| refused(&error))
    }

    async fn user_name(&self, request: &Request, fleet: &ServedFleet) -> Result<String, LegacyRefusal> {
        let address = address_text(client_address(request));
        let facts = RequestFacts::of_legacy(&address, None);
        let mut refusal = LegacyRefusal::of(Errno::SESSION);
        for cookie in cookies::read(request.headers(), &fleet.cookie) {
            match self.service.legacy_user_name(&fleet.fleet, &facts, &cookie).await {
                Ok(name) => return Ok(name),
                Err(error) => refusal = refused(&error),
            }
        }
        Err(refusal)
    }

    async fn open(&self, request: &Request, body: &ReadBody, fleet: &ServedFleet) -> Result<HeaderValue, LegacyRefusal> {
        if let Some(fault) = body.fault() {
            return Err(LegacyRefusal::from(&Fault::of(fault.kind())));
        }
        let address = address_text(client_address(request));
        let user_agent = user_agent(request.headers());
        let facts = RequestFacts::of_legacy(&address, user_agent.as_deref());
        let stale = cookies::read(request.headers(), &fleet.cookie);
        let opened = async {
            let members = body.members()?;
            let mobile = members.text("mobile")?.ok_or(Error::ParameterMissing("mobile"))?;
            let password = members.text("password")?.ok_or(Error::ParameterMissing("password"))?;
            let captcha = members.text("verifyGuid")?.zip(members.text("verifyCode")?);
            let sign_in = LegacySignIn { mobile, password, captcha, stale: &stale };
            self.service.legacy_sign_in(&fleet.fleet, &facts, &sign_in).await
        };
        let opened = opened.await.map_err(|error| refused(&error))?;
        let cookie = cookies::set(&fleet.cookie, &opened.cookie, opened.lifetime, is_https(request));
        cookie.ok_or(LegacyRefusal::outside(500, Errno::INTERNAL))
    }

    fn fleet(&self, request: &Request) -> Result<&ServedFleet, LegacyRefusal> {
        // Under a name that is no fleet's there is no such route.
        self.fleets.of_browser(request).ok_or_else(|| LegacyRefusal::from(&Fault::of(FaultKind::ROUTE_UNKNOWN)))
    }

    /// The fleet of a request that changes something, which no other site's page may send.
    async fn changing(&self, request: &Request) -> Result<&ServedFleet, LegacyRefusal> {
        let fleet = self.fleet(request)?;
        let headers = request.headers();
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).or_else(|| Some(request.uri().authority()?.as_str()));
        let allowed = match provenance::of(headers, host, is_https(request)) {
            Provenance::Own => true,
            Provenance::Page(origin) => self.service.legacy_allows_origin(&fleet.fleet, origin).await.map_err(|error| refused(&error))?,
            Provenance::Foreign => false,
        };
        if allowed { Ok(fleet) } else { Err(LegacyRefusal::outside(403, Errno::REQUEST)) }
    }

    /// Says whether the page that asked may read the answer.
    async fn finish<T>(&self, request: &Request, mut reply: LegacyReply<T>) -> LegacyReply<T> {
        if let Some(origin) = request.headers().get(ORIGIN) {
            let allowed = match (self.fleets.of_browser(request), origin.to_str()) {
                // A store that is away has been answered for already; the page is told nothing.
                (Some(fleet), Ok(origin)) => self.service.legacy_allows_origin(&fleet.fleet, origin).await.unwrap_or(false),
                _ => false,
            };
            reply.0.extensions_mut().insert(AllowedOrigin(allowed));
        }
        reply
    }
}

/// The refusal; where something failed that must not fail, it is logged here and nowhere else.
pub(crate) fn refused(error: &Error) -> LegacyRefusal {
    let refusal = LegacyRefusal::from(error);
    if refusal.status >= 500 || refusal.errno == Errno::DATA_WRONG || refusal.errno.code == Errno::DATABASE.code {
        tracing::error!(contract = "v1.0", errno = refusal.errno.code, error = %Causes(error), "a request failed");
    }
    refusal
}

fn with_cookie<T>(mut reply: LegacyReply<T>, cookie: Option<HeaderValue>) -> LegacyReply<T> {
    if let Some(cookie) = cookie {
        reply.0.headers_mut().insert(SET_COOKIE, cookie);
    }
    reply
}
