//! What the tests stand on: servers over fresh stores, tenants and users in them, and requests as frontends make them.
//!
//! ```ignore
//! each_backend!(a_session_signs_out);
//!
//! async fn a_session_signs_out(app: TestApp) {
//!     let session = app.with_tenant("demo").await.with_user("li").await.signed_in().await;
//!     session.logout().send().await.assert_body(r#"{"code":0,"success":true,"message":"退出成功"}"#);
//! }
//! ```

mod answer;
mod app;
mod backend;
pub(crate) mod encrypted_stores;
mod every_route;
pub(crate) mod log;
mod request;
mod session;
mod tenant;
mod wire;

pub(crate) use answer::{Answer, envelope};
pub(crate) use app::{CHEAP, NO_REDIS, TestApp};
pub(crate) use backend::{Backend, run};
pub(crate) use every_route::{RouteRequest, captcha_picture, every_route};
pub(crate) use request::TestRequest;
pub(crate) use session::{Session, User, base64_url, claims};
pub(crate) use tenant::{DES_KEY, System, Tenant};
pub(crate) use wire::exchange;

/// The routes of the contract.
pub(crate) mod route {
    pub(crate) const LOGIN: &str = "/bo/api/v3/auth/login";
    pub(crate) const REFRESH: &str = "/bo/api/v3/auth/token/refresh";
    pub(crate) const LOGOUT: &str = "/bo/api/v3/auth/token/logout";
    pub(crate) const CURRENT_USER: &str = "/bo/api/v3/auth/user/current";
    pub(crate) const SESSIONS: &str = "/bo/api/v3/auth/session";
    pub(crate) const CAPTCHA: &str = "/bo/api/v3/verify/code";
}

/// Runs each test on every backend, as three tests of one name.
macro_rules! each_backend {
    ($($test:ident),+ $(,)?) => { $(
        mod $test {
            use crate::support::{Backend, run};

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                run(Backend::Sqlite, super::$test).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn local() {
                run(Backend::Local, super::$test).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn redis() {
                run(Backend::Redis, super::$test).await;
            }
        }
    )+ };
}

/// Runs each test on one backend: for what the stores have no part in, and for what only one of them can do.
macro_rules! one_backend {
    ($backend:ident: $($test:ident),+ $(,)?) => { $(
        mod $test {
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn alone() {
                crate::support::run(crate::support::Backend::$backend, super::$test).await;
            }
        }
    )+ };
}
