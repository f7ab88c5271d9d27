//! Users and their sessions, and the requests that a signed-in frontend makes.

use std::time::Duration;

use bo_auth_core::identifier::UserId;
use bo_auth_core::session::SessionId;
use bo_auth_core::stamp::SignedRequest;
use bo_auth_core::time::Clock;
use bo_auth_service::tenant::Tenant as PreparedTenant;
use bo_auth_service::{Call, RequestFacts};
use bo_auth_store::record::{RequestTrace, SessionRecord};
use http::Method;
use serde_json::{Value, json};

use super::{Answer, System, TestApp, TestRequest, route};

/// A user, and the system that the user signs in to.
#[derive(Clone)]
pub(crate) struct User {
    pub(crate) system: System,
    pub(crate) account: String,
    pub(crate) id: UserId,
}

/// A session: its proofs, and whose it is.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) user: User,
    pub(crate) id: SessionId,
    pub(crate) access_token: String,
    pub(crate) refresh_token: String,
}

impl User {
    pub(super) fn new(system: System, account: &str) -> Self {
        let id = UserId::parse(&format!("id-{account}")).unwrap();
        Self { system, account: account.to_owned(), id }
    }

    /// The same user, signing in to another system.
    pub(crate) fn of(&self, system: &System) -> Self {
        Self { system: system.clone(), ..self.clone() }
    }

    /// The password.
    pub(crate) fn password(&self) -> String {
        format!("password of {}", self.account)
    }

    /// A login with the right password, encrypted.
    pub(crate) fn login(&self) -> TestRequest {
        self.login_with(&self.password())
    }

    /// A login with any password, encrypted.
    pub(crate) fn login_with(&self, password: &str) -> TestRequest {
        let body = json!({"userName": self.account, "password": self.system.encrypt(password)});
        self.system.request(Method::POST, route::LOGIN).json(&body)
    }

    /// Signs in over HTTP.
    pub(crate) async fn log_in(&self) -> Session {
        let answer = self.login().send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Session::from_answer(self.clone(), &answer)
    }

    /// Every session of the user as the database has it, the newest first.
    pub(crate) async fn rows(&self) -> Vec<SessionRecord> {
        let tenant = &self.system.tenant;
        tenant.node.service().db.list_sessions(&tenant.owner_id, Some(&self.id), false, None, 1_000).await.unwrap()
    }

    /// A session opened behind the wire, without a stamp, a password or a rate: for tests that need many.
    pub(crate) async fn signed_in(&self) -> Session {
        let node = &self.system.tenant.node;
        let (service, owner_id) = (node.service(), &self.system.tenant.owner_id);
        let record = service.db.find_tenant(owner_id).await.unwrap().expect("the tenant is there");
        let tenant = PreparedTenant::assemble(record, &node.parsed_master_key()).unwrap();
        let system = std::sync::Arc::clone(tenant.system(Some(&self.system.sys_id)).unwrap());
        let credentials = service.db.find_credentials(owner_id, &self.account).await.unwrap().expect("the user is there");
        let facts = no_facts();
        let call = Call { service: &service, facts: &facts, tenant: std::sync::Arc::new(tenant), system, now: node.clock.now() };
        let trace = RequestTrace { address: Some("127.0.0.1".to_owned()), ..RequestTrace::default() };
        let (session, tokens) = call.open_session(&credentials.user, &credentials.password_hash, trace).await.unwrap();
        Session { user: self.clone(), id: session.session_id, access_token: tokens.access_token, refresh_token: tokens.refresh_token }
    }
}

const fn no_facts() -> RequestFacts<'static> {
    RequestFacts {
        owner_id: None,
        sys_id: None,
        stamp: None,
        first_share_user_id: None,
        second_share_user_id: None,
        area_code: None,
        authorization: None,
        plugin: None,
        origin: None,
        address: "127.0.0.1",
        user_agent: None,
        signed: SignedRequest { method: "POST", path: "", query: "", body: b"", headers: &[] },
    }
}

