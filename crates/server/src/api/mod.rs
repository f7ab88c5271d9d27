//! The v3 contract over HTTP (contract 1.1): a handler collects, calls one use case and wraps its answer.

mod answer;
pub(crate) mod body;
pub mod examples;
mod exchange;
pub mod parameters;
mod preference;
pub mod refusals;
mod replies;

use std::sync::Arc;
use std::time::Duration;

use bo_auth_service::login::LoginRequest;
use bo_auth_service::{Error, Service, Shaping};
use poem::http::{HeaderName, HeaderValue};
use poem::{Body, Request};
use poem_openapi::param::Path;
use poem_openapi::{OpenApi, OpenApiService};

use answer::PictureReply;
pub use answer::{Answerer, Reply, Unseen};
pub(crate) use answer::{Causes, below_api};
use body::{JsonBody, LoginBody, RefreshTokenBody};
use exchange::Exchange;
use replies::{CurrentUserReply, EndSessionReply, LoginReply, LogoutReply, RefreshReply, SessionsReply};

/// The routes below `/bo/api/v3`.
pub struct V3 {
    /// The use cases.
    pub service: Arc<Service>,
    /// Writes their answers.
    pub answerer: Answerer,
    /// The largest body, in bytes.
    pub body_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
}

/// Where the routes stand.
pub const PREFIX: &str = "/bo/api/v3";

/// RFC 7240 section 3.
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
const RETURN_REPRESENTATION: HeaderValue = HeaderValue::from_static("return=representation");

/// The routes as an endpoint.
pub fn service(v3: V3) -> OpenApiService<V3, ()> {
    OpenApiService::new(v3, "bo-auth v3", env!("CARGO_PKG_VERSION"))
}

#[OpenApi]
impl V3 {
    /// Sign in
    ///
    /// Takes a name and a password and opens a session. The password is DES ciphertext under the tenant's key, written as
    /// `XverifyApi` is, or plain where the system allows it. After repeated failures a captcha is asked for.
    #[oai(path = "/auth/login", method = "post", operation_id = "login")]
    async fn login(&self, request: &Request, body: JsonBody<LoginBody>) -> Reply<LoginReply> {
        let mut shaping = Shaping::default();
        let body = body.read(request, self.body_limit, self.body_timeout).await;
        let exchange = Exchange::read(request, &body);
        let result = async {
            let facts = exchange.facts()?;
            let members = body.members()?;
            let user_name = members.text("userName")?.ok_or(Error::ParameterMissing("userName"))?;
            let password = members.text("password")?.ok_or(Error::ParameterMissing("password"))?;
            let captcha = members.text("verifyGuid")?.zip(members.text("verifyCode")?);
            self.service.login(&facts, &LoginRequest { user_name, password, captcha }, &mut shaping).await
        }
        .await;
        let owner_id = shaping.owner_id.clone().unwrap_or_default();
        let result = result.map(|logged_in| LoginReply::new(logged_in, &owner_id, exchange.language));
        self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/login", result).await
    }

    /// Refresh
    ///
    /// Answers a new pair of tokens for a live session. The same refresh token is answered with the same next one until
    /// that has been used; an older one ends the session.
    #[oai(path = "/auth/token/refresh", method = "get", operation_id = "refreshByQuery")]
    async fn refresh_by_query(&self, request: &Request, body: Body) -> Reply<RefreshReply> {
        self.refresh(request, &self.covered(request, body).await).await
    }

    /// Refresh with the token in the body
    ///
    /// As the GET of this path, with `refreshToken` in a JSON body, where no log of an address can show it.
    #[oai(path = "/auth/token/refresh", method = "post", operation_id = "refresh")]
    async fn refresh_by_body(&self, request: &Request, body: JsonBody<RefreshTokenBody>) -> Reply<RefreshReply> {
        let body = body.read(request, self.body_limit, self.body_timeout).await;
        self.refresh(request, &body).await
    }

    /// Sign out
    ///
    /// Ends the session of the access token and the refresh token. When the answer leaves, no node accepts anything of
    /// the session any more. Calling it again answers success again. An access token that has merely expired serves, as
    /// long as the refresh token is a live one of the same session.
    #[oai(path = "/auth/token/logout", method = "get", operation_id = "logoutByGet")]
    async fn logout_by_get(&self, request: &Request, body: Body) -> Reply<LogoutReply> {
        self.logout(request, &self.covered(request, body).await).await
    }

    /// Sign out with DELETE
    ///
    /// As the GET of this path; `refreshToken` may stand in a JSON body instead of the query.
    #[oai(path = "/auth/token/logout", method = "delete", operation_id = "logout")]
    async fn logout_by_delete(&self, request: &Request, body: JsonBody<RefreshTokenBody>) -> Reply<LogoutReply> {
        let body = body.read(request, self.body_limit, self.body_timeout).await;
        self.logout(request, &body).await
    }

