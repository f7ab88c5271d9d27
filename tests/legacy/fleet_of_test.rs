//! A server with a v1.0 fleet, a user of it, and what a browser keeps between two requests.

use std::collections::BTreeMap;

use bo_auth_core::identifier::UserId;
use bo_auth_server::configuration::{FleetConfiguration, LegacyConfiguration};
use bo_auth_server::legacy::errno::Errno;
use bo_auth_service::operator::user::NewUser;
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Tenant, TestApp, TestRequest, User};

pub(crate) const SESSION: &str = "/api/v1.0/session";
pub(crate) const SESSIONS: &str = "/api/v1.0/sessions";
pub(crate) const OK: &str = r#"{"errno":"0","errmsg":"OK"}"#;

/// A tenant whose default system is a v1.0 fleet under every name, with a user.
pub(crate) struct FleetOfTest {
    pub(crate) app: TestApp,
    pub(crate) tenant: Tenant,
    pub(crate) user: User,
    pub(crate) mobile: &'static str,
}

/// The fleet of a tenant's default system, under every name.
pub(crate) fn fleet_of(tenant: &Tenant) -> FleetConfiguration {
    FleetConfiguration {
        hosts: Vec::new(),
        owner_id: tenant.owner_id.clone(),
        sys_id: tenant.web().sys_id,
        cookie: "userlogin".to_owned(),
        old_servers: None,
        service_token: None,
    }
}

/// A user who can sign in with a mobile number; old servers know the user by a number.
pub(crate) async fn user_with_mobile(tenant: &Tenant, account: &str, number: &str, mobile: &str) -> User {
    let user = User { system: tenant.web(), account: account.to_owned(), id: UserId::parse(number).unwrap() };
    let new = NewUser {
        user_id: Some(user.id.clone()),
        account: account.to_owned(),
        name: format!("name of {account}"),
        mobile: Some(mobile.to_owned()),
        push_name: None,
        area_codes: Vec::new(),
    };
    tenant.node.operator().add_user(&tenant.owner_id, new, &user.password()).await.unwrap();
    user
}

/// Starts the server again with these fleets.
pub(crate) async fn serve(app: &TestApp, fleets: Vec<FleetConfiguration>) {
    app.restart_with(|configuration| configuration.legacy = LegacyConfiguration { fleets, grpc_listen: None }).await;
}

impl FleetOfTest {
    pub(crate) async fn start(app: TestApp) -> Self {
        Self::start_with(app, |_| {}).await
    }

    pub(crate) async fn start_with(app: TestApp, change: impl FnOnce(&mut FleetConfiguration)) -> Self {
        let tenant = app.with_tenant("acme").await;
        let mobile = "13800000042";
        let user = user_with_mobile(&tenant, "li", "42", mobile).await;
        let mut fleet = fleet_of(&tenant);
        change(&mut fleet);
        serve(&app, vec![fleet]).await;
        Self { app, tenant, user, mobile }
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { app: &self.app, cookies: BTreeMap::new() }
    }

    /// What signs the user in.
    pub(crate) fn credentials(&self) -> Value {
        json!({"mobile": self.mobile, "password": self.user.password()})
    }

    /// A browser that has signed in.
    pub(crate) async fn signed_in(&self) -> Browser<'_> {
        let mut browser = self.browser();
        browser.sign_in(&self.credentials()).await.assert_outcome(Errno::OK);
        browser
    }
}

/// A browser: a jar of cookies.
#[derive(Clone)]
pub(crate) struct Browser<'a> {
    pub(crate) app: &'a TestApp,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser<'_> {
    /// A request with the jar's cookies.
    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.app.bare_request(method, path);
        if pairs.is_empty() { request } else { request.header("Cookie", pairs.join("; ")) }
    }

    /// Sends a request and keeps the cookies of the answer.
    pub(crate) async fn send(&mut self, request: &TestRequest) -> Answer {
        let answer = request.send().await;
        for value in answer.headers.get_all("set-cookie") {
            let text = value.to_str().unwrap();
            let (pair, attributes) = text.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.split(';').any(|attribute| attribute.trim() == "Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub(crate) async fn sign_in(&mut self, body: &Value) -> Answer {
        let request = self.request(Method::POST, SESSIONS).json(body);
        self.send(&request).await
    }

    pub(crate) async fn sign_out(&mut self) -> Answer {
        let request = self.request(Method::DELETE, SESSION);
        self.send(&request).await
    }

    pub(crate) async fn who(&mut self) -> Answer {
        let request = self.request(Method::GET, SESSION);
        self.send(&request).await
    }

    /// The cookie's value.
    pub(crate) fn cookie(&self) -> &str {
        &self.cookies["userlogin"]
    }

    /// Asserts that the user is signed in.
    #[track_caller]
    pub(crate) fn assert_cookie(&self, expected: bool) {
        assert_eq!(self.cookies.contains_key("userlogin"), expected);
    }
}

/// What tests ask of an answer of this contract.
pub(crate) trait OutcomeAnswer {
    /// Asserts an answer of the domain, to the byte.
    fn assert_outcome(&self, errno: Errno);

    /// Asserts a refusal with this status, to the byte.
    fn assert_refusal(&self, status: u16, errno: Errno);
}

impl OutcomeAnswer for Answer {
    #[track_caller]
    fn assert_outcome(&self, errno: Errno) {
        self.assert_refusal(200, errno);
    }

    #[track_caller]
    fn assert_refusal(&self, status: u16, errno: Errno) {
        let expected = format!(r#"{{"errno":"{}","errmsg":"{}"}}"#, errno.code, errno.text);
        assert_eq!((self.status, self.text()), (status, expected.as_str()));
        assert_eq!(self.header("content-type"), Some("application/json"));
        assert_eq!(self.header("cache-control"), Some("no-store"));
    }
}