impl Session {
    /// Reads the pair of a login's or refresh's answer.
    pub(crate) fn from_answer(user: User, answer: &Answer) -> Self {
        let token = &answer.json()["data"]["token"];
        let text = |name: &str| token[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", answer.text())).to_owned();
        let access_token = text("accessToken");
        let id = SessionId::parse(claims(&access_token)["sid"].as_str().unwrap()).unwrap();
        Self { user, id, access_token, refresh_token: text("refreshToken") }
    }

    /// A request to the session's system with its access token.
    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        self.user.system.request(method, path).header("Authorization", format!("Bearer {}", self.access_token))
    }

    /// A logout by GET, complete.
    pub(crate) fn logout(&self) -> TestRequest {
        self.logout_by(Method::GET)
    }

    /// A logout by GET or DELETE, the refresh token in the query.
    pub(crate) fn logout_by(&self, method: Method) -> TestRequest {
        self.request(method, route::LOGOUT).query("refreshToken", &self.refresh_token).query("_nodejs", "common-data")
    }

    /// A refresh by GET.
    pub(crate) fn refresh(&self) -> TestRequest {
        self.user.system.request(Method::GET, route::REFRESH).query("refreshToken", &self.refresh_token)
    }

    /// The next pair of the session.
    pub(crate) async fn refreshed(&self) -> Self {
        let answer = self.refresh().send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let next = Self::from_answer(self.user.clone(), &answer);
        assert_eq!(next.id, self.id);
        next
    }

    /// Who am I.
    pub(crate) fn current_user(&self) -> TestRequest {
        self.request(Method::GET, route::CURRENT_USER)
    }

    /// My sessions.
    pub(crate) fn list(&self) -> TestRequest {
        self.request(Method::GET, route::SESSIONS)
    }

    /// Signs out one of my sessions.
    pub(crate) fn end(&self, session_id: SessionId) -> TestRequest {
        self.request(Method::DELETE, &format!("{}/{session_id}", route::SESSIONS))
    }

    /// The row.
    pub(crate) async fn row(&self) -> SessionRecord {
        let tenant = &self.user.system.tenant;
        let found = tenant.node.service().db.find_session(&tenant.owner_id, self.id).await.unwrap();
        found.expect("the session's row is there")
    }

    /// Asserts that both proofs are accepted; asks with the access token alone, so that nothing moves on.
    pub(crate) async fn assert_live(&self) {
        self.assert_live_by(|request| request).await;
    }

    /// The same, where requests need something done to them.
    pub(crate) async fn assert_live_by(&self, change: impl FnOnce(TestRequest) -> TestRequest) {
        assert_eq!(self.row().await.ended, None);
        let answer = change(self.current_user()).send().await;
        assert_eq!(answer.status, 200, "{}", answer.text());
    }

    /// Asserts that neither proof is accepted any more, on every route but logout, with this error code.
    pub(crate) async fn assert_ended(&self, error_code: &str) {
        for request in [self.current_user(), self.list(), self.end(self.id), self.refresh()] {
            let target = request.target();
            assert_eq!(request.send().await.error_code(), error_code, "{target}");
        }
    }

    /// The same on another node.
    pub(crate) async fn assert_ended_on(&self, app: &TestApp, error_code: &str) {
        for request in [self.current_user(), self.list(), self.end(self.id), self.refresh()] {
            let target = request.target();
            assert_eq!(request.on(app).send().await.error_code(), error_code, "{target}");
        }
    }

    /// Moves the clock past the access token's life, the session's not.
    pub(crate) fn outlive_access_token(&self) {
        let claims = claims(&self.access_token);
        let clock = &self.user.system.tenant.node.clock;
        let left = claims["exp"].as_i64().unwrap() * 1000 - clock.now().millis();
        clock.advance(Duration::from_millis(u64::try_from(left).unwrap_or(0)));
    }
}

/// The claims of a JWT, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a JWT has three parts");
    serde_json::from_slice(&base64_url(payload)).unwrap()
}

/// Decodes base64url without padding (RFC 4648 section 5).
pub(crate) fn base64_url(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut buffer, mut bits) = (0_u32, 0);
    for character in text.bytes() {
        let value = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            other => panic!("{other:?} is not base64url"),
        };
        buffer = buffer << 6 | u32::from(value);
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(buffer >> bits & 0xff).unwrap());
        }
    }
    bytes
}
