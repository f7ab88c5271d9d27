//! An administrator of a test, signed in over HTTP.

use bo_auth_core::random::{SystemRandom, alphanumeric};
use bo_auth_service::operator::admin::NewAdmin;
use bo_auth_store::record::{AdminReach, AdminRecord};
use http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Tenant, TestApp, TestRequest};

pub(crate) const PREFIX: &str = "/admin/api/v1";

/// An administrator. Accounts are never the same twice: tests share a Redis.
#[derive(Clone)]
pub(crate) struct Administrator {
    /// What requests are made of.
    pub(crate) blank: TestRequest,
    pub(crate) record: AdminRecord,
    pub(crate) token: Option<String>,
}

impl Administrator {
    /// One of all tenants, signed in.
    pub(crate) async fn of_platform(app: &TestApp) -> Self {
        Self::add(app, AdminReach::Platform).await.signed_in().await
    }

    /// One of a single tenant, signed in.
    pub(crate) async fn of_tenant(app: &TestApp, tenant: &Tenant) -> Self {
        Self::add(app, AdminReach::Tenant(tenant.owner_id.clone())).await.signed_in().await
    }

    /// One who has not signed in.
    pub(crate) async fn add(app: &TestApp, reach: AdminReach) -> Self {
        let account = format!("admin-{}", alphanumeric(&SystemRandom::default(), 12));
        let new = NewAdmin { name: format!("name of {account}"), account: account.clone(), reach };
        let (record, change) = app.node.operator().add_admin(new, &Self::password_of(&account)).await.unwrap();
        app.node.apply(change).await;
        Self { blank: app.bare_request(Method::GET, "/"), record, token: None }
    }

    fn password_of(account: &str) -> String {
        format!("password of {account}")
    }

    pub(crate) fn account(&self) -> &str {
        &self.record.user.account
    }

    pub(crate) fn password(&self) -> String {
        Self::password_of(self.account())
    }

    /// A sign-in with any password.
    pub(crate) fn sign_in_with(&self, password: &str) -> TestRequest {
        self.bare(Method::POST, "/sessions").json(&json!({"account": self.account(), "password": password}))
    }

    /// The same administrator in a session of their own.
    pub(crate) async fn signed_in(&self) -> Self {
        let answer = self.sign_in_with(&self.password()).send().await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        Self { token: answer.json()["token"].as_str().map(str::to_owned), ..self.clone() }
    }

    /// A request without a proof.
    pub(crate) fn bare(&self, method: Method, path: &str) -> TestRequest {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let request = self.blank.clone().method(method).path(&format!("{PREFIX}{path}"));
        let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').expect("a value"));
        pairs.fold(request, |request, (name, value)| request.raw_query(name, value))
    }

    /// A request with the token.
    pub(crate) fn request(&self, method: Method, path: &str) -> TestRequest {
        let request = self.bare(method, path);
        match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")),
            None => request,
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path).send().await
    }

    /// What a GET answers, which succeeds.
    pub(crate) async fn read(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request(Method::POST, path).json(body).send().await
    }

    /// A change of the state that this `ETag` is of.
    pub(crate) async fn patch(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.request(Method::PATCH, path).header("If-Match", etag).json(body).send().await
    }

    /// The items of all pages of a list.
    pub(crate) async fn all(&self, path: &str, limit: u32) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let request = self.request(Method::GET, path).query("limit", &limit.to_string()).query("cursor", &cursor);
            let answer = request.send().await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            let page = answer.json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return items,
            }
        }
    }
}

/// Asserts a problem of this status and code, as RFC 9457 and the document have it.
#[track_caller]
pub(crate) fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let problem: Value = serde_json::from_slice(&answer.body).unwrap_or_else(|_| panic!("no problem: {} {}", answer.status, answer.text()));
    assert_eq!((answer.status, problem["code"].as_str().unwrap_or_default()), (status, code), "{problem}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(problem["status"], status);
    let name = code.to_lowercase().replace('_', "-");
    assert_eq!(problem["type"], format!("urn:bo-auth:problem:{name}"));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty() && !title.contains("{}")), "{problem}");
}