    /// Current user
    ///
    /// Answers the profile of the signed-in user, with the cache that served it and when it was read.
    #[oai(path = "/auth/user/current", method = "get", operation_id = "currentUser")]
    async fn current_user(&self, request: &Request, body: Body) -> Reply<CurrentUserReply> {
        let mut shaping = Shaping::default();
        let body = self.covered(request, body).await;
        let exchange = Exchange::read(request, &body);
        let result = match exchange.facts() {
            Ok(facts) => self.service.current_user(&facts, &mut shaping).await,
            Err(error) => Err(error),
        };
        let result = result.map(|current| CurrentUserReply::new(&current, exchange.language));
        self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/user/current", result).await
    }

    /// My sessions
    ///
    /// Lists the live sessions of the signed-in user in every system of the tenant. No token is ever listed.
    #[oai(path = "/auth/session", method = "get", operation_id = "listSessions")]
    async fn list_sessions(&self, request: &Request, body: Body) -> Reply<SessionsReply> {
        let mut shaping = Shaping::default();
        let body = self.covered(request, body).await;
        let exchange = Exchange::read(request, &body);
        let result = match exchange.facts() {
            Ok(facts) => self.service.list_sessions(&facts, &mut shaping).await,
            Err(error) => Err(error),
        };
        let result = result.map(|sessions| SessionsReply::new(sessions, exchange.language));
        self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/session", result).await
    }

    /// Sign out another device
    ///
    /// Ends one of the signed-in user's own sessions. One that has ended already is answered with success.
    #[oai(path = "/auth/session/:sessionId", method = "delete", operation_id = "endSession")]
    async fn end_session(
        &self,
        request: &Request,
        #[oai(name = "sessionId")] session_id: Path<String>,
        body: Body,
    ) -> Reply<EndSessionReply> {
        let mut shaping = Shaping::default();
        let body = self.covered(request, body).await;
        let exchange = Exchange::read(request, &body);
        let result = match exchange.facts() {
            Ok(facts) => self.service.end_my_session(&facts, &session_id, &mut shaping).await,
            Err(error) => Err(error),
        };
        let result = result.map(|()| EndSessionReply::new(exchange.language));
        self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/session/{sessionId}", result).await
    }

    /// Captcha picture
    ///
    /// Draws the captcha that a login needs after repeated failures, for a GUID of the caller's choice. It is valid for
    /// five minutes and for one login.
    #[oai(path = "/verify/code/:verifyGuid", method = "get", operation_id = "drawCaptcha")]
    async fn draw_captcha(&self, request: &Request, #[oai(name = "verifyGuid")] verify_guid: Path<String>) -> PictureReply {
        let body = body::ReadBody::none();
        let exchange = Exchange::read(request, &body);
        let result = match exchange.readable() {
            Ok(()) => self.service.draw_captcha(exchange.query("ownerId"), &verify_guid, exchange.address()).await,
            Err(error) => Err(error),
        };
        self.answerer.answer_picture(&exchange, "/bo/api/v3/verify/code/{verifyGuid}", result).await
    }
}

impl V3 {
    /// What stands in the body of a request that has no use for one: a stamp of the second version covers it all the same.
    async fn covered(&self, request: &Request, body: Body) -> body::ReadBody {
        body::ReadBody::covered(request, body, self.body_limit, self.body_timeout).await
    }

    async fn refresh(&self, request: &Request, body: &body::ReadBody) -> Reply<RefreshReply> {
        let mut shaping = Shaping::default();
        let exchange = Exchange::read(request, body);
        let result = async {
            let facts = exchange.facts()?;
            let refresh_token = exchange.refresh_token(body)?;
            self.service.refresh(&facts, refresh_token, &mut shaping).await
        };
        let result = result.await.map(|tokens| RefreshReply::new(tokens, exchange.language));
        self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/token/refresh", result).await
    }

    async fn logout(&self, request: &Request, body: &body::ReadBody) -> Reply<LogoutReply> {
        let mut shaping = Shaping::default();
        let exchange = Exchange::read(request, body);
        let result = async {
            let facts = exchange.facts()?;
            let refresh_token = exchange.refresh_token(body)?;
            self.service.logout(&facts, refresh_token, exchange.query("scope"), &mut shaping).await
        };
        let represents = exchange.wants_representation();
        let result = result.await.map(|receipt| LogoutReply::new(&receipt, represents, exchange.language));
        let applied = represents && result.is_ok();
        let reply = self.answerer.answer(&exchange, shaping, "/bo/api/v3/auth/token/logout", result).await;
        if applied { reply.with_header(PREFERENCE_APPLIED, RETURN_REPRESENTATION) } else { reply }
    }
}
